// SPDX-License-Identifier: Apache-2.0
import { kHatchTile, kStyles, themeColor, type Style } from '../palette';

/** What the canvases are painted with: the theme's colours and hatches. */
export interface Inks {
    styles: StyleInk[];
    ink: string;
    muted: string;
    line: string;
    band: string;
    surface: string;
    accent: string;
    critical: string;
    flow: string;
}

export interface StyleInk {
    fill: string;
    /** Of text on it. */
    text: string;
    hatch: CanvasPattern | null;
}

export function readInks(): Inks {
    return {
        styles: kStyles.map(styleInk),
        ink: themeColor('--ink'),
        muted: themeColor('--muted'),
        line: themeColor('--line'),
        band: themeColor('--band'),
        surface: themeColor('--surface'),
        accent: themeColor('--accent'),
        critical: themeColor('--critical'),
        flow: themeColor('--flow'),
    };
}

function styleInk(style: Style): StyleInk {
    return {
        fill: themeColor(`--${style.id}`),
        text: themeColor(style.stall ? '--ink' : `--${style.id}-text`),
        hatch: style.stall ? hatchPattern(style) : null,
    };
}

function hatchPattern(style: Style): CanvasPattern | null {
    const tile = document.createElement('canvas');
    tile.width = kHatchTile;
    tile.height = kHatchTile;
    const context = tile.getContext('2d') as CanvasRenderingContext2D;
    context.strokeStyle = themeColor(`--${style.id}-line`);
    context.stroke(new Path2D(style.hatch));
    return context.createPattern(tile, 'repeat');
}

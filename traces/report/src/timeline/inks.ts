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
    /** The fill as a pixel of an image. */
    pixel: number;
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
    const fill = themeColor(`--${style.id}`);
    return {
        fill,
        pixel: pixelOf(fill),
        text: themeColor(style.stall ? '--ink' : `--${style.id}-text`),
        hatch: style.stall ? hatchPattern(style) : null,
    };
}

/** "#rrggbb" as the bytes red, green, blue and alpha, the first one lowest. */
function pixelOf(color: string): number {
    const channel = (offset: number) => parseInt(color.slice(offset, offset + 2), 16);
    return ((255 << 24) | (channel(5) << 16) | (channel(3) << 8) | channel(1)) >>> 0;
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

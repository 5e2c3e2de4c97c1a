// SPDX-License-Identifier: Apache-2.0
import { svg } from './base/dom';

/**
 * How a slice looks: work in the solid colour of its class, a stall hatched in the hue of its
 * reason. The colours are custom properties of style.css, so that SVG follows the theme by itself.
 */
export interface Style {
    id: string;
    label: string;
    stall: boolean;
    /** Of a stall: strokes on a tile of 8 by 8 pixels. */
    hatch: string;
}

function work(id: string, label: string): Style {
    return { id, label, stall: false, hatch: '' };
}

function stall(id: string, label: string, hatch: string): Style {
    return { id, label, stall: true, hatch };
}

export const kStyles: readonly Style[] = [
    work('mte2', 'load (MTE2)'),
    work('mte1', 'L1 to L0 (MTE1)'),
    work('cube', 'matrix product'),
    work('fixpipe', 'fixpipe'),
    work('vector', 'vector op'),
    work('mte3', 'store (MTE3)'),
    work('scalar', 'scalar, dispatch'),
    stall('flag', 'waits for a flag', 'M-1 9L9 -1M-1 1L1 -1M7 9L9 7'),
    stall('cross_core', 'waits for another core', 'M-1 -1L9 9M7 -1L9 1M-1 7L1 9'),
    stall('gm', 'waits for GM', 'M0 0L8 8M0 8L8 0'),
    stall('sync', 'sets or waits itself', 'M0 2H8M0 6H8'),
    stall('queue_full', 'queue full', 'M2 0V8M6 0V8'),
    stall('launch', 'launch', 'M1 2H3M5 6H7'),
    stall('other', 'other stall', 'M4 0V8M0 4H8'),
];
export const kHatchTile = 8;

const kStyleOf = new Map(kStyles.map((style, index) => [style.id, index]));
const kOtherStall = kStyles.length - 1;
const kScalar = kStyleOf.get('scalar') as number;

/** Of work on a pipe: the pipe is the class of its ops. */
export function styleOfPipe(pipe: string): number {
    return kStyleOf.get(pipe) ?? kScalar;
}

/** Of a pipe in a state of the run. */
export function styleOfState(state: string, pipe: string): number {
    return state === 'busy' ? styleOfPipe(pipe) : (kStyleOf.get(state) ?? kOtherStall);
}

/** A custom property of the page, such as `--ink`. */
export function themeColor(name: string): string {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The `fill` of SVG shapes in a style, given that `hatchDefinitions` is in the page. */
export function svgFill(style: Style): string {
    return style.stall ? `url(#hatch-${style.id})` : `var(--${style.id})`;
}

/** The hatches that `svgFill` refers to. */
export function hatchDefinitions(): SVGElement {
    const size = { width: kHatchTile, height: kHatchTile };
    const patterns = kStyles
        .filter((style) => style.stall)
        .map((style) =>
            svg(
                'pattern',
                { id: `hatch-${style.id}`, patternUnits: 'userSpaceOnUse', ...size },
                svg('rect', { ...size, fill: `var(--${style.id})` }),
                svg('path', { d: style.hatch, stroke: `var(--${style.id}-line)`, fill: 'none' }),
            ),
        );
    return svg('svg', { class: 'definitions', 'aria-hidden': 'true' }, ...patterns);
}

/** A small sample of a style for legends. */
export function swatch(style: Style): SVGElement {
    return svg(
        'svg',
        { class: 'swatch', width: 16, height: 12, 'aria-hidden': 'true' },
        svg('rect', { width: 16, height: 12, rx: 2, fill: svgFill(style) }),
    );
}

/** Colours of series that are no pipes, and of runs. */
export const kSeriesColors = ['--series-1', '--series-2', '--series-3', '--series-4', '--series-5'];

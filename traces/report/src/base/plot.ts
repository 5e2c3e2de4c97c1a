// SPDX-License-Identifier: Apache-2.0
import { svg, svgText } from './dom';
import { compact } from './format';
import type { Scale } from './scale';

const kPlotMargin = { left: 64, right: 16, top: 12, bottom: 46 };

/** The part of a plot of this size that its data may use: x from left to right, y upwards. */
export function plotRanges(width: number, height: number) {
    const x: [number, number] = [kPlotMargin.left, width - kPlotMargin.right];
    const y: [number, number] = [height - kPlotMargin.bottom, kPlotMargin.top];
    return { x, y };
}

/** An SVG with axes, grid and titles, and `marks` on them. */
export function plot(
    size: { width: number; height: number },
    label: string,
    x: { scale: Scale; title: string },
    y: { scale: Scale; title: string },
    marks: SVGElement[],
): SVGElement {
    const [left, right] = x.scale.range;
    const [bottom, top] = y.scale.range;
    const middle = (top + bottom) / 2;
    return svg(
        'svg',
        { class: 'plot', ...size, role: 'group', 'aria-label': label },
        ...x.scale.ticks.flatMap((tick) => [
            svg('path', { class: 'grid', d: `M${x.scale(tick)} ${top}V${bottom}` }),
            svgText(x.scale(tick), bottom + 14, compact(tick), { class: 'tick x' }),
        ]),
        ...y.scale.ticks.flatMap((tick) => [
            svg('path', { class: 'grid', d: `M${left} ${y.scale(tick)}H${right}` }),
            svgText(left - 6, y.scale(tick), compact(tick), { class: 'tick y' }),
        ]),
        svg('path', { class: 'axis', d: `M${left} ${top}V${bottom}H${right}` }),
        svgText((left + right) / 2, size.height - 8, x.title, { class: 'axis-title' }),
        svgText(0, 0, y.title, {
            class: 'axis-title',
            transform: `translate(12 ${middle}) rotate(-90)`,
        }),
        ...marks,
    );
}

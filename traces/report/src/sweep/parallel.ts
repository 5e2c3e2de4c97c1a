// SPDX-License-Identifier: Apache-2.0
import { html, responsive, svg, svgText } from '../base/dom';
import { cellText, compact } from '../base/format';
import { domainOf, linearScale } from '../base/scale';
import { section } from '../base/table';
import type { PointData } from '../schema';
import { paintOrder, pointClass, pointText, selectable } from './marks';
import { type Dimension, type Sweep } from './model';

const kHeight = 340;
const kTop = 44;
const kBottom = 16;
const kSide = 60;
const kLeastDistance = 96;
/** An axis with more distinct numbers than this is to scale. */
const kMostSteps = 12;

interface Axis {
    dimension: Dimension;
    x: number;
    y: (value: number | string) => number;
    ticks: { y: number; text: string }[];
}

/** All axes and objectives side by side, a line for each point. */
export function parallelCoordinates(sweep: Sweep): HTMLElement {
    const figure = responsive((width) => {
        const least = 2 * kSide + (sweep.dimensions.length - 1) * kLeastDistance;
        return chart(sweep, Math.max(width, least));
    });
    sweep.selected.subscribe(figure.redraw);
    return section(
        'parallel',
        'Parallel coordinates',
        html('div', { class: 'wide' }, figure.element),
        html('p', { class: 'hint' }, 'Strong lines are points on the front; arrows show where '
            + 'objectives are better. The table of points below has the same numbers.'),
    );
}

function chart(sweep: Sweep, width: number): SVGElement {
    const { dimensions } = sweep;
    const distance = (width - 2 * kSide) / Math.max(1, dimensions.length - 1);
    const axes = dimensions.map((dimension, index) =>
        makeAxis(sweep, dimension, kSide + index * distance));
    return svg(
        'svg',
        {
            class: 'plot parallel',
            width,
            height: kHeight,
            role: 'group',
            'aria-label': 'Parallel coordinates of all points',
        },
        ...paintOrder(sweep, sweep.done).map((point) => line(sweep, axes, point)),
        ...axes.flatMap(axisMarks),
    );
}

function makeAxis(sweep: Sweep, dimension: Dimension, x: number): Axis {
    const values = sweep.valuesOf(dimension);
    const isToScale = dimension.direction !== null || values.length > kMostSteps;
    return isToScale && values.every((value) => typeof value === 'number')
        ? scaledAxis(dimension, x, values)
        : steppedAxis(dimension, x, values);
}

function scaledAxis(dimension: Dimension, x: number, values: number[]): Axis {
    const scale = linearScale(domainOf(values), [kHeight - kBottom, kTop]);
    return {
        dimension,
        x,
        y: (value) => scale(value as number),
        ticks: scale.ticks.map((tick) => ({ y: scale(tick), text: compact(tick) })),
    };
}

function steppedAxis(dimension: Dimension, x: number, values: (number | string)[]): Axis {
    const height = kHeight - kBottom - kTop;
    const step = height / values.length;
    const place = (index: number) => kHeight - kBottom - (index + 0.5) * step;
    const places = new Map(values.map((value, index) => [value, place(index)]));
    return {
        dimension,
        x,
        y: (value) => places.get(value) as number,
        ticks: values.map((value, index) => ({ y: place(index), text: cellText(value) })),
    };
}

function line(sweep: Sweep, axes: Axis[], point: PointData): SVGElement {
    const places = axes.map(({ dimension, x, y }) =>
        `${x} ${y(dimension.valueOf(point) as number | string)}`);
    const d = `M${places.join('L')}`;
    return svg(
        'g',
        { class: pointClass(sweep, point), ...selectable(sweep, point) },
        svg('path', { class: 'reach', d }),
        svg('path', { class: 'line', d }),
        svg('title', {}, pointText(sweep, point)),
    );
}

function axisMarks({ dimension, x, ticks }: Axis): SVGElement[] {
    const arrow = { min: ' ↓', max: ' ↑' };
    const better = dimension.direction ? arrow[dimension.direction] : '';
    return [
        svg('line', { class: 'axis', x1: x, x2: x, y1: kTop, y2: kHeight - kBottom }),
        svgText(x, kTop - 26, dimension.name + better, { class: 'axis-title strong' }),
        svgText(x, kTop - 11, dimension.unit, { class: 'axis-title' }),
        ...ticks.flatMap(({ y, text }) => [
            svg('line', { class: 'axis', x1: x - 3, x2: x + 3, y1: y, y2: y }),
            svgText(x + 6, y, text, { class: 'tick halo' }),
        ]),
    ];
}

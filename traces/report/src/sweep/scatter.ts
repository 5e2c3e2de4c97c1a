// SPDX-License-Identifier: Apache-2.0
import { html, responsive, svg } from '../base/dom';
import { cellText, plural } from '../base/format';
import { plot, plotRanges } from '../base/plot';
import { domainOf, linearScale, type Scale } from '../base/scale';
import { alternative, choice, dataTable, section } from '../base/table';
import type { PointData } from '../schema';
import { paintOrder, pointClass, pointText, selectable } from './marks';
import { fullTitleOf, titleOf, type Sweep } from './model';

const kHeight = 420;

/** Two objectives against each other, with the staircase of the points none beats in both. */
export function scatter(sweep: Sweep): HTMLElement {
    const names = sweep.objectives.map(titleOf);
    let first = 0;
    let second = Math.min(1, names.length - 1);
    const figure = responsive((width) => chart(sweep, first, second, width));
    const text = html('div');
    const update = () => {
        figure.redraw();
        text.replaceChildren(frontTable(sweep, first, second));
    };
    sweep.selected.subscribe(figure.redraw);
    const chooseFirst = (index: number) => {
        first = index;
        update();
    };
    const chooseSecond = (index: number) => {
        second = index;
        update();
    };
    update();
    return section(
        'pareto',
        'Pareto front',
        html('p', { class: 'job' }, sweep.data.title),
        html('div', { class: 'toolbar' },
            choice('Across', names, first, chooseFirst),
            choice('Up', names, second, chooseSecond)),
        figure.element,
        html('p', { class: 'hint' }, 'Filled: on the front over all objectives. '
            + 'Line: the front of the two shown. Click a point to select it.'),
        text,
    );
}

function chart(sweep: Sweep, first: number, second: number, width: number): SVGElement {
    const domain = (objective: number) =>
        domainOf(sweep.done.map((point) => sweep.objective(point, objective)));
    const ranges = plotRanges(width, kHeight);
    const x = linearScale(domain(first), ranges.x);
    const y = linearScale(domain(second), ranges.y);
    const place = (point: PointData): [number, number] => [
        x(sweep.objective(point, first)),
        y(sweep.objective(point, second)),
    ];
    return plot(
        { width, height: kHeight },
        'Scatter plot of two objectives; the table of points says the same',
        { scale: x, title: fullTitleOf(sweep.objectives[first]) },
        { scale: y, title: fullTitleOf(sweep.objectives[second]) },
        [
            staircase(sweep.front(first, second).map(place), worstEnd(sweep, first, x),
                worstEnd(sweep, second, y)),
            ...paintOrder(sweep, sweep.done).map((point) => dot(sweep, point, place(point))),
        ],
    );
}

/** From each point on the front level to the next, as what lies beyond is beaten by it. */
function staircase(places: [number, number][], worstX: number, worstY: number): SVGElement {
    const steps = places.map(([px, py]) => `H${px}V${py}`).join('');
    const d = `M${places[0][0]} ${worstY}${steps}H${worstX}`;
    return svg('path', { class: 'staircase', d });
}

/** The end of an axis where its objective is worst. */
function worstEnd(sweep: Sweep, objective: number, { range }: Scale): number {
    return sweep.data.objectives[objective].direction === 'min' ? range[1] : range[0];
}

function dot(sweep: Sweep, point: PointData, [cx, cy]: [number, number]): SVGElement {
    const selected = sweep.selected.value === point;
    return svg(
        'circle',
        {
            class: pointClass(sweep, point),
            cx,
            cy,
            r: selected ? 8 : point.front ? 5.5 : 4,
            ...selectable(sweep, point),
        },
        svg('title', {}, pointText(sweep, point)),
    );
}

function frontTable(sweep: Sweep, first: number, second: number): HTMLElement {
    const front = sweep.front(first, second);
    const titles = sweep.dimensions.map(titleOf);
    const rows = front.map((point) => [
        `#${point.id}`,
        ...sweep.dimensions.map((dimension) => cellText(dimension.valueOf(point) ?? '–')),
    ]);
    const failed = sweep.failed.length > 0 ? ` (${sweep.failed.length} failed)` : '';
    const summary = `Of ${plural(sweep.data.points.length, 'point')}${failed}, ${front.length} are `
        + `on the front of ${titles[sweep.axes.length + first]} and `
        + `${titles[sweep.axes.length + second]}.`;
    return alternative(summary, dataTable('The front', ['point', ...titles], rows));
}

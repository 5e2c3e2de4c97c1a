// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { cellText } from '../base/format';
import { section } from '../base/table';
import type { PointData, SweepData } from '../schema';
import { heatmap } from './heatmap';
import { fullTitleOf, Sweep } from './model';
import { parallelCoordinates } from './parallel';
import { PointTable } from './points';
import { scatter } from './scatter';

/** The sections of a sweep. A point that is selected in one is marked in all. */
export function sweepSections(data: SweepData): HTMLElement[] {
    const sweep = new Sweep(data);
    const table = new PointTable(sweep).element;
    if (sweep.done.length === 0) {
        return [table, selectedPoint(sweep)];
    }
    const front = html('div', { class: 'beside' }, scatter(sweep), selectedPoint(sweep));
    return [front, parallelCoordinates(sweep), heatmap(sweep), table]
        .filter((element) => element !== null);
}

function selectedPoint(sweep: Sweep): HTMLElement {
    const body = html('div', { 'aria-live': 'polite' });
    const show = (point: PointData | null) => {
        const hint = html('p', { class: 'hint' }, 'Click a point anywhere to see it here.');
        body.replaceChildren(...(point ? describe(sweep, point) : [hint]));
    };
    sweep.selected.subscribe(show);
    show(null);
    return section('selected-point', 'Selected point', body);
}

function describe(sweep: Sweep, point: PointData): Node[] {
    const facts = sweep.dimensions.map((dimension) =>
        html(
            'div',
            {},
            html('dt', {}, fullTitleOf(dimension)),
            html('dd', {}, cellText(dimension.valueOf(point) ?? '–')),
        ),
    );
    const state = point.failed ? `failed: ${point.failed}` : point.front ? 'on the front' : '';
    return [
        html('h3', {}, `#${point.id}`, state && ` (${state})`),
        html('dl', { class: 'facts' }, ...facts),
        html('pre', { class: 'config', tabindex: 0 }, point.config),
    ];
}

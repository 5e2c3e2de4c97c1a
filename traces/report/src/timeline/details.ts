// SPDX-License-Identifier: Apache-2.0
import { lowerBound } from '../base/columns';
import { html } from '../base/dom';
import { integer, percent } from '../base/format';
import type { Run, SliceRef } from '../run';
import { sliceState, sliceTimes, sliceTitle } from './describe';
import { flowsOf } from './flows';

/** The panel that shows all there is to know of the selected slice. */
export class Details {
    readonly element = html('div', {
        class: 'details',
        role: 'region',
        'aria-label': 'Selected slice',
        'aria-live': 'polite',
    });

    constructor(private readonly select: (slice: SliceRef) => void) {
        this.show(null);
    }

    show(slice: SliceRef | null) {
        this.element.replaceChildren(...(slice ? this.describe(slice) : [hint()]));
    }

    private describe(slice: SliceRef): Node[] {
        const { run, lane } = slice;
        const times = sliceTimes(slice);
        const facts: [string, string][] = [
            ['run', run.name],
            ['core', lane.data.core],
            ['pipe', lane.data.pipe],
            ['state', sliceState(slice)],
            ['start', times.start],
            ['end', times.end],
            ['length', times.cycles],
        ];
        const critical = criticalShare(slice);
        if (critical !== null) {
            facts.push(['on the critical path', percent(critical)]);
        }
        return [html('h3', {}, sliceTitle(slice)), factList(facts), ...this.flowLists(slice)];
    }

    private flowLists(slice: SliceRef): Node[] {
        const { run } = slice;
        const { flows } = run;
        const { incoming, outgoing } = flowsOf(slice);
        return [
            this.flowList('waited for', incoming.map((flow) =>
                this.flowButton(run, flows.fromLane[flow], flows.from[flow] - 1))),
            this.flowList('lets go on', outgoing.map((flow) =>
                this.flowButton(run, flows.toLane[flow], flows.to[flow]))),
        ].flat();
    }

    private flowList(title: string, buttons: Node[]): Node[] {
        return buttons.length > 0
            ? [html('div', { class: 'flow-list' }, html('span', {}, title), ...buttons)]
            : [];
    }

    /** Goes to the slice of a lane in a cycle. */
    private flowButton(run: Run, laneIndex: number, time: number): Node {
        const lane = run.lanes[laneIndex];
        const index = lane.sliceAt(time);
        const where = `${lane.data.core} ${lane.data.pipe} at ${integer(time)}`;
        if (index < 0) {
            return html('span', {}, where);
        }
        const target = { run, lane, index };
        return html(
            'button',
            { type: 'button', click: () => this.select(target) },
            `${sliceTitle(target)}: ${where}`,
        );
    }
}

function hint(): Node {
    return html('p', { class: 'hint' },
        'Click a slice to see its op and times; press ? for the keys.');
}

function factList(facts: [string, string][]): Node {
    return html('dl', { class: 'facts' }, ...facts.map(([name, value]) =>
        html('div', {}, html('dt', {}, name), html('dd', {}, value))));
}

/** The share of a slice that the critical path runs along; null if the run has none. */
function criticalShare({ run, lane, index }: SliceRef): number | null {
    const path = run.critical;
    if (!path) {
        return null;
    }
    const start = lane.slices.start[index];
    const end = lane.slices.end[index];
    let cycles = 0;
    for (let i = lowerBound(path.end, start); i < path.count && path.start[i] < end; ++i) {
        if (path.lane[i] === lane.index) {
            cycles += Math.max(0, Math.min(end, path.end[i]) - Math.max(start, path.start[i]));
        }
    }
    return cycles / (end - start);
}

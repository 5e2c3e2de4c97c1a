// SPDX-License-Identifier: Apache-2.0
import { Signal } from '../base/signal';
import type { Run, SliceRef } from '../run';
import type { View } from './view';

/** Finds slices by a part of their name or text, whatever the case. */
export class Search {
    /** In order of time on the common axis. */
    readonly hits = new Signal<SliceRef[]>([]);

    private text = '';

    constructor(private readonly view: View) {
        view.aligned.subscribe(() => this.find(this.text));
    }

    /** An empty text ends the search. */
    find(text: string) {
        this.text = text;
        const needle = text.trim().toLowerCase();
        const hits = this.view.runs.flatMap((run) => markHits(run, needle));
        const time = ({ run, lane, index }: SliceRef) =>
            lane.slices.start[index] - this.view.origin(run);
        this.hits.set(hits.sort((a, b) => time(a) - time(b)));
    }
}

function markHits(run: Run, needle: string): SliceRef[] {
    if (needle === '') {
        run.lanes.forEach((lane) => lane.setHits(null));
        return [];
    }
    const matches = (text: string) => text.toLowerCase().includes(needle);
    const names = run.data.names.map(matches);
    const details = run.data.details.map(matches);
    const hits: SliceRef[] = [];
    for (const lane of run.lanes) {
        const { name, detail } = lane.slices;
        const isHit = (index: number) => names[name[index]] || details[detail[index]];
        lane.setHits(isHit);
        for (let index = 0; index < lane.count; ++index) {
            if (lane.isHit(index)) {
                hits.push({ run, lane, index });
            }
        }
    }
    return hits;
}

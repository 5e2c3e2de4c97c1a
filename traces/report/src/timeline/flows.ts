// SPDX-License-Identifier: Apache-2.0
import type { SliceRef } from '../run';

/** Indices of the flows that end as a slice starts and of those that begin as it ends, or within. */
export function flowsOf({ run, lane, index }: SliceRef) {
    const start = lane.slices.start[index];
    const end = lane.slices.end[index];
    const { flows } = run;
    const incoming: number[] = [];
    const outgoing: number[] = [];
    for (let i = 0; i < flows.count; ++i) {
        if (flows.toLane[i] === lane.index && flows.to[i] >= start && flows.to[i] < end) {
            incoming.push(i);
        }
        if (flows.fromLane[i] === lane.index && flows.from[i] > start && flows.from[i] <= end) {
            outgoing.push(i);
        }
    }
    return { incoming, outgoing };
}

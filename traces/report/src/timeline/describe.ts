// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { integer, microseconds, percent, plural } from '../base/format';
import { emptyMix, type Lane } from '../lane';
import { kStyles, swatch } from '../palette';
import type { Run, SliceRef } from '../run';

/** What a slice is, in short. */
export function sliceTitle({ run, lane, index }: SliceRef): string {
    return run.data.details[lane.slices.detail[index]] || run.data.names[lane.slices.name[index]];
}

/** What its pipe does during a slice: work, or the reason of the stall. */
export function sliceState({ lane, index }: SliceRef): string {
    const style = kStyles[lane.slices.style[index]];
    return style.stall ? `stalled: ${style.label}` : `busy: ${style.label}`;
}

export function sliceTimes({ run, lane, index }: SliceRef) {
    const start = lane.slices.start[index];
    const end = lane.slices.end[index];
    const clock = run.data.clock_mhz;
    return {
        start: `${integer(start)} (${microseconds(start, clock)})`,
        end: `${integer(end)} (${microseconds(end, clock)})`,
        cycles: `${plural(end - start, 'cycle')} (${microseconds(end - start, clock)})`,
    };
}

export function laneName(lane: Lane): string {
    return `${lane.data.core} ${lane.data.pipe}`;
}

/** The tooltip of one slice. */
export function describeSlice(slice: SliceRef): Node[] {
    const times = sliceTimes(slice);
    return [
        html('strong', {}, sliceTitle(slice)),
        html(
            'div',
            {},
            swatch(kStyles[slice.lane.slices.style[slice.index]]),
            ` ${sliceState(slice)}`,
        ),
        html('div', {}, `${laneName(slice.lane)}, from ${times.start}, ${times.cycles}`),
    ];
}

/** The tooltip of a stretch in which many slices were summed up; empty if nothing is there. */
export function describeStretch(run: Run, lanes: Lane[], from: number, to: number): Node[] {
    const mix = emptyMix();
    const covered = lanes.reduce((cycles, lane) => cycles + lane.addMix(from, to, mix), 0);
    if (covered === 0) {
        return [];
    }
    const slices = lanes.reduce((count, lane) => count + lane.countWithin(from, to), 0);
    const whole = (to - from) * lanes.length;
    const parts = kStyles.flatMap((style, index) =>
        mix[index] > 0
            ? [html('div', {}, swatch(style), ` ${style.label} ${percent(mix[index] / whole)}`)]
            : [],
    );
    const where = lanes.length === 1 ? laneName(lanes[0]) : lanes[0].data.core;
    const stretch = `${plural(Math.ceil(to - from), 'cycle')} from ${integer(from)} on`;
    return [
        html('strong', {}, where),
        html('div', {}, `${stretch}, ${run.name}; ${plural(slices, 'slice')} begin in them`),
        ...parts,
    ];
}

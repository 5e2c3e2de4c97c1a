// SPDX-License-Identifier: Apache-2.0
import { Signal } from '../base/signal';
import type { Run } from '../run';

/** A stretch of the common time axis, in cycles. */
export interface Range {
    readonly start: number;
    readonly end: number;
}

const kSmallestSpan = 8;

/**
 * The runs shown, and what is seen of the time axis they share. A run's own cycle is the axis' time
 * plus its `origin`.
 */
export class View {
    readonly range: Signal<Range>;
    /** Whether the axis begins where each run's launch ends. */
    readonly aligned = new Signal(false);
    /** The time under the pointer, or null. */
    readonly pointer = new Signal<number | null>(null);

    constructor(readonly runs: readonly Run[]) {
        this.range = new Signal(this.extent);
        this.aligned.subscribe(() => this.range.set(this.extent));
    }

    origin(run: Run): number {
        return this.aligned.value ? run.data.launch : 0;
    }

    /** All that the runs cover. */
    get extent(): Range {
        const starts = this.runs.map((run) => run.data.window[0] - this.origin(run));
        const ends = this.runs.map((run) => run.data.window[1] - this.origin(run));
        return { start: Math.min(...starts), end: Math.max(...ends) };
    }

    get span(): number {
        return this.range.value.end - this.range.value.start;
    }

    all() {
        this.range.set(this.extent);
    }

    /** Shows a stretch, as far as the runs reach. */
    show(start: number, end: number) {
        const extent = this.extent;
        const whole = extent.end - extent.start;
        const span = Math.min(whole, Math.max(end - start, Math.min(kSmallestSpan, whole)));
        const first = Math.min(Math.max(start, extent.start), extent.end - span);
        const { start: oldStart, end: oldEnd } = this.range.value;
        if (first !== oldStart || first + span !== oldEnd) {
            this.range.set({ start: first, end: first + span });
        }
    }

    /** A factor below 1 shows less; the time at `anchor` (0 left, 1 right) stays where it is. */
    zoom(factor: number, anchor = 0.5) {
        const span = Math.max(kSmallestSpan, this.span * factor);
        const fixed = this.range.value.start + this.span * anchor;
        this.show(fixed - span * anchor, fixed + span * (1 - anchor));
    }

    /** By a share of what is seen. */
    pan(share: number) {
        const { start, end } = this.range.value;
        this.show(start + this.span * share, end + this.span * share);
    }
}

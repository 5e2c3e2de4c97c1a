// SPDX-License-Identifier: Apache-2.0
import { lowerBound } from './base/columns';
import { kStyles } from './palette';
import type { LaneData } from './schema';

/** Cycles by style, one number for each of `kStyles`. */
export type Mix = Float64Array;

export function emptyMix(): Mix {
    return new Float64Array(kStyles.length);
}

/** The columns of a lane's slices: disjoint, in order of time. */
export interface LaneSlices {
    start: Int32Array;
    end: Int32Array;
    style: Uint8Array;
    name: Int32Array;
    detail: Int32Array;
}

/** One pipe of one core: its slices, with sums over them to look up any stretch of time in. */
export class Lane {
    readonly count: number;
    private readonly sums: { style: number; before: Int32Array }[];
    private hitsBefore: Int32Array | null = null;

    constructor(
        readonly data: LaneData,
        /** Among the lanes of the run. */
        readonly index: number,
        readonly slices: LaneSlices,
    ) {
        this.count = slices.start.length;
        this.sums = [...new Set(slices.style)].map((style) => ({
            style,
            before: this.cyclesBefore(style),
        }));
    }

    /** The first slice that ends after `time`, or `count`. */
    firstEndingAfter(time: number): number {
        return lowerBound(this.slices.end, Math.floor(time) + 1);
    }

    /** The slice that covers `time`, or -1. */
    sliceAt(time: number): number {
        const index = this.firstEndingAfter(time);
        return index < this.count && this.slices.start[index] <= time ? index : -1;
    }

    /** Adds the cycles of each style within [from, to) to `mix`; returns how many are covered. */
    addMix(from: number, to: number, mix: Mix): number {
        const first = this.firstEndingAfter(from);
        const last = lowerBound(this.slices.start, to, first) - 1;
        if (last < first) {
            return 0;
        }
        let covered = 0;
        for (const { style, before } of this.sums) {
            const cycles = before[last + 1] - before[first];
            mix[style] += cycles;
            covered += cycles;
        }
        return covered - this.trim(first, from - this.slices.start[first], mix)
            - this.trim(last, this.slices.end[last] - to, mix);
    }

    /** How many slices begin within [from, to). */
    countWithin(from: number, to: number): number {
        return lowerBound(this.slices.start, to) - lowerBound(this.slices.start, from);
    }

    /** Marks the slices that a search found; null ends the search. */
    setHits(isHit: ((index: number) => boolean) | null) {
        this.hitsBefore = isHit && this.countBefore(isHit);
    }

    get searched(): boolean {
        return this.hitsBefore !== null;
    }

    isHit(index: number): boolean {
        return this.hits(index, index + 1) > 0;
    }

    /** Whether a slice that was found lies, in part at least, within [from, to). */
    hasHitWithin(from: number, to: number): boolean {
        return this.hits(this.firstEndingAfter(from), lowerBound(this.slices.start, to)) > 0;
    }

    private hits(first: number, last: number): number {
        return this.hitsBefore ? this.hitsBefore[last] - this.hitsBefore[first] : 0;
    }

    private trim(index: number, excess: number, mix: Mix): number {
        const cycles = Math.max(0, excess);
        mix[this.slices.style[index]] -= cycles;
        return cycles;
    }

    private cyclesBefore(style: number): Int32Array {
        const { start, end, style: styles } = this.slices;
        const before = new Int32Array(this.count + 1);
        for (let i = 0; i < this.count; ++i) {
            before[i + 1] = before[i] + (styles[i] === style ? end[i] - start[i] : 0);
        }
        return before;
    }

    private countBefore(holds: (index: number) => boolean): Int32Array {
        const before = new Int32Array(this.count + 1);
        for (let i = 0; i < this.count; ++i) {
            before[i + 1] = before[i] + (holds(i) ? 1 : 0);
        }
        return before;
    }
}

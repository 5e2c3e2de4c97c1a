// SPDX-License-Identifier: Apache-2.0
import { decodeF32, decodeI32, decodeU8, lowerBound } from './base/columns';
import { Lane } from './lane';
import { styleOfState } from './palette';
import type { RunData, SeriesData } from './schema';

/** From the end of a set_flag to the end of the wait for it. */
export interface Flows {
    count: number;
    fromLane: Int32Array;
    from: Int32Array;
    toLane: Int32Array;
    to: Int32Array;
    /** 0 a flag within a core, 1 one from core to core. */
    kind: Uint8Array;
}

/** Stretches of the critical path in order of time. */
export interface CriticalPath {
    count: number;
    lane: Int32Array;
    start: Int32Array;
    end: Int32Array;
    reason: Uint8Array;
    reasons: string[];
}

export interface Series extends Omit<SeriesData, 'values'> {
    values: Float32Array;
}

export interface Core {
    run: Run;
    name: string;
    lanes: Lane[];
}

/** One slice of a run. */
export interface SliceRef {
    run: Run;
    lane: Lane;
    index: number;
}

export function sameSlice(a: SliceRef | null, b: SliceRef | null): boolean {
    return a?.lane === b?.lane && a?.index === b?.index;
}

/** A run of the simulator, decoded. */
export class Run {
    readonly lanes: Lane[];
    readonly cores: Core[];
    readonly flows: Flows;
    readonly critical: CriticalPath | null;
    readonly series: Series[];

    constructor(readonly data: RunData) {
        this.lanes = decodeLanes(data);
        this.cores = this.groupByCore();
        this.flows = decodeFlows(data);
        this.critical = decodeCritical(data);
        this.series = (data.series ?? []).map((series) => ({
            ...series,
            values: decodeF32(series.values),
        }));
    }

    get name(): string {
        return this.data.name;
    }

    get sliceCount(): number {
        return this.data.slices.count;
    }

    /** The kinds of pipes, in drawing order. */
    get pipes(): string[] {
        return [...new Set(this.data.lanes.map((lane) => lane.pipe))];
    }

    private groupByCore(): Core[] {
        const cores = new Map<string, Core>();
        for (const lane of this.lanes) {
            const name = lane.data.core;
            const core = cores.get(name) ?? { run: this, name, lanes: [] };
            core.lanes.push(lane);
            cores.set(name, core);
        }
        return [...cores.values()];
    }
}

function decodeLanes(data: RunData): Lane[] {
    const columns = data.slices;
    const lane = decodeI32(columns.lane);
    const start = decodeI32(columns.start);
    const end = decodeI32(columns.cycles).map((cycles, index) => start[index] + cycles);
    const name = decodeI32(columns.name);
    const detail = decodeI32(columns.detail);
    const state = decodeU8(columns.state);
    return data.lanes.map((laneData, index) => {
        const styles = data.states.map((stateName) => styleOfState(stateName, laneData.pipe));
        const first = lowerBound(lane, index);
        const last = lowerBound(lane, index + 1);
        return new Lane(laneData, index, {
            start: start.subarray(first, last),
            end: end.subarray(first, last),
            style: state.subarray(first, last).map((value) => styles[value]),
            name: name.subarray(first, last),
            detail: detail.subarray(first, last),
        });
    });
}

function decodeFlows(data: RunData): Flows {
    const flows = data.flows;
    return {
        count: flows?.count ?? 0,
        fromLane: decodeI32(flows?.from_lane ?? ''),
        from: decodeI32(flows?.from ?? ''),
        toLane: decodeI32(flows?.to_lane ?? ''),
        to: decodeI32(flows?.to ?? ''),
        kind: decodeU8(flows?.kind ?? ''),
    };
}

function decodeCritical(data: RunData): CriticalPath | null {
    const critical = data.critical;
    return critical
        ? {
              count: critical.count,
              lane: decodeI32(critical.lane),
              start: decodeI32(critical.start),
              end: decodeI32(critical.end),
              reason: decodeU8(critical.reason),
              reasons: critical.reasons,
          }
        : null;
}

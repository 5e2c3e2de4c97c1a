// SPDX-License-Identifier: Apache-2.0

/**
 * The JSON document that a page is given; README.md describes every key. Columns are base64 of
 * little-endian arrays. Times are in cycles.
 */
export interface ReportData {
    schema: number;
    npusim: string;
    title: string;
    command?: string | null;
    runs?: RunData[] | null;
    sweep?: SweepData | null;
}

export interface RunData {
    name: string;
    hardware: string;
    clock_mhz: number;
    job: string;
    cycles: number;
    launch: number;
    window: [number, number];
    note?: string | null;
    states: string[];
    lanes: LaneData[];
    names: string[];
    details: string[];
    slices: SliceColumns;
    flows?: FlowColumns | null;
    critical?: CriticalColumns | null;
    series?: SeriesData[] | null;
    roofline?: RooflineData | null;
    accuracy?: AccuracyData[] | null;
    facts?: [string, string][] | null;
}

export interface LaneData {
    core: string;
    pipe: string;
    instructions: number;
    /** Of the whole run, one number for each of `states`. */
    cycles: number[];
    idle: number;
}

export interface SliceColumns {
    count: number;
    lane: string;
    start: string;
    cycles: string;
    name: string;
    state: string;
    detail: string;
}

export interface FlowColumns {
    count: number;
    from_lane: string;
    from: string;
    to_lane: string;
    to: string;
    kind: string;
}

export interface CriticalColumns {
    count: number;
    lane: string;
    start: string;
    end: string;
    reason: string;
    reasons: string[];
}

export interface SeriesData {
    group: string;
    name: string;
    unit: string;
    limit?: number | null;
    step: number;
    values: string;
}

export interface RooflineData {
    peak: number;
    unit: string;
    roofs: { name: string; bytes_per_cycle: number }[];
    points: { name: string; bytes: number; work: number; per_cycle: number }[];
}

export interface AccuracyData {
    name: string;
    value: number;
    note?: string | null;
}

export interface SweepData {
    title: string;
    axes: { name: string }[];
    objectives: ObjectiveData[];
    points: PointData[];
}

export interface ObjectiveData {
    name: string;
    unit: string;
    direction: 'min' | 'max';
}

export interface PointData {
    id: number;
    axes: (number | string)[];
    /** Null if the point failed. */
    objectives: number[] | null;
    front: boolean;
    failed?: string | null;
    config: string;
}

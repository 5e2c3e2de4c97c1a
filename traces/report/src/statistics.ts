// SPDX-License-Identifier: Apache-2.0
import type { Run } from './run';

/** Whole-run cycles of all pipes of one kind; one number for each state of the run. */
export interface PipeSum {
    pipe: string;
    lanes: number;
    instructions: number;
    cycles: number[];
    idle: number;
    total: number;
}

function sum(values: number[]): number {
    return values.reduce((total, value) => total + value, 0);
}

/** By kind of pipe, in drawing order. */
export function pipeSums(run: Run): PipeSum[] {
    return run.pipes.map((pipe) => {
        const lanes = run.data.lanes.filter((lane) => lane.pipe === pipe);
        const cycles = run.data.states.map((_, state) => sum(lanes.map((l) => l.cycles[state])));
        const idle = sum(lanes.map((lane) => lane.idle));
        return {
            pipe,
            lanes: lanes.length,
            instructions: sum(lanes.map((lane) => lane.instructions)),
            cycles,
            idle,
            total: sum(cycles) + idle,
        };
    });
}

/** The share of its time that a kind of pipe is in a state; NaN if there is none. */
export function share(run: Run, total: PipeSum, state: string): number {
    return total.cycles[run.data.states.indexOf(state)] / total.total;
}

/** The stall that takes most of all pipes' time, launch aside, with its share. */
export function largestStall(run: Run): { state: string; share: number } {
    const sums = pipeSums(run);
    const total = sum(sums.map((pipe) => pipe.total));
    const stalls = run.data.states
        .map((state, index) => ({
            state,
            share: sum(sums.map((pipe) => pipe.cycles[index])) / total,
        }))
        .filter(({ state }) => state !== 'busy' && state !== 'launch');
    return stalls.reduce((a, b) => (b.share > a.share ? b : a), { state: 'none', share: 0 });
}

/** Cycles of the critical path by reason, the longest first. */
export function criticalByReason(run: Run): { reason: string; cycles: number }[] {
    const path = run.critical;
    if (!path) {
        return [];
    }
    const cycles = path.reasons.map(() => 0);
    for (let i = 0; i < path.count; ++i) {
        cycles[path.reason[i]] += path.end[i] - path.start[i];
    }
    return path.reasons
        .map((reason, index) => ({ reason, cycles: cycles[index] }))
        .filter((entry) => entry.cycles > 0)
        .sort((a, b) => b.cycles - a.cycles);
}

// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { decimal, integer, percent } from '../base/format';
import { dataTable, section } from '../base/table';
import type { Run } from '../run';
import { pipeSums, share } from '../statistics';

interface Measure {
    name: string;
    text: (value: number) => string;
    of: (run: Run) => number;
}

function instructions(run: Run): number {
    return run.data.lanes.reduce((sum, lane) => sum + lane.instructions, 0);
}

function busyShare(run: Run, pipe: string): number {
    const sum = pipeSums(run).find((candidate) => candidate.pipe === pipe);
    return sum ? share(run, sum, 'busy') : NaN;
}

function measures(runs: readonly Run[]): Measure[] {
    const pipes = new Set(runs.flatMap((run) => run.pipes));
    return [
        { name: 'cycles', text: integer, of: (run) => run.data.cycles },
        { name: 'cycles after launch', text: integer, of: (r) => r.data.cycles - r.data.launch },
        { name: 'time, µs', text: decimal, of: (run) => run.data.cycles / run.data.clock_mhz },
        { name: 'instructions', text: integer, of: instructions },
        ...[...pipes].map((pipe) => ({
            name: `${pipe} busy`,
            text: percent,
            of: (run: Run) => busyShare(run, pipe),
        })),
    ];
}

/** Two runs, number by number. */
export function comparison([first, second]: readonly Run[]): HTMLElement {
    const rows = measures([first, second]).map(({ name, text, of }) => {
        const a = of(first);
        const b = of(second);
        return [name, text(a), text(b), ratioText(b / a)];
    });
    const faster = second.data.cycles < first.data.cycles ? second : first;
    const slower = faster === first ? second : first;
    const factor = decimal(slower.data.cycles / faster.data.cycles);
    const summary = `${faster.name} takes ${integer(faster.data.cycles)} cycles; `
        + `${slower.name} takes ${factor} times as many. `
        + `The ratio is ${second.name} to ${first.name}.`;
    return section(
        'comparison',
        'Comparison',
        html('p', {}, summary),
        dataTable('Both runs', ['', first.name, second.name, 'ratio'], rows),
    );
}

function ratioText(ratio: number): string {
    return Number.isFinite(ratio) ? `${ratio.toFixed(3)}×` : '–';
}

// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { choice } from '../base/table';
import type { RunData } from '../schema';

const kKey = 'runs';

/** The one or two runs to show: of many, those that the address names, or else the first two. */
export function chosenRuns(runs: RunData[]): RunData[] {
    const named = new URLSearchParams(location.search).get(kKey)?.split(',').map(Number) ?? [];
    const isPair = named.length === 2 && named.every((index) => runs[index] !== undefined);
    return isPair ? named.map((index) => runs[index]) : runs.slice(0, 2);
}

/** Lets the reader choose the two of many runs; null if there are no more than two. */
export function runPicker(runs: RunData[]): HTMLElement | null {
    if (runs.length <= 2) {
        return null;
    }
    const chosen = chosenRuns(runs).map((run) => runs.indexOf(run));
    const names = runs.map((run) => run.name);
    const chooser = (label: string, place: number) =>
        choice(label, names, chosen[place], (index) => {
            const pair = chosen.map((old, position) => (position === place ? index : old));
            location.search = new URLSearchParams({ [kKey]: pair.join(',') }).toString();
        });
    return html('div', { class: 'toolbar' }, chooser('Compare', 0), chooser('with', 1));
}

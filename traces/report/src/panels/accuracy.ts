// SPDX-License-Identifier: Apache-2.0
import { decimal } from '../base/format';
import { dataTable, section } from '../base/table';
import type { Run } from '../run';
import type { AccuracyData } from '../schema';

/** How exact the results are, run beside run; null if none of them says. */
export function accuracy(runs: readonly Run[]): HTMLElement | null {
    const entries = runs.flatMap((run) => run.data.accuracy ?? []);
    if (entries.length === 0) {
        return null;
    }
    const names = [...new Set(entries.map((entry) => entry.name))];
    const rows = names.map((name) => [
        name,
        ...runs.map((run) => valueText(run.data.accuracy?.find((entry) => entry.name === name))),
        noteText(entries.filter((entry) => entry.name === name)),
    ]);
    const columns = ['', ...runs.map((run) => run.name), 'note'];
    return section('accuracy', 'Accuracy', dataTable('Accuracy of the results', columns, rows));
}

function valueText(entry: AccuracyData | undefined): string {
    return entry ? decimal(entry.value) : '–';
}

function noteText(entries: AccuracyData[]): string {
    return [...new Set(entries.map((entry) => entry.note ?? ''))].filter(Boolean).join('; ');
}

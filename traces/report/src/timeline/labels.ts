// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { percent } from '../base/format';
import type { Row, Rows } from './rows';

/** The names left of the lanes; those of cores open and close them. */
export class Labels {
    readonly element = html('div', { class: 'labels' });

    constructor(private readonly rows: Rows) {
        rows.rows.subscribe((list) => this.show(list));
        this.show(rows.rows.value);
    }

    private show(rows: Row[]) {
        this.element.replaceChildren(...rows.map((row) => this.label(row)));
    }

    private label(row: Row): Node {
        const attributes = { class: `label ${row.kind}`, '--height': `${row.height}px` };
        switch (row.kind) {
            case 'run':
                return html('div', { ...attributes, title: row.run.data.job }, row.run.name);
            case 'core':
                return html(
                    'button',
                    {
                        ...attributes,
                        type: 'button',
                        'aria-expanded': String(!row.collapsed),
                        title: row.collapsed ? 'Show its pipes' : 'Sum its pipes up in one lane',
                        click: () => this.rows.toggle(row.core),
                    },
                    row.core.name,
                );
            case 'lane':
                return html(
                    'div',
                    { ...attributes, title: 'Share of the whole run in which the pipe is busy' },
                    html('span', {}, row.lane.data.pipe),
                    html('span', { class: 'busy' }, percent(busyShare(row))),
                );
        }
    }
}

function busyShare(row: Row & { kind: 'lane' }): number {
    return row.lane.data.cycles[row.run.data.states.indexOf('busy')] / row.run.data.cycles;
}

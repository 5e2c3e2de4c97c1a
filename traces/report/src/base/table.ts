// SPDX-License-Identifier: Apache-2.0
import { html, type Child } from './dom';

/** A table; the first column names the rows, the others are numbers set right. */
export function dataTable(caption: string, columns: string[], rows: Child[][]): HTMLElement {
    const head = columns.map((column) => html('th', { scope: 'col' }, column));
    const body = rows.map(([name, ...cells]) =>
        html(
            'tr',
            {},
            html('th', { scope: 'row' }, name),
            ...cells.map((cell) => html('td', {}, cell)),
        ),
    );
    return html(
        'div',
        { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': caption },
        html(
            'table',
            { class: 'data' },
            html('caption', {}, caption),
            html('thead', {}, html('tr', {}, ...head)),
            html('tbody', {}, ...body),
        ),
    );
}

/** The data of a plot as text, for those who cannot use the plot. */
export function alternative(summary: string, ...tables: Node[]): HTMLElement {
    return html('details', { class: 'alternative' }, html('summary', {}, summary), ...tables);
}

/** A part of the page. */
export function section(id: string, title: string, ...children: Child[]): HTMLElement {
    const heading = html('h2', { id: `${id}-title` }, title);
    return html('section', { id, 'aria-labelledby': `${id}-title` }, heading, ...children);
}

/** A choice from a list, called `label`. */
export function choice(
    label: string,
    options: string[],
    selected: number,
    choose: (index: number) => void,
): HTMLElement {
    const select = html(
        'select',
        { change: () => choose(select.selectedIndex) },
        ...options.map((text) => html('option', {}, text)),
    );
    select.selectedIndex = selected;
    return html('label', { class: 'choice' }, `${label} `, select);
}

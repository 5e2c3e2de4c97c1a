// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { decimal, integer, microseconds } from '../base/format';
import { kSeriesColors } from '../palette';
import type { Run } from '../run';
import type { ReportData } from '../schema';
import type { Theme } from '../theme';

/** The head of the page: what it is about, and the buttons that concern all of it. */
export function header(data: ReportData, theme: Theme, showHelp: () => void): HTMLElement {
    const themeButton = html('button', { type: 'button', click: () => theme.next() });
    const label = () => {
        themeButton.textContent = `Theme: ${theme.preference.value}`;
    };
    theme.preference.subscribe(label);
    label();
    return html(
        'header',
        { class: 'page-head' },
        html(
            'div',
            {},
            html('h1', {}, data.title),
            data.command && html('code', { class: 'command' }, data.command),
        ),
        html(
            'div',
            { class: 'page-buttons' },
            html('span', { class: 'version' }, `npusim ${data.npusim}`),
            themeButton,
            html('button', { type: 'button', click: showHelp }, 'Keys (?)'),
        ),
    );
}

/** What is known of each run. */
export function runCards(runs: readonly Run[]): HTMLElement {
    return html('div', { class: 'cards' }, ...runs.map(runCard));
}

function runCard(run: Run, index: number): HTMLElement {
    const { data } = run;
    const facts: [string, string][] = [
        ['hardware', `${data.hardware}, ${decimal(data.clock_mhz)} MHz`],
        ['launch', `${integer(data.launch)} cycles`],
        ['after launch', `${integer(data.cycles - data.launch)} cycles`],
        ...(data.facts ?? []),
    ];
    return html(
        'article',
        { class: 'card', '--mark': `var(${kSeriesColors[index]})` },
        html('h3', {}, run.name),
        html('p', { class: 'job' }, data.job),
        html(
            'p',
            { class: 'headline' },
            html('strong', {}, integer(data.cycles)),
            ` cycles, ${microseconds(data.cycles, data.clock_mhz)}`,
        ),
        html('dl', { class: 'facts' }, ...facts.map(([name, value]) =>
            html('div', {}, html('dt', {}, name), html('dd', {}, value)))),
        data.note && html('p', { class: 'note' }, data.note),
    );
}

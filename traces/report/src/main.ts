// SPDX-License-Identifier: Apache-2.0
import { decodeU8, gunzip } from './base/columns';
import { byId, html } from './base/dom';
import { Keyboard } from './keyboard';
import { hatchDefinitions } from './palette';
import { accuracy } from './panels/accuracy';
import { causes } from './panels/causes';
import { charts } from './panels/charts';
import { comparison } from './panels/comparison';
import { header, runCards } from './panels/header';
import { roofline } from './panels/roofline';
import { chosenRuns, runPicker } from './panels/run_picker';
import { TimelinePanel } from './panels/timeline_panel';
import { Run } from './run';
import type { ReportData, RunData } from './schema';
import { sweepSections } from './sweep/sweep';
import { Theme } from './theme';
import { View } from './timeline/view';

const kSchema = 1;

declare global {
    interface Window {
        /** For tests: whether all of the page is there, and when its first part was. */
        npusimReport: { ready: boolean; firstPaintMs: number };
    }
}

/** The data: JSON, or base64 of it compressed, a third of the size and as much quicker to load. */
async function readData(): Promise<ReportData> {
    const text = (byId('npusim-data').textContent ?? '').trim();
    const json = text.startsWith('{') ? text : await gunzip(decodeU8(text));
    const data = JSON.parse(json) as ReportData;
    if (data.schema !== kSchema) {
        throw new Error(`this page shows data of schema ${kSchema}, not ${data.schema}`);
    }
    return data;
}

/** Resolves once what is in the page by now has been painted. */
function painted(): Promise<void> {
    return new Promise((resolve) => {
        requestAnimationFrame(() => setTimeout(resolve));
    });
}

function append(...sections: (HTMLElement | null)[]) {
    byId('content').append(...sections.filter((element) => element !== null));
}

/** The sections of one run, or of two to compare; the timeline is painted before the rest. */
async function showRuns(all: RunData[], theme: Theme, keyboard: Keyboard) {
    const runs = chosenRuns(all).map((data) => new Run(data));
    const view = new View(runs);
    const panel = new TimelinePanel(view, theme);
    panel.addShortcuts(keyboard);
    const compared = runs.length > 1 ? comparison(runs) : null;
    append(runPicker(all), runCards(runs), compared, panel.element);
    panel.timeline.draw();
    await painted();
    markFirstPaint();
    append(...charts(view, theme), causes(runs), roofline(runs), accuracy(runs));
}

function markFirstPaint() {
    window.npusimReport.firstPaintMs = performance.now();
    performance.mark('npusim-first-paint');
}

/** Links to the sections there are. */
function contents(): HTMLElement {
    const links = [...document.querySelectorAll('#content section')].map((element) =>
        html('a', { href: `#${element.id}` }, element.querySelector('h2')?.textContent ?? ''),
    );
    return html('nav', { class: 'contents', 'aria-label': 'Sections' }, ...links);
}

async function main() {
    window.npusimReport = { ready: false, firstPaintMs: 0 };
    const theme = new Theme();
    const keyboard = new Keyboard();
    const data = await readData();
    document.title = data.title;
    document.body.prepend(hatchDefinitions());
    const head = header(data, theme, () => keyboard.showHelp());
    byId('content').before(head);
    if (data.runs && data.runs.length > 0) {
        await showRuns(data.runs, theme, keyboard);
    }
    if (data.sweep) {
        append(...sweepSections(data.sweep));
    }
    head.after(contents());
}

main()
    .catch((error: unknown) => {
        const text = `Nothing to show: ${error instanceof Error ? error.message : String(error)}`;
        byId('content').append(html('p', { class: 'note', role: 'alert' }, text));
    })
    .finally(() => {
        window.npusimReport.ready = true;
        performance.mark('npusim-ready');
    });

// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { integer, microseconds, percent, plural } from '../base/format';
import { Signal } from '../base/signal';
import { alternative, dataTable, section } from '../base/table';
import type { Keyboard } from '../keyboard';
import { kStyles, styleOfPipe, styleOfState, swatch } from '../palette';
import type { Run } from '../run';
import { largestStall } from '../statistics';
import type { Theme } from '../theme';
import { Details } from '../timeline/details';
import { Search } from '../timeline/search';
import { Timeline } from '../timeline/timeline';
import type { View } from '../timeline/view';

const kZoomStep = 1.5;
const kPanStep = 0.15;
/** Beyond this many slices a page is slow to load. */
const kManySlices = 1_000_000;

/** The timeline with its search, switches, legend and details. */
export class TimelinePanel {
    readonly element: HTMLElement;
    readonly timeline: Timeline;
    private readonly search: Search;
    private readonly searchBox = html('input', {
        type: 'search',
        placeholder: 'Find slices ( / )',
        'aria-label': 'Find slices by a part of their text',
        input: () => this.search.find(this.searchBox.value),
        keydown: (event: KeyboardEvent) => this.onSearchKey(event),
    });

    constructor(private readonly view: View, theme: Theme) {
        this.search = new Search(view);
        const summary = view.runs.map(runSummary).join(' ');
        this.timeline = new Timeline(view, this.search, theme, summary);
        const details = new Details((slice) => this.timeline.goTo(slice));
        this.timeline.selected.subscribe((slice) => details.show(slice));
        this.element = section(
            'timeline',
            'Timeline',
            sizeNote(view.runs),
            this.toolbar(),
            legend(view.runs),
            this.timeline.element,
            this.statusLine(),
            details.element,
            alternative(summary, ...view.runs.map(laneTable)),
        );
    }

    addShortcuts(keyboard: Keyboard) {
        const { view, timeline } = this;
        keyboard.add([
            { keys: ['w', '+', '='], meaning: 'zoom in', run: () => view.zoom(1 / kZoomStep) },
            { keys: ['s', '-'], meaning: 'zoom out', run: () => view.zoom(kZoomStep) },
            { keys: ['a', 'arrowleft'], meaning: 'move left', run: () => view.pan(-kPanStep) },
            { keys: ['d', 'arrowright'], meaning: 'move right', run: () => view.pan(kPanStep) },
            { keys: ['0'], meaning: 'show all', run: () => view.all() },
            { keys: ['/'], meaning: 'find slices', run: () => this.searchBox.focus() },
            { keys: ['n'], meaning: 'next slice found', run: () => timeline.stepHit(1) },
            { keys: ['N'], meaning: 'slice found before', run: () => timeline.stepHit(-1) },
            { keys: ['.'], meaning: 'next slice of lane', run: () => timeline.stepSelection(1) },
            { keys: [','], meaning: 'slice before it', run: () => timeline.stepSelection(-1) },
            { keys: ['f'], meaning: 'flow arrows', run: () => flip(timeline.showFlows) },
            { keys: ['c'], meaning: 'critical path', run: () => flip(timeline.showCritical) },
            { keys: ['escape'], meaning: 'select nothing', run: () => timeline.selected.set(null) },
        ]);
    }

    private onSearchKey(event: KeyboardEvent) {
        if (event.key === 'Enter') {
            this.timeline.stepHit(event.shiftKey ? -1 : 1);
        } else if (event.key === 'Escape') {
            this.searchBox.value = '';
            this.search.find('');
            this.searchBox.blur();
        }
    }

    private toolbar(): HTMLElement {
        const { view, timeline } = this;
        const some = (holds: (run: Run) => boolean) => view.runs.some(holds);
        return html(
            'div',
            { class: 'toolbar', role: 'toolbar', 'aria-label': 'Timeline' },
            html('span', { class: 'group' },
                this.searchBox,
                this.hitCount(),
                button('‹', 'Slice found before (N)', () => timeline.stepHit(-1)),
                button('›', 'Next slice found (n)', () => timeline.stepHit(1))),
            html('span', { class: 'group' },
                button('−', 'Zoom out (s)', () => view.zoom(kZoomStep)),
                button('+', 'Zoom in (w)', () => view.zoom(1 / kZoomStep)),
                button('All', 'Show all (0)', () => view.all())),
            html('span', { class: 'group' },
                button('Open cores', 'Show the pipes of all cores',
                    () => timeline.rows.setAllCollapsed(false)),
                button('Close cores', 'One lane for each core',
                    () => timeline.rows.setAllCollapsed(true))),
            html('span', { class: 'group' },
                some(({ flows }) => flows.count > 0) && toggle('Flow arrows', timeline.showFlows),
                some((run) => !!run.critical) && toggle('Critical path', timeline.showCritical),
                some(({ data }) => data.launch > 0) && toggle('Align after launch', view.aligned)),
        );
    }

    private hitCount(): HTMLElement {
        const output = html('output', { class: 'hits', 'aria-live': 'polite' });
        this.search.hits.subscribe((hits) => {
            output.textContent = this.searchBox.value.trim() && plural(hits.length, 'hit');
        });
        return output;
    }

    private statusLine(): HTMLElement {
        const range = html('output', { id: 'range' });
        const show = () => {
            const { start, end } = this.view.range.value;
            range.dataset.start = String(start);
            range.dataset.end = String(end);
            const origin = this.view.aligned.value ? ' after launch' : '';
            range.textContent = `Shown: ${integer(start)} to ${integer(end)}${origin}, `
                + `${plural(Math.round(end - start), 'cycle')}`;
        };
        const remark = html('output', { class: 'remark' });
        this.view.range.subscribe(show);
        this.timeline.remark.subscribe((text) => {
            remark.textContent = text;
        });
        show();
        return html('div', { class: 'status' }, range, remark,
            html('span', { class: 'hint' }, 'Wheel: zoom. Drag: move. Click: details.'));
    }
}

function flip(signal: Signal<boolean>) {
    signal.set(!signal.value);
}

function button(text: string, title: string, click: () => void): HTMLElement {
    return html('button', { type: 'button', title, 'aria-label': title, click }, text);
}

function toggle(text: string, signal: Signal<boolean>): HTMLElement {
    const box = html('input', { type: 'checkbox', change: () => signal.set(box.checked) });
    const show = (value: boolean) => {
        box.checked = value;
    };
    signal.subscribe(show);
    show(signal.value);
    return html('label', { class: 'toggle' }, box, ` ${text}`);
}

/** The styles that the runs' pipes and states can have. */
function legend(runs: readonly Run[]): HTMLElement {
    const used = new Set(runs.flatMap((run) => [
        ...run.pipes.map(styleOfPipe),
        ...run.data.states
            .filter((_, state) => run.data.lanes.some((lane) => lane.cycles[state] > 0))
            .map((state) => styleOfState(state, run.pipes[0])),
    ]));
    const entries = kStyles.flatMap((style, index) =>
        used.has(index) ? [html('li', {}, swatch(style), ` ${style.label}`)] : []);
    return html('ul', { class: 'legend', 'aria-label': 'Legend' }, ...entries);
}

function sizeNote(runs: readonly Run[]): HTMLElement | null {
    const slices = runs.reduce((sum, run) => sum + run.sliceCount, 0);
    return slices > kManySlices
        ? html('p', { class: 'note' }, `These are ${integer(slices)} slices. For so many, `
            + 'Perfetto (ui.perfetto.dev) with the trace of the run is the better viewer.')
        : null;
}

function runSummary(run: Run): string {
    const { cycles, clock_mhz: clock, launch, lanes } = run.data;
    const busy = run.data.states.indexOf('busy');
    const busiest = lanes.reduce((a, b) => (b.cycles[busy] > a.cycles[busy] ? b : a));
    const stall = largestStall(run);
    return `${run.name} takes ${integer(cycles)} cycles (${microseconds(cycles, clock)}), of which `
        + `launch ${integer(launch)}, on ${plural(lanes.length, 'pipe')} of `
        + `${plural(run.cores.length, 'core')}. The busiest pipe is ${busiest.core} `
        + `${busiest.pipe}, for ${percent(busiest.cycles[busy] / cycles)} of the run; after `
        + `launch, the largest stall is ${stall.state} with ${percent(stall.share)} of the pipes' `
        + 'time.';
}

function laneTable(run: Run): HTMLElement {
    const rows = run.data.lanes.map((lane) => [
        `${lane.core} ${lane.pipe}`,
        integer(lane.instructions),
        ...lane.cycles.map(integer),
        integer(lane.idle),
    ]);
    const columns = ['pipe', 'instructions', ...run.data.states, 'idle'];
    return dataTable(`${run.name}: cycles of each pipe by state`, columns, rows);
}

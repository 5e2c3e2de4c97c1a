// SPDX-License-Identifier: Apache-2.0
import { html, oncePerFrame } from '../base/dom';
import { plural } from '../base/format';
import { Signal } from '../base/signal';
import { sameSlice, type Run, type SliceRef } from '../run';
import type { Theme } from '../theme';
import { describeSlice, describeStretch } from './describe';
import { frameOf, prepareCanvas, type Frame } from './frame';
import { listenToGestures } from './gestures';
import { readInks, type Inks } from './inks';
import { Labels } from './labels';
import { OverlayPainter } from './overlays';
import { SlicePainter } from './painter';
import { Rows, type Row } from './rows';
import { Ruler, timeTicks } from './ruler';
import type { Search } from './search';
import { Tooltip } from './tooltip';
import type { View } from './view';

/** A hit that is jumped to is shown at least this many pixels wide, where it is narrower. */
const kHitPixels = 24;

/** The lanes of all runs shown, on one time axis. */
export class Timeline {
    readonly element: HTMLElement;
    readonly rows: Rows;
    readonly selected = new Signal<SliceRef | null>(null);
    readonly showFlows = new Signal(false);
    readonly showCritical = new Signal(false);
    /** A remark on what is not drawn, or empty. */
    readonly remark = new Signal('');

    private readonly canvas = html('canvas', { role: 'img' });
    private readonly tooltip = new Tooltip();
    private readonly scroller: HTMLElement;
    private readonly ruler: Ruler;
    private inks: Inks = readInks();
    private drawn = { width: 0, height: 0 };
    private readonly redraw = oncePerFrame(() => this.draw());

    constructor(
        private readonly view: View,
        private readonly search: Search,
        theme: Theme,
        summary: string,
    ) {
        this.rows = new Rows(view.runs);
        this.ruler = new Ruler(view);
        this.canvas.setAttribute('aria-label', summary);
        const labels = new Labels(this.rows);
        this.scroller = html(
            'div',
            { class: 'scroller', tabindex: 0, role: 'group', 'aria-label': 'Timeline' },
            labels.element,
            this.canvas,
        );
        this.element = html(
            'div',
            { class: 'timeline' },
            html('div', { class: 'ruler' }, this.rulerLabels(), this.ruler.canvas),
            this.scroller,
            this.tooltip.element,
        );
        this.redrawOnChange(theme);
        this.scroller.addEventListener('scroll', this.redraw);
        listenToGestures(this.canvas, this.scroller, view, {
            click: (event) => this.onClick(event),
            hover: (event) => this.onHover(event),
            leave: () => this.onLeave(),
        });
    }

    /** Where the lanes begin, in pixels from the left edge. */
    get gutter(): number {
        return this.canvas.offsetLeft;
    }

    draw() {
        const { clientWidth, clientHeight: height } = this.scroller;
        const width = clientWidth - this.gutter;
        if (width <= 0) {
            return;
        }
        this.drawn = { width: clientWidth, height };
        this.ruler.draw(width, this.inks);
        const context = prepareCanvas(this.canvas, width, height);
        const frame = frameOf(this.view, width, height, this.scroller.scrollTop);
        const rows = this.rows.rows.value.filter(
            (row) => row.y + row.height > frame.scrollTop && row.y < frame.scrollTop + height,
        );
        this.drawGrid(context, frame, rows);
        new SlicePainter(context, frame, this.inks).paint(rows);
        this.drawOverlays(context, frame);
    }

    /** Selects a slice, opens its core and moves to where it is seen. */
    goTo(slice: SliceRef) {
        const { run, lane, index } = slice;
        this.rows.reveal(lane);
        this.selected.set(slice);
        const start = lane.slices.start[index] - this.view.origin(run);
        const end = lane.slices.end[index] - this.view.origin(run);
        const range = this.view.range.value;
        const width = Math.max(1, this.canvas.clientWidth);
        const span = Math.min(this.view.span, ((end - start) * width) / kHitPixels);
        if (span < this.view.span || start < range.start || end > range.end) {
            const middle = (start + end) / 2;
            this.view.show(middle - span / 2, middle + span / 2);
        }
        this.scrollTo(this.rows.rowOf(lane));
        this.redraw();
    }

    /** Selects the slice `step` further on the selected one's lane. */
    stepSelection(step: number) {
        const slice = this.selected.value;
        const index = (slice?.index ?? -1) + step;
        if (slice && index >= 0 && index < slice.lane.count) {
            this.goTo({ ...slice, index });
        }
    }

    /** Goes to the hit `step` after the selected slice, in order of time and all round. */
    stepHit(step: number) {
        const hits = this.search.hits.value;
        if (hits.length > 0) {
            const selected = this.selected.value;
            const current = hits.findIndex((hit) => sameSlice(hit, selected));
            const next = current < 0 ? (step > 0 ? 0 : hits.length - 1) : current + step;
            this.goTo(hits[(next + hits.length) % hits.length]);
        }
    }

    private redrawOnChange(theme: Theme) {
        this.view.range.subscribe(this.redraw);
        this.view.aligned.subscribe(this.redraw);
        this.view.pointer.subscribe(this.redraw);
        this.search.hits.subscribe(this.redraw);
        this.selected.subscribe(this.redraw);
        this.showFlows.subscribe(this.redraw);
        this.showCritical.subscribe(this.redraw);
        this.rows.rows.subscribe(this.redraw);
        new ResizeObserver(() => this.redrawIfResized()).observe(this.scroller);
        theme.changed.subscribe(() => {
            this.inks = readInks();
            this.draw();
        });
    }

    private redrawIfResized() {
        const { clientWidth, clientHeight } = this.scroller;
        if (clientWidth !== this.drawn.width || clientHeight !== this.drawn.height) {
            this.redraw();
        }
    }

    private rulerLabels(): Node {
        const labels = this.ruler.units.map(({ label }) => html('span', {}, label));
        return html('div', { class: 'ruler-labels' }, ...labels);
    }

    private scrollTo(row: Row) {
        const { scrollTop, clientHeight } = this.scroller;
        if (row.y < scrollTop || row.y + row.height > scrollTop + clientHeight) {
            this.scroller.scrollTop = row.y - clientHeight / 2;
        }
    }

    private drawGrid(context: CanvasRenderingContext2D, frame: Frame, rows: Row[]) {
        context.fillStyle = this.inks.line;
        for (const { x } of timeTicks(this.view.range.value, frame.width)) {
            context.fillRect(Math.round(x), 0, 1, frame.height);
        }
        for (const row of rows) {
            const y = row.y - frame.scrollTop;
            context.fillStyle = row.kind === 'lane' ? this.inks.line : this.inks.band;
            const [top, height] = row.kind === 'lane' ? [y + row.height - 1, 1] : [y, row.height];
            context.fillRect(0, top, frame.width, height);
        }
    }

    private drawOverlays(context: CanvasRenderingContext2D, frame: Frame) {
        const overlays = new OverlayPainter(context, frame, this.inks, this.rows);
        if (this.showCritical.value) {
            this.view.runs.forEach((run) => overlays.criticalPath(run));
        }
        this.remark.set(this.showFlows.value ? this.drawFlows(overlays) : '');
        if (this.selected.value) {
            overlays.selection(this.selected.value);
        }
        const pointer = this.view.pointer.value;
        if (pointer !== null) {
            overlays.pointer((pointer - this.view.range.value.start) / frame.cyclesPerPixel);
        }
    }

    private drawFlows(overlays: OverlayPainter): string {
        const counts = this.view.runs.map((run) => overlays.flows(run));
        const drawn = counts.reduce((sum, count) => sum + count.drawn, 0);
        const inSight = counts.reduce((sum, count) => sum + count.inSight, 0);
        return drawn < inSight
            ? `${drawn} of ${plural(inSight, 'arrow')} drawn; zoom in for the rest.`
            : '';
    }

    private onClick(event: PointerEvent) {
        const row = this.rowUnder(event);
        if (row?.kind === 'core') {
            this.rows.toggle(row.core);
        }
        this.selected.set(row ? this.sliceUnder(row, event.offsetX) : null);
    }

    private onHover(event: PointerEvent) {
        const range = this.view.range.value;
        const share = event.offsetX / this.canvas.clientWidth;
        this.view.pointer.set(range.start + share * this.view.span);
        const row = this.rowUnder(event);
        this.tooltip.show(event, row ? this.tooltipContent(row, event.offsetX) : []);
    }

    private onLeave() {
        this.tooltip.hide();
        this.view.pointer.set(null);
    }

    private tooltipContent(row: Row, x: number): Node[] {
        const slice = this.sliceUnder(row, x);
        if (slice && !this.isNarrow(slice)) {
            return describeSlice(slice);
        }
        const from = this.cycleAt(row.run, Math.floor(x));
        const to = this.cycleAt(row.run, Math.floor(x) + 1);
        return describeStretch(row.run, lanesOf(row), from, to);
    }

    private rowUnder(event: PointerEvent): Row | undefined {
        return this.rows.rowAt(event.offsetY + this.scroller.scrollTop);
    }

    private sliceUnder(row: Row, x: number): SliceRef | null {
        if (row.kind !== 'lane') {
            return null;
        }
        const index = row.lane.sliceAt(this.cycleAt(row.run, x));
        return index < 0 ? null : { run: row.run, lane: row.lane, index };
    }

    private isNarrow({ lane, index }: SliceRef): boolean {
        const cycles = lane.slices.end[index] - lane.slices.start[index];
        return cycles < this.view.span / this.canvas.clientWidth;
    }

    private cycleAt(run: Run, x: number): number {
        const { start } = this.view.range.value;
        const share = x / this.canvas.clientWidth;
        return start + share * this.view.span + this.view.origin(run);
    }
}

function lanesOf(row: Row) {
    switch (row.kind) {
        case 'run':
            return [];
        case 'core':
            return row.collapsed ? row.core.lanes : [];
        case 'lane':
            return [row.lane];
    }
}

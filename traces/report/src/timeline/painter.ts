// SPDX-License-Identifier: Apache-2.0
import { emptyMix, type Lane, type Mix } from '../lane';
import { kStyles } from '../palette';
import { ColumnImage, kDimmed } from './column_image';
import type { Frame } from './frame';
import type { Inks } from './inks';
import type { CoreRow, LaneRow, Row } from './rows';

const kNarrow = 1;
const kHatchedFrom = 3;
const kCharacter = 6.2;
const kLeastRoom = 5;
const kMargin = 2;

interface Label {
    x: number;
    y: number;
    text: string;
    style: number;
}

/** Rectangles of one look, painted in one go. */
class Batch {
    private readonly solid: number[] = [];
    private readonly hatched: number[] = [];

    add(x: number, y: number, width: number, height: number, hatched: boolean) {
        this.solid.push(x, y, width, height);
        if (hatched) {
            this.hatched.push(x, y, width, height);
        }
    }

    paint(context: CanvasRenderingContext2D, fill: string, hatch: CanvasPattern | null) {
        paintRects(context, this.solid, fill);
        if (hatch) {
            paintRects(context, this.hatched, hatch);
        }
    }
}

function paintRects(
    context: CanvasRenderingContext2D,
    rects: number[],
    fill: string | CanvasPattern,
) {
    context.fillStyle = fill;
    for (let i = 0; i < rects.length; i += 4) {
        context.fillRect(rects[i], rects[i + 1], rects[i + 2], rects[i + 3]);
    }
}

function batches(): Batch[] {
    return kStyles.map(() => new Batch());
}

/**
 * Paints the slices of the rows in sight. Those narrower than a pixel are summed up: their pixel is
 * filled to the height of their share of its time. So the cost of a lane is bounded by its pixels,
 * however many slices it has.
 */
export class SlicePainter {
    private readonly full = batches();
    private readonly dimmed = batches();
    private readonly ticks: number[] = [];
    private readonly labels: Label[] = [];
    private readonly mix: Mix = emptyMix();
    private readonly columns: ColumnImage;

    constructor(
        private readonly context: CanvasRenderingContext2D,
        private readonly frame: Frame,
        private readonly inks: Inks,
    ) {
        this.columns = new ColumnImage(frame.width, frame.height, inks);
    }

    paint(rows: Row[]) {
        for (const row of rows) {
            if (row.kind === 'lane') {
                this.addLane(row);
            } else if (row.kind === 'core' && row.collapsed) {
                this.addCollapsedCore(row);
            }
        }
        this.columns.paint(this.context);
        this.context.globalAlpha = kDimmed;
        this.paintBatches(this.dimmed);
        this.context.globalAlpha = 1;
        this.paintBatches(this.full);
        paintRects(this.context, this.ticks, this.inks.accent);
        this.paintLabels();
    }

    private addLane(row: LaneRow) {
        const { frame } = this;
        const { run, lane } = row;
        const { start, end } = lane.slices;
        const last = frame.cycle(run, frame.width);
        let column = 0;
        let index = lane.firstEndingAfter(frame.cycle(run, 0));
        while (index < lane.count && start[index] < last) {
            const left = frame.x(run, start[index]);
            const right = frame.x(run, end[index]);
            if (right - left >= kNarrow) {
                this.addSlice(row, index, left, right);
                ++index;
            } else {
                column = Math.max(column, Math.floor(left));
                this.addColumn(row, column);
                ++column;
                index = lane.firstEndingAfter(frame.cycle(run, column));
            }
        }
    }

    private addSlice(row: LaneRow, index: number, left: number, right: number) {
        const x = Math.max(-1, Math.round(left));
        const width = Math.min(this.frame.width + 1, Math.round(right)) - x;
        const gap = width > kHatchedFrom ? 1 : 0;
        const y = row.y - this.frame.scrollTop + kMargin;
        const height = row.height - 2 * kMargin;
        const { lane } = row;
        const style = lane.slices.style[index];
        const dim = lane.searched && !lane.isHit(index);
        const batch = (dim ? this.dimmed : this.full)[style];
        batch.add(x, y, Math.max(1, width - gap), height, width > kHatchedFrom);
        const text = fit(row.run.data.names[lane.slices.name[index]], width - 8);
        if (!dim && text !== '') {
            this.labels.push({ x: Math.max(x, 0) + 4, y: y + height / 2, style, text });
        }
    }

    private addColumn(row: LaneRow, column: number) {
        const from = this.frame.cycle(row.run, column);
        const to = from + this.frame.cyclesPerPixel;
        this.mix.fill(0);
        row.lane.addMix(from, to, this.mix);
        const hit = row.lane.searched && row.lane.hasHitWithin(from, to);
        this.addStack(row, column, 1 / this.frame.cyclesPerPixel, row.lane.searched && !hit);
        if (hit) {
            this.ticks.push(column, row.y - this.frame.scrollTop, 1, kMargin + 1);
        }
    }

    private addCollapsedCore(row: CoreRow) {
        const { lanes } = row.core;
        const perCycle = 1 / (this.frame.cyclesPerPixel * lanes.length);
        for (let column = 0; column < this.frame.width; ++column) {
            const from = this.frame.cycle(row.run, column);
            const to = from + this.frame.cyclesPerPixel;
            this.mix.fill(0);
            lanes.forEach((lane) => lane.addMix(from, to, this.mix));
            this.addStack(row, column, perCycle, isSearched(lanes) && !hasHit(lanes, from, to));
        }
    }

    private addStack(row: Row, column: number, perCycle: number, dim: boolean) {
        const top = row.y - this.frame.scrollTop + kMargin;
        this.columns.stack(column, top, row.height - 2 * kMargin, this.mix, perCycle, dim);
    }

    private paintBatches(list: Batch[]) {
        list.forEach((batch, style) => {
            const { fill, hatch } = this.inks.styles[style];
            batch.paint(this.context, fill, hatch);
        });
    }

    private paintLabels() {
        this.context.font = '11px system-ui, sans-serif';
        this.context.textBaseline = 'middle';
        for (const { x, y, text, style } of this.labels) {
            const { fill, text: ink } = this.inks.styles[style];
            if (kStyles[style].stall) {
                this.context.fillStyle = fill;
                this.context.fillRect(x - 2, y - 6, text.length * kCharacter + 2, 12);
            }
            this.context.fillStyle = ink;
            this.context.fillText(text, x, y + 0.5);
        }
    }
}

function isSearched(lanes: Lane[]): boolean {
    return lanes.some((lane) => lane.searched);
}

function hasHit(lanes: Lane[], from: number, to: number): boolean {
    return lanes.some((lane) => lane.hasHitWithin(from, to));
}

/** As much of a text as tells something in so many pixels; else nothing. */
function fit(text: string, width: number): string {
    const room = Math.floor(width / kCharacter);
    if (text.length <= room) {
        return text;
    }
    return room < kLeastRoom ? '' : `${text.slice(0, room - 1)}…`;
}

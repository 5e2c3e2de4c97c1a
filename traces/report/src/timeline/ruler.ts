// SPDX-License-Identifier: Apache-2.0
import { decimal, integer } from '../base/format';
import { multiples, niceStep } from '../base/scale';
import { prepareCanvas } from './frame';
import type { Inks } from './inks';
import type { Range, View } from './view';

const kRowHeight = 18;
const kTickDistance = 110;

/** The time axis above the lanes: in cycles, and in µs for each clock there is. */
export class Ruler {
    readonly canvas = document.createElement('canvas');
    readonly units: { label: string; perCycle: number }[];

    constructor(private readonly view: View) {
        const clocks = [...new Set(view.runs.map((run) => run.data.clock_mhz))];
        this.units = [
            { label: 'cycles', perCycle: 1 },
            ...clocks.map((clock) => ({
                label: clocks.length > 1 ? `µs at ${decimal(clock)} MHz` : 'µs',
                perCycle: 1 / clock,
            })),
        ];
        this.canvas.setAttribute('aria-hidden', 'true');
    }

    get height(): number {
        return this.units.length * kRowHeight;
    }

    draw(width: number, inks: Inks) {
        const context = prepareCanvas(this.canvas, width, this.height);
        context.font = '11px system-ui, sans-serif';
        context.textBaseline = 'middle';
        this.units.forEach(({ perCycle }, row) => {
            const range = {
                start: this.view.range.value.start * perCycle,
                end: this.view.range.value.end * perCycle,
            };
            drawUnit(context, range, row * kRowHeight, width, inks, row === 0);
        });
    }
}

/** The times that get a tick, and where they are. */
export function timeTicks({ start, end }: Range, width: number): { x: number; value: number }[] {
    const step = niceStep(end - start, width / kTickDistance);
    return multiples(start, end, step).map((value) => ({
        value,
        x: ((value - start) / (end - start)) * width,
    }));
}

function drawUnit(
    context: CanvasRenderingContext2D,
    range: Range,
    y: number,
    width: number,
    inks: Inks,
    strong: boolean,
) {
    for (const { x, value } of timeTicks(range, width)) {
        context.fillStyle = inks.line;
        context.fillRect(Math.round(x), y, 1, kRowHeight);
        context.fillStyle = strong ? inks.ink : inks.muted;
        const text = strong ? integer(value) : decimal(Number(value.toPrecision(10)));
        context.fillText(text, x + 4, y + kRowHeight / 2);
    }
}

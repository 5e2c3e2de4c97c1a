// SPDX-License-Identifier: Apache-2.0
import type { Run } from '../run';
import type { View } from './view';

/** What one drawing of the timeline covers, in pixels and in time. */
export interface Frame {
    width: number;
    height: number;
    /** Rows above the canvas, in pixels. */
    scrollTop: number;
    cyclesPerPixel: number;
    /** The pixel of a run's own cycle. */
    x(run: Run, cycle: number): number;
    /** The run's own cycle at a pixel. */
    cycle(run: Run, x: number): number;
}

export function frameOf(view: View, width: number, height: number, scrollTop: number): Frame {
    const { start } = view.range.value;
    const cyclesPerPixel = view.span / width;
    return {
        width,
        height,
        scrollTop,
        cyclesPerPixel,
        x: (run, cycle) => (cycle - view.origin(run) - start) / cyclesPerPixel,
        cycle: (run, x) => x * cyclesPerPixel + start + view.origin(run),
    };
}

/** Sizes a canvas for the screen's pixels; returns a cleared context in CSS pixels. */
export function prepareCanvas(canvas: HTMLCanvasElement, width: number, height: number) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    context.scale(ratio, ratio);
    return context;
}

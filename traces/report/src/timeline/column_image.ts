// SPDX-License-Identifier: Apache-2.0
import type { Mix } from '../lane';
import type { Inks } from './inks';

/** The opacity of what a search did not find. */
export const kDimmed = 0.22;
const kDimmedAlpha = Math.round(kDimmed * 255) << 24;

/**
 * The columns, one pixel wide, in which slices are summed up. As pixels they cost far less than as
 * rectangles of a canvas.
 */
export class ColumnImage {
    private readonly image: ImageData;
    private readonly pixels: Uint32Array;

    constructor(
        width: number,
        height: number,
        private readonly inks: Inks,
    ) {
        this.image = new ImageData(width, height);
        this.pixels = new Uint32Array(this.image.data.buffer);
    }

    /** Puts the cycles of a mix on top of each other: work below, stalls above. */
    stack(x: number, top: number, height: number, mix: Mix, perCycle: number, dim: boolean) {
        if (x >= this.image.width) {
            return;
        }
        let sum = 0;
        let bottom = Math.round(top + height);
        for (let style = 0; style < mix.length; ++style) {
            if (mix[style] > 0) {
                sum += mix[style] * perCycle;
                const next = Math.round(top + height * (1 - Math.min(1, sum)));
                this.fill(x, next, bottom, this.inks.styles[style].pixel, dim);
                bottom = next;
            }
        }
    }

    paint(context: CanvasRenderingContext2D) {
        const { width, height } = this.image;
        const canvas = new OffscreenCanvas(width, height);
        canvas.getContext('2d')?.putImageData(this.image, 0, 0);
        context.imageSmoothingEnabled = false;
        context.drawImage(canvas, 0, 0);
    }

    private fill(x: number, top: number, bottom: number, color: number, dim: boolean) {
        const { width, height } = this.image;
        const pixel = dim ? (color & 0xffffff) | kDimmedAlpha : color;
        for (let y = Math.max(0, top); y < Math.min(bottom, height); ++y) {
            this.pixels[y * width + x] = pixel;
        }
    }
}

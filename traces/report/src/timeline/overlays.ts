// SPDX-License-Identifier: Apache-2.0
import { lowerBound } from '../base/columns';
import type { Run, SliceRef } from '../run';
import { flowsOf } from './flows';
import type { Frame } from './frame';
import type { Inks } from './inks';
import type { Rows } from './rows';

/** More arrows than this are a smear; a part of them is drawn. */
const kMostFlows = 1500;
/** Of arrows from core to core. */
const kDash = [6, 3];
const kCrossCore = 1;

/** Paints what lies on top of the slices. */
export class OverlayPainter {
    constructor(
        private readonly context: CanvasRenderingContext2D,
        private readonly frame: Frame,
        private readonly inks: Inks,
        private readonly rows: Rows,
    ) {}

    /** All arrows of a run that are in sight; returns how many of them were drawn. */
    flows(run: Run): { drawn: number; inSight: number } {
        const { flows } = run;
        const first = this.frame.cycle(run, 0);
        const last = this.frame.cycle(run, this.frame.width);
        const inSight: number[] = [];
        for (let i = 0; i < flows.count; ++i) {
            if (flows.to[i] >= first && flows.from[i] <= last && this.isNearRows(run, i)) {
                inSight.push(i);
            }
        }
        const stride = Math.ceil(inSight.length / kMostFlows);
        const drawn = inSight.filter((_, position) => position % stride === 0);
        this.context.globalAlpha = 0.75;
        drawn.forEach((flow) => this.arrow(run, flow, 1));
        this.context.globalAlpha = 1;
        return { drawn: drawn.length, inSight: inSight.length };
    }

    criticalPath(run: Run) {
        const path = run.critical;
        if (!path) {
            return;
        }
        const last = this.frame.cycle(run, this.frame.width);
        const { context } = this;
        context.beginPath();
        let drawnTo = -Infinity;
        let i = lowerBound(path.end, this.frame.cycle(run, 0));
        for (; i < path.count && path.start[i] <= last; ++i) {
            const left = Math.max(-2, this.frame.x(run, path.start[i]));
            const right = Math.min(this.frame.width + 2, this.frame.x(run, path.end[i]));
            if (right >= drawnTo + 1) {
                const y = this.center(run, path.lane[i]);
                context.lineTo(left, y);
                context.lineTo(right, y);
                drawnTo = right;
            }
        }
        this.stroke(this.inks.surface, 5);
        this.stroke(this.inks.critical, 2.5);
    }

    /** The outline of a slice and its arrows. */
    selection({ run, lane, index }: SliceRef) {
        const row = this.rows.rowOf(lane);
        const left = Math.max(-4, this.frame.x(run, lane.slices.start[index]));
        const right = Math.min(this.frame.width + 4, this.frame.x(run, lane.slices.end[index]));
        this.context.strokeStyle = this.inks.ink;
        this.context.lineWidth = 2;
        const y = row.y - this.frame.scrollTop + 1;
        this.context.strokeRect(left, y, Math.max(2, right - left), row.height - 2);
        const { incoming, outgoing } = flowsOf({ run, lane, index });
        [...incoming, ...outgoing].forEach((flow) => this.arrow(run, flow, 2));
    }

    pointer(x: number) {
        const { context } = this;
        context.beginPath();
        context.moveTo(Math.round(x) + 0.5, 0);
        context.lineTo(Math.round(x) + 0.5, this.frame.height);
        context.setLineDash([3, 3]);
        this.stroke(this.inks.muted, 1);
        context.setLineDash([]);
    }

    private arrow(run: Run, flow: number, width: number) {
        const { flows } = run;
        const { context } = this;
        const fromX = this.frame.x(run, flows.from[flow]);
        const toX = this.frame.x(run, flows.to[flow]);
        const fromY = this.center(run, flows.fromLane[flow]);
        const toY = this.center(run, flows.toLane[flow]);
        const bend = Math.max(10, Math.min(60, (toX - fromX) / 2));
        context.beginPath();
        context.moveTo(fromX, fromY);
        context.bezierCurveTo(fromX + bend, fromY, toX - bend, toY, toX, toY);
        this.stroke(this.inks.surface, width + 2);
        context.setLineDash(flows.kind[flow] === kCrossCore ? kDash : []);
        this.stroke(this.inks.flow, width);
        context.setLineDash([]);
        context.beginPath();
        context.moveTo(toX, toY);
        context.lineTo(toX - 6, toY - 3.5);
        context.lineTo(toX - 6, toY + 3.5);
        context.fillStyle = this.inks.flow;
        context.fill();
    }

    private isNearRows(run: Run, flow: number): boolean {
        const a = this.center(run, run.flows.fromLane[flow]);
        const b = this.center(run, run.flows.toLane[flow]);
        return Math.max(a, b) >= 0 && Math.min(a, b) <= this.frame.height;
    }

    private center(run: Run, lane: number): number {
        const row = this.rows.rowOf(run.lanes[lane]);
        return row.y + row.height / 2 - this.frame.scrollTop;
    }

    private stroke(color: string, width: number) {
        this.context.strokeStyle = color;
        this.context.lineWidth = width;
        this.context.stroke();
    }
}

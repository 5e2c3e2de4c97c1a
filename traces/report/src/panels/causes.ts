// SPDX-License-Identifier: Apache-2.0
import { html, responsive, svg, svgText } from '../base/dom';
import { compact, integer, list, percent } from '../base/format';
import { linearScale, type Scale } from '../base/scale';
import { alternative, dataTable, section } from '../base/table';
import { kStyles, styleOfState, svgFill } from '../palette';
import type { Run } from '../run';
import { criticalByReason, pipeSums, share, type PipeSum } from '../statistics';

const kBarHeight = 20;
const kBarGap = 3;
const kGroupGap = 12;
const kAxisHeight = 24;

interface Bar {
    run: Run;
    sum: PipeSum;
}

/** Where the cycles of each kind of pipe go: work, stalls by reason, and idle time. */
export function causes(runs: readonly Run[]): HTMLElement {
    const groups = barGroups(runs);
    const longest = Math.max(...groups.flat().map(({ sum }) => sum.total / sum.lanes));
    const several = runs.length > 1;
    return section(
        'causes',
        'Cycles by cause',
        responsive((width) => chart(groups, longest, width, several)).element,
        alternative(summary(runs), ...runs.map(causesTable)),
        html('div', { class: 'side-by-side' }, ...runs.map(criticalTable)),
    );
}

function barGroups(runs: readonly Run[]): Bar[][] {
    const bars = runs.flatMap((run) => pipeSums(run).map((sum) => ({ run, sum })));
    const pipes = [...new Set(bars.map(({ sum }) => sum.pipe))];
    return pipes.map((pipe) => bars.filter(({ sum }) => sum.pipe === pipe));
}

function chart(groups: Bar[][], longest: number, width: number, several: boolean): SVGElement {
    const left = several ? Math.min(210, width * 0.4) : 80;
    const scale = linearScale([0, longest], [left, width - 10]);
    const marks: SVGElement[] = [];
    let y = 0;
    for (const group of groups) {
        for (const bar of group) {
            const name = several ? `${bar.sum.pipe} · ${bar.run.name}` : bar.sum.pipe;
            marks.push(svgText(left - 8, y + kBarHeight / 2, name, { class: 'row-name' }));
            marks.push(outline(bar, scale, y), ...barSegments(bar, scale, y));
            y += kBarHeight + kBarGap;
        }
        y += kGroupGap;
    }
    return svg(
        'svg',
        {
            class: 'plot',
            width,
            height: y + kAxisHeight,
            role: 'img',
            'aria-label': 'Stacked bars of cycles by cause for each kind of pipe; table below',
        },
        ...axis(scale, y),
        ...marks,
    );
}

function axis(scale: Scale, y: number): SVGElement[] {
    return scale.ticks.flatMap((tick) => [
        svg('line', { class: 'grid', x1: scale(tick), x2: scale(tick), y1: 0, y2: y }),
        svgText(scale(tick), y + 14, tick === 0 ? '0 cycles' : compact(tick), { class: 'tick x' }),
    ]);
}

/** Of the whole bar: what no segment fills is idle time. */
function outline({ sum }: Bar, scale: Scale, y: number): SVGElement {
    const x = scale(0);
    const width = scale(sum.total / sum.lanes) - x;
    const title = svg('title', {}, `idle: ${percent(sum.idle / sum.total)}`);
    return svg('rect', { class: 'outline', x, y, width, height: kBarHeight }, title);
}

/** Cycles are means over the pipes of a kind, so that a bar is as long as the run. */
function barSegments({ run, sum }: Bar, scale: Scale, y: number): SVGElement[] {
    let done = 0;
    return run.data.states.flatMap((state, index) => {
        const cycles = sum.cycles[index] / sum.lanes;
        if (cycles === 0) {
            return [];
        }
        const x = scale(done);
        done += cycles;
        const width = scale(done) - x;
        const style = kStyles[styleOfState(state, sum.pipe)];
        const part = percent(sum.cycles[index] / sum.total);
        const title = svg('title', {}, `${style.label}: ${integer(cycles)} cycles, ${part}`);
        const box = svg(
            'rect',
            { x, y, width, height: kBarHeight, fill: svgFill(style), class: 'segment' },
            title,
        );
        const label = svgText(x + width / 2, y + kBarHeight / 2, part, {
            class: style.stall ? 'bar-label on-hatch' : 'bar-label',
            '--label': style.stall ? 'var(--ink)' : `var(--${style.id}-text)`,
        });
        return width > 50 ? [box, label] : [box];
    });
}

function summary(runs: readonly Run[]): string {
    const sentences = runs.map((run) => {
        const sums = pipeSums(run);
        const parts = sums.map((sum) => `${sum.pipe} ${percent(share(run, sum, 'busy'))}`);
        return `${run.name}: busy are ${list(parts)} of the time.`;
    });
    return `${sentences.join(' ')} The rest of a bar is idle.`;
}

function causesTable(run: Run): HTMLElement {
    const rows = pipeSums(run).map((sum) => [
        sum.pipe,
        integer(sum.lanes),
        integer(sum.instructions),
        ...sum.cycles.map(integer),
        integer(sum.idle),
    ]);
    const columns = ['pipe', 'pipes', 'instructions', ...run.data.states, 'idle'];
    return dataTable(`${run.name}: cycles by cause, summed over all pipes`, columns, rows);
}

function criticalTable(run: Run): HTMLElement | null {
    const reasons = criticalByReason(run);
    const whole = reasons.reduce((sum, { cycles }) => sum + cycles, 0);
    if (reasons.length === 0) {
        return null;
    }
    const rows = reasons.map(({ reason, cycles }) => [
        reason,
        integer(cycles),
        percent(cycles / whole),
    ]);
    return dataTable(`${run.name}: the critical path`, ['reason', 'cycles', 'share'], rows);
}

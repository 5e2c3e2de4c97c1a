// SPDX-License-Identifier: Apache-2.0
import { html, responsive, svg, svgText } from '../base/dom';
import { cellText, compact } from '../base/format';
import { alternative, choice, dataTable, section } from '../base/table';
import type { PointData } from '../schema';
import { pointText, selectable } from './marks';
import { fullTitleOf, titleOf, type Dimension, type Sweep } from './model';

const kCellHeight = 34;
const kLabelledFrom = 44;
const kLeft = 110;
const kBottom = 48;
/** From the worst to the best, by lightness as well as hue. */
const kRamp = ['#440154', '#414487', '#2a788e', '#22a884', '#7ad151', '#fde725'];

interface Cell {
    column: number;
    row: number;
    best: PointData | undefined;
    /** Points there that failed. */
    failed: number;
}

/** What is shown, as indices. */
interface Chosen {
    objective: number;
    across: number;
    up: number;
}

/** The best value of one objective for each pair of values of two axes, over all the others. */
export function heatmap(sweep: Sweep): HTMLElement | null {
    if (sweep.axes.length < 2) {
        return null;
    }
    const chosen: Chosen = { objective: 0, across: 0, up: 1 };
    const figure = responsive((width) => chart(sweep, chosen, width));
    const text = html('div');
    const update = () => {
        figure.redraw();
        text.replaceChildren(textAlternative(sweep, chosen));
    };
    const chooser = (label: string, names: string[], key: keyof Chosen) =>
        choice(label, names, chosen[key], (index) => {
            chosen[key] = index;
            update();
        });
    sweep.selected.subscribe(figure.redraw);
    update();
    const axisNames = sweep.axes.map(titleOf);
    return section(
        'heatmap',
        'Heat map',
        html('div', { class: 'toolbar' },
            chooser('Best', sweep.objectives.map(titleOf), 'objective'),
            chooser('Across', axisNames, 'across'),
            chooser('Up', axisNames, 'up')),
        figure.element,
        text,
    );
}

function cellsOf(sweep: Sweep, across: Dimension, up: Dimension, objective: number): Cell[] {
    const rows = sweep.valuesOf(up);
    return sweep.valuesOf(across).flatMap((x, column) =>
        rows.map((y, row) => {
            const points = sweep.data.points.filter(
                (point) => across.valueOf(point) === x && up.valueOf(point) === y,
            );
            const done = points.filter((point) => point.objectives !== null);
            return {
                column,
                row,
                best: sweep.best(done, objective),
                failed: points.length - done.length,
            };
        }),
    );
}

function chart(sweep: Sweep, chosen: Chosen, width: number): SVGElement {
    const across = sweep.axes[chosen.across];
    const up = sweep.axes[chosen.up];
    const columns = sweep.valuesOf(across);
    const rows = sweep.valuesOf(up);
    const cells = cellsOf(sweep, across, up, chosen.objective);
    const cellWidth = Math.min(120, (width - kLeft - 8) / columns.length);
    const height = rows.length * kCellHeight;
    const shade = shader(sweep, cells, chosen.objective);
    const left = (column: number) => kLeft + column * cellWidth;
    const top = (row: number) => height - (row + 1) * kCellHeight;
    return svg(
        'svg',
        {
            class: 'plot heatmap',
            width,
            height: height + kBottom,
            role: 'group',
            'aria-label': 'Heat map; the table below says the same',
        },
        ...cells.map((cell) => {
            const place = `translate(${left(cell.column)} ${top(cell.row)})`;
            return cellMark(sweep, cell, chosen.objective, place, cellWidth, shade);
        }),
        ...rows.map((value, row) =>
            svgText(kLeft - 8, top(row) + kCellHeight / 2, cellText(value), { class: 'tick y' })),
        ...columns.map((value, column) =>
            svgText(left(column + 0.5), height + 14, cellText(value), { class: 'tick x' })),
        svgText(left(columns.length / 2), height + 36, titleOf(across), { class: 'axis-title' }),
        svgText(0, 0, titleOf(up), {
            class: 'axis-title',
            transform: `translate(12 ${height / 2}) rotate(-90)`,
        }),
    );
}

/** How good a value is, from 0 to 1; by its logarithm where values differ by tens. */
function shader(sweep: Sweep, cells: Cell[], objective: number): (value: number) => number {
    const values = cells.flatMap(({ best }) => (best ? [sweep.objective(best, objective)] : []));
    const low = Math.min(...values);
    const high = Math.max(...values);
    const position = low > 0 && high / low > 10 ? Math.log : (value: number) => value;
    const span = position(high) - position(low) || 1;
    const isLow = sweep.data.objectives[objective].direction === 'min';
    return (value) => {
        const share = (position(value) - position(low)) / span;
        return isLow ? 1 - share : share;
    };
}

function cellMark(
    sweep: Sweep,
    { best, failed }: Cell,
    objective: number,
    transform: string,
    width: number,
    shade: (value: number) => number,
): SVGElement {
    const size = { width: width - 2, height: kCellHeight - 2, rx: 2 };
    const middle: [number, number] = [width / 2 - 1, kCellHeight / 2 - 1];
    if (!best) {
        const text = failed > 0 ? 'failed' : '';
        return svg('g', { transform, class: 'cell empty' },
            svg('rect', size), svgText(...middle, text, { class: 'bar-label' }));
    }
    const value = sweep.objective(best, objective);
    const color = rampColor(shade(value));
    const selected = sweep.selected.value === best;
    const label = width >= kLabelledFrom
        ? svgText(...middle, compact(value), { class: 'bar-label', '--label': color.ink })
        : null;
    return svg(
        'g',
        { transform, class: selected ? 'cell selected' : 'cell', ...selectable(sweep, best) },
        svg('rect', { ...size, fill: color.fill }),
        label,
        svg('title', {}, pointText(sweep, best)),
    );
}

function rampColor(share: number): { fill: string; ink: string } {
    const position = Math.min(share, 1) * (kRamp.length - 1);
    const index = Math.min(Math.floor(position), kRamp.length - 2);
    const mix = position - index;
    const channel = (offset: number) => {
        const from = parseInt(kRamp[index].slice(offset, offset + 2), 16);
        const to = parseInt(kRamp[index + 1].slice(offset, offset + 2), 16);
        return Math.round(from + (to - from) * mix);
    };
    const fill = `rgb(${channel(1)},${channel(3)},${channel(5)})`;
    return { fill, ink: share > 0.55 ? '#111' : '#fff' };
}

function textAlternative(sweep: Sweep, { objective, across, up }: Chosen): HTMLElement {
    const [x, y] = [sweep.axes[across], sweep.axes[up]];
    const target = sweep.objectives[objective];
    const best = sweep.best(sweep.done, objective);
    const cells = cellsOf(sweep, x, y, objective);
    const rows = sweep.valuesOf(y).map((value, row) => [
        cellText(value),
        ...cells.filter((cell) => cell.row === row).map((cell) => textOf(sweep, cell, objective)),
    ]);
    const columns = [`${y.name} \\ ${x.name}`, ...sweep.valuesOf(x).map(cellText)];
    const summary = best
        ? `The best ${target.name} of all is ${cellText(sweep.objective(best, objective))} `
            + `${target.unit}, with ${x.name} ${cellText(best.axes[across])} and ${y.name} `
            + `${cellText(best.axes[up])}.`
        : 'No point was evaluated.';
    return alternative(summary, dataTable(`Best of ${fullTitleOf(target)}`, columns, rows));
}

function textOf(sweep: Sweep, { best, failed }: Cell, objective: number): string {
    return best ? cellText(sweep.objective(best, objective)) : failed > 0 ? 'failed' : '–';
}

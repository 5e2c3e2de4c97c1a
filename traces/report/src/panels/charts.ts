// SPDX-License-Identifier: Apache-2.0
import uPlot from 'uplot';
import { html } from '../base/dom';
import { compact, decimal, integer, percent } from '../base/format';
import { alternative, choice, dataTable, section } from '../base/table';
import { kSeriesColors, kStyles, themeColor } from '../palette';
import type { Run, Series } from '../run';
import type { Theme } from '../theme';
import type { View } from '../timeline/view';

const kHeight = 150;
const kAxisWidth = 64;
const kTitles: Record<string, string> = {
    utilisation: 'Utilisation',
    gm: 'GM bandwidth',
    occupancy: 'Buffer occupancy',
    queue: 'Queue depth',
};

/** All the series over time, in charts whose time axis is that of the timeline. */
export function charts(view: View, theme: Theme): HTMLElement[] {
    const all = view.runs.flatMap((run) => run.series);
    const groups = [...new Set(all.map((series) => series.group))];
    return groups.map((group) => groupSection(group, view, theme));
}

function groupSection(group: string, view: View, theme: Theme): HTMLElement {
    const places = [...new Set(view.runs.flatMap((run) => seriesOf(run, group).map(placeOf)))];
    const title = kTitles[group] ?? group;
    const body = html('div');
    const show = (place: string) => {
        const parts = view.runs
            .map((run) => ({ run, series: seriesOf(run, group, place) }))
            .filter(({ series }) => series.length > 0);
        const scaling = scalingOf(parts.flatMap(({ series }) => series));
        const blocks = parts.flatMap(({ run, series }) => {
            const chart = new Chart(run, series, scaling, view);
            live.push(chart);
            return [chart.element, seriesTable(title, run, series)];
        });
        body.replaceChildren(...blocks);
    };
    let live: Chart[] = [];
    let shown = places[0];
    const rebuild = () => {
        live.forEach((chart) => chart.destroy());
        live = [];
        show(shown);
    };
    view.range.subscribe(() => live.forEach((chart) => chart.showRange()));
    view.aligned.subscribe(rebuild);
    theme.changed.subscribe(rebuild);
    rebuild();
    const choose = (index: number) => {
        shown = places[index];
        rebuild();
    };
    const picker = places.length > 1 && choice('of', places, 0, choose);
    return section(`series-${group}`, title, picker, body);
}

/** "core0.cube" of "core0.cube L1", for a reader to choose from; empty if the name has one part. */
function placeOf({ name }: Series): string {
    return name.slice(0, Math.max(0, name.lastIndexOf(' ')));
}

function seriesOf(run: Run, group: string, place?: string): Series[] {
    return run.series.filter(
        (series) => series.group === group && (place === undefined || placeOf(series) === place),
    );
}

/** How the values of a chart are put on its y axis. */
interface Scaling {
    /** Series with different limits are shown in percent of them. */
    relative: boolean;
    top: number;
    /** The common limit, if it is in sight. */
    limit: number | null;
    unit: string;
}

function scalingOf(series: Series[]): Scaling {
    const limits = new Set(series.map(({ limit }) => limit ?? 0));
    const relative = limits.size > 1 && !limits.has(0);
    if (relative) {
        return { relative, top: 105, limit: 100, unit: '%' };
    }
    const highest = Math.max(...series.map(({ values }) => maximum(values)), 0);
    const limit = limits.size === 1 ? [...limits][0] : 0;
    const isInSight = limit > 0 && highest >= limit / 4;
    return {
        relative,
        top: isInSight ? Math.max(limit, highest) * 1.05 : highest * 1.1 || 1,
        limit: isInSight ? limit : null,
        unit: series[0]?.unit ?? '',
    };
}

function maximum(values: Float32Array): number {
    return values.reduce((highest, value) => Math.max(highest, value), 0);
}

function mean(values: Float32Array): number {
    return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** The series of one group of one run. */
class Chart {
    readonly element: HTMLElement;
    private readonly uplot: uPlot;
    private readonly values: HTMLElement[];
    private readonly when = html('span', { class: 'when' });
    private readonly plotArea = html('div', { class: 'chart-plot' });
    private readonly resize = new ResizeObserver(() => this.fit());

    constructor(
        private readonly run: Run,
        private readonly series: Series[],
        private readonly scaling: Scaling,
        private readonly view: View,
    ) {
        this.values = series.map(() => html('span', { class: 'value' }));
        this.element = html(
            'div',
            { class: 'chart', role: 'img', 'aria-label': `${run.name}: ${seriesSummary(series)}` },
            this.legend(),
            this.plotArea,
        );
        this.uplot = new uPlot(this.options(), this.data(), this.plotArea);
        this.showRange();
        this.showValues(null);
        this.resize.observe(this.plotArea);
    }

    destroy() {
        this.resize.disconnect();
        this.uplot.destroy();
    }

    showRange() {
        const { start, end } = this.view.range.value;
        this.uplot.setScale('x', { min: start, max: end });
    }

    private fit() {
        if (this.plotArea.clientWidth > 0) {
            this.uplot.setSize({ width: this.plotArea.clientWidth, height: kHeight });
        }
    }

    private legend(): HTMLElement {
        const entries = this.series.map((series, index) =>
            html(
                'div',
                { class: 'entry', '--mark': `var(${colorOf(series, index)})` },
                html('span', { class: 'name' }, shortName(series)),
                this.values[index],
            ),
        );
        return html('div', { class: 'chart-legend' },
            html('strong', {}, this.run.name), this.when, ...entries);
    }

    /** At a sample, or the means over all of them. */
    private showValues(sample: number | null) {
        const { step } = this.series[0];
        const time = this.run.data.window[0] + (sample ?? 0) * step;
        this.when.textContent = sample === null ? 'means' : `from cycle ${integer(time)}`;
        this.series.forEach((series, index) => {
            const value = sample === null ? mean(series.values) : series.values[sample];
            this.values[index].textContent =
                value === undefined ? '' : valueText(series, value);
        });
    }

    private data(): uPlot.AlignedData {
        const { step, values } = this.series[0];
        const origin = this.run.data.window[0] - this.view.origin(this.run);
        const times = Array.from(values, (_, index) => origin + index * step);
        const shown = this.series.map((series) => {
            const factor = this.scaling.relative ? 100 / (series.limit as number) : 1;
            return Array.from(series.values, (value) => value * factor);
        });
        return [times, ...shown];
    }

    private options(): uPlot.Options {
        const axis = { stroke: themeColor('--muted'), font: '11px system-ui, sans-serif' };
        const grid = { stroke: themeColor('--line'), width: 1 };
        return {
            width: 400,
            height: kHeight,
            padding: [8, 0, 0, 0],
            legend: { show: false },
            scales: {
                x: { time: false, range: () => this.xRange() },
                y: { range: [0, this.scaling.top] },
            },
            axes: [
                { ...axis, grid, ticks: grid, size: 24, values: (_, ticks) => ticks.map(compact) },
                {
                    ...axis,
                    grid,
                    ticks: grid,
                    size: kAxisWidth,
                    values: (_, ticks) => ticks.map((tick) => this.yTick(tick)),
                },
            ],
            series: [{}, ...this.series.map((series, index) => this.lineOptions(series, index))],
            cursor: { sync: { key: 'time' }, drag: { x: true, y: false, setScale: false } },
            hooks: {
                setCursor: [(plot) => this.showValues(plot.cursor.idx ?? null)],
                setSelect: [(plot) => this.zoomToSelection(plot)],
                draw: [(plot) => this.drawLimit(plot)],
            },
        };
    }

    private xRange(): [number, number] {
        const { start, end } = this.view.range.value;
        return [start, end];
    }

    private yTick(tick: number): string {
        return compact(tick) + (this.scaling.unit === '%' ? ' %' : '');
    }

    private lineOptions(series: Series, index: number): uPlot.Series {
        return {
            label: series.name,
            stroke: themeColor(colorOf(series, index)),
            width: 1.5,
            points: { show: false },
            paths: uPlot.paths.stepped?.({ align: 1 }),
        };
    }

    private zoomToSelection(plot: uPlot) {
        const { left, width } = plot.select;
        if (width > 2) {
            this.view.show(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }
    }

    private drawLimit(plot: uPlot) {
        if (this.scaling.limit === null) {
            return;
        }
        const y = Math.round(plot.valToPos(this.scaling.limit, 'y', true));
        const { left, width } = plot.bbox;
        const context = plot.ctx;
        context.save();
        context.strokeStyle = themeColor('--muted');
        context.setLineDash([6, 4]);
        context.beginPath();
        context.moveTo(left, y);
        context.lineTo(left + width, y);
        context.stroke();
        context.restore();
    }
}

function shortName(series: Series): string {
    const place = placeOf(series);
    return place === '' ? series.name : series.name.slice(place.length + 1);
}

/** A pipe has the colour of its work. */
function colorOf(series: Series, index: number): string {
    const isPipe = kStyles.some((style) => !style.stall && style.id === shortName(series));
    return isPipe ? `--${shortName(series)}` : kSeriesColors[index % kSeriesColors.length];
}

function valueText(series: Series, value: number): string {
    const text = `${compact(value)} ${series.unit}`.trim();
    return series.limit && series.unit !== '%'
        ? `${text}, ${percent(value / series.limit)}`
        : text;
}

function seriesSummary(series: Series[]): string {
    const texts = series.map(({ name, unit, values }) => {
        const highest = `${decimal(maximum(values))} ${unit}`.trim();
        return `${name} mean ${decimal(mean(values))}, highest ${highest}`;
    });
    return texts.join('; ');
}

function seriesTable(title: string, run: Run, series: Series[]): HTMLElement {
    const rows = series.map(({ name, unit, limit, values }) => [
        name,
        decimal(mean(values)),
        decimal(maximum(values)),
        limit ? decimal(limit) : '–',
        unit,
    ]);
    const columns = ['', 'mean', 'highest', 'limit', 'unit'];
    return alternative(
        `${run.name}: ${seriesSummary(series)}.`,
        dataTable(`${title} of ${run.name}`, columns, rows),
    );
}

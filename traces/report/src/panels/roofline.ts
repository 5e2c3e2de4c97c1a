// SPDX-License-Identifier: Apache-2.0
import { responsive, svg, svgText } from '../base/dom';
import { decimal, list, percent } from '../base/format';
import { plot, plotRanges } from '../base/plot';
import { logScale, type Scale } from '../base/scale';
import { alternative, dataTable, section } from '../base/table';
import { kSeriesColors } from '../palette';
import type { Run } from '../run';
import type { RooflineData } from '../schema';

const kHeight = 380;

interface Point {
    name: string;
    intensity: number;
    perCycle: number;
    color: string;
}

interface Roof {
    name: string;
    /** Bytes a cycle. */
    slope: number;
    /** The intensity from which the peak can be reached. */
    ridge: number;
}

interface Roofline {
    peak: number;
    unit: string;
    roofs: Roof[];
    points: Point[];
}

/** Work against bytes moved, under the roofs of each chip; null if no run has them. */
export function roofline(runs: readonly Run[]): HTMLElement | null {
    const rooflines = byChip(runs);
    return rooflines.length === 0
        ? null
        : section('roofline', 'Roofline', ...rooflines.flatMap(figure));
}

/** Runs with the same roofs share a plot. */
function byChip(runs: readonly Run[]): Roofline[] {
    const chips = new Map<string, Roofline>();
    runs.forEach((run, index) => {
        const data = run.data.roofline;
        if (data) {
            const key = JSON.stringify([data.peak, data.unit, data.roofs]);
            const chip = chips.get(key) ?? emptyRoofline(data);
            chip.points.push(...pointsOf(data, `var(${kSeriesColors[index]})`));
            chips.set(key, chip);
        }
    });
    return [...chips.values()];
}

function emptyRoofline({ peak, unit, roofs }: RooflineData): Roofline {
    return {
        peak,
        unit,
        roofs: roofs.map(({ name, bytes_per_cycle: slope }) => ({
            name,
            slope,
            ridge: peak / slope,
        })),
        points: [],
    };
}

function pointsOf(data: RooflineData, color: string): Point[] {
    return data.points.map(({ name, bytes, work, per_cycle: perCycle }) => ({
        name,
        intensity: work / bytes,
        perCycle,
        color,
    }));
}

function figure(chip: Roofline): Node[] {
    const rows = chip.points.map((point) => [
        point.name,
        decimal(point.intensity),
        decimal(point.perCycle),
        percent(point.perCycle / chip.peak),
        ...chip.roofs.map((roof) => percent(point.perCycle / attainable(chip, roof, point))),
    ]);
    const columns = ['', intensityUnit(chip), chip.unit, 'of the peak',
        ...chip.roofs.map((roof) => `of the roof of ${roof.name}`)];
    return [
        responsive((width) => chart(chip, Math.min(width, 900))).element,
        alternative(summary(chip), dataTable('Roofline', columns, rows)),
    ];
}

function intensityUnit({ unit }: Roofline): string {
    return `${unit.split('/')[0]}/B`;
}

function attainable(chip: Roofline, roof: Roof, point: Point): number {
    return Math.min(chip.peak, roof.slope * point.intensity);
}

function summary(chip: Roofline): string {
    const ridges = chip.roofs.map(({ name, ridge }) => `${name} from ${decimal(ridge)}`);
    const points = chip.points.map(({ name, intensity, perCycle }) =>
        `${name} reaches ${decimal(perCycle)} ${chip.unit}, ${percent(perCycle / chip.peak)} of `
        + `the peak, at ${decimal(intensity)} ${intensityUnit(chip)}`);
    return `${list(points)}. The peak of ${decimal(chip.peak)} ${chip.unit} can be reached with `
        + `${list(ridges)} ${intensityUnit(chip)} on.`;
}

function chart(chip: Roofline, width: number): SVGElement {
    const intensities = [...chip.points.map((p) => p.intensity), ...chip.roofs.map((r) => r.ridge)];
    const heights = [chip.peak, ...chip.points.map((point) => point.perCycle)];
    const domainX: [number, number] = [Math.min(...intensities) / 6, Math.max(...intensities) * 6];
    const domainY: [number, number] = [Math.min(...heights) / 8, chip.peak * 3];
    const ranges = plotRanges(width, kHeight);
    const x = logScale(domainX, ranges.x);
    const y = logScale(domainY, ranges.y);
    return plot(
        { width, height: kHeight },
        'Roofline plot',
        { scale: x, title: `work per byte, ${intensityUnit(chip)}` },
        { scale: y, title: chip.unit },
        [
            ...chip.roofs.flatMap((roof, index) => {
                const start = Math.max(domainX[0], domainY[0] / roof.slope);
                return roofMarks(roof, start, `roof roof-${index % 3}`, x, y);
            }),
            svgText(ranges.x[1] - 4, y(chip.peak) - 8, `peak ${decimal(chip.peak)} ${chip.unit}`, {
                class: 'mark-label end',
            }),
            ...chip.points.flatMap((point) => pointMarks(point, x, y)),
        ],
    );
}

/** From the intensity `start` up to the ridge, and level from there. */
function roofMarks(
    roof: Roof,
    start: number,
    className: string,
    x: Scale,
    y: Scale,
): SVGElement[] {
    const place = (intensity: number) => ({ x: x(intensity), y: y(intensity * roof.slope) });
    const from = place(start);
    const ridge = place(roof.ridge);
    const middle = place(Math.sqrt(start * roof.ridge));
    const angle = (Math.atan2(ridge.y - from.y, ridge.x - from.x) * 180) / Math.PI;
    const d = `M${from.x} ${from.y}L${ridge.x} ${ridge.y}H${x.range[1]}`;
    return [
        svg('path', { class: className, d }),
        svg('circle', { class: 'ridge', cx: ridge.x, cy: ridge.y, r: 3 }),
        svgText(ridge.x, ridge.y - 10, `${decimal(roof.ridge)}`, { class: 'mark-label middle' }),
        svgText(0, -7, `${roof.name}, ${decimal(roof.slope)} B/cycle`, {
            class: 'mark-label middle',
            transform: `translate(${middle.x} ${middle.y}) rotate(${angle})`,
        }),
    ];
}

function pointMarks(point: Point, x: Scale, y: Scale): SVGElement[] {
    const cx = x(point.intensity);
    const cy = y(point.perCycle);
    const text = `${point.name}: ${decimal(point.perCycle)}`;
    return [
        svg('circle', { class: 'roof-point', cx, cy, r: 6, fill: point.color }),
        svgText(cx + 11, cy, text, { class: 'mark-label strong' }),
    ];
}

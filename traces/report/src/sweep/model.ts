// SPDX-License-Identifier: Apache-2.0
import { Signal } from '../base/signal';
import type { ObjectiveData, PointData, SweepData } from '../schema';

/** One number or text of every point: an axis that was swept, or an objective. */
export interface Dimension {
    name: string;
    unit: string;
    /** Of objectives: what is better. */
    direction: 'min' | 'max' | null;
    /** Null for an objective of a point that failed. */
    valueOf(point: PointData): number | string | null;
}

/** The points of a sweep, and which of them is selected. */
export class Sweep {
    readonly selected = new Signal<PointData | null>(null);
    readonly axes: Dimension[];
    readonly objectives: Dimension[];
    /** Those that did not fail. */
    readonly done: PointData[];
    readonly failed: PointData[];

    constructor(readonly data: SweepData) {
        this.axes = data.axes.map(({ name }, index) => ({
            name,
            unit: '',
            direction: null,
            valueOf: (point) => point.axes[index],
        }));
        this.objectives = data.objectives.map((objective, index) => ({
            ...objective,
            valueOf: (point) => point.objectives?.[index] ?? null,
        }));
        this.done = data.points.filter((point) => point.objectives !== null);
        this.failed = data.points.filter((point) => point.objectives === null);
    }

    get dimensions(): Dimension[] {
        return [...this.axes, ...this.objectives];
    }

    /** Of points that did not fail. */
    objective(point: PointData, index: number): number {
        return (point.objectives as number[])[index];
    }

    /** The distinct values of an axis, numbers in order of size. */
    valuesOf(axis: Dimension): (number | string)[] {
        const values = new Set(this.data.points.map((point) => axis.valueOf(point)));
        return [...values].filter((value) => value !== null).sort(compareValues);
    }

    isBetter(objective: number, a: number, b: number): boolean {
        return isBetter(this.data.objectives[objective], a, b);
    }

    /** Of some points that did not fail, the best in an objective. */
    best(points: PointData[], objective: number): PointData | undefined {
        const value = (point: PointData) => this.objective(point, objective);
        return points.reduce<PointData | undefined>(
            (best, point) =>
                !best || this.isBetter(objective, value(point), value(best)) ? point : best,
            undefined,
        );
    }

    /** The points that no other beats in both of two objectives, from the best in the first on. */
    front(first: number, second: number): PointData[] {
        const sorted = [...this.done].sort((a, b) => this.order(a, b, first)
            || this.order(a, b, second));
        const front: PointData[] = [];
        for (const point of sorted) {
            const last = front[front.length - 1];
            const value = this.objective(point, second);
            if (!last || this.isBetter(second, value, this.objective(last, second))) {
                front.push(point);
            }
        }
        return front;
    }

    private order(a: PointData, b: PointData, objective: number): number {
        const difference = this.objective(a, objective) - this.objective(b, objective);
        return this.data.objectives[objective].direction === 'min' ? difference : -difference;
    }
}

function isBetter(objective: ObjectiveData, a: number, b: number): boolean {
    return objective.direction === 'min' ? a < b : a > b;
}

/** Numbers before texts; null last. */
export function compareValues(a: number | string | null, b: number | string | null): number {
    if (typeof a === 'number' && typeof b === 'number') {
        return a - b;
    }
    if (a === null || b === null) {
        return Number(a === null) - Number(b === null);
    }
    return typeof a === typeof b
        ? String(a).localeCompare(String(b), 'en')
        : Number(typeof a === 'string') - Number(typeof b === 'string');
}

export function titleOf({ name, unit }: Dimension): string {
    return unit === '' ? name : `${name}, ${unit}`;
}

/** With what is better, where that can be said. */
export function fullTitleOf(dimension: Dimension): string {
    const hint = { min: ' (less is better)', max: ' (more is better)' };
    return titleOf(dimension) + (dimension.direction ? hint[dimension.direction] : '');
}

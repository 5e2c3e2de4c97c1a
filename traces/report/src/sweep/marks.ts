// SPDX-License-Identifier: Apache-2.0
import { cellText } from '../base/format';
import type { PointData } from '../schema';
import { titleOf, type Sweep } from './model';

/** What a point is, in one text. */
export function pointText(sweep: Sweep, point: PointData): string {
    const parts = sweep.dimensions.map((dimension) => {
        const value = dimension.valueOf(point);
        return value === null ? null : `${titleOf(dimension)}: ${cellText(value)}`;
    });
    return [`#${point.id}`, ...parts.filter((part) => part !== null)].join('\n');
}

/** The attributes of a mark that selects its point when clicked or, with the focus, by Enter. */
export function selectable(sweep: Sweep, point: PointData) {
    const select = () => sweep.selected.set(point);
    return {
        'data-point': point.id,
        tabindex: -1,
        click: select,
        keydown: (event: KeyboardEvent) => {
            if (event.key === 'Enter') {
                select();
            }
        },
    };
}

export function pointClass(sweep: Sweep, point: PointData): string {
    const front = point.front ? ' front' : '';
    return `point${front}${sweep.selected.value === point ? ' selected' : ''}`;
}

/** Those on the front above the others, the selected one above all. */
export function paintOrder(sweep: Sweep, points: PointData[]): PointData[] {
    const rank = (point: PointData) => (sweep.selected.value === point ? 2 : Number(point.front));
    return [...points].sort((a, b) => rank(a) - rank(b));
}

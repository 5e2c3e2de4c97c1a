// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';
import { cellText, plural } from '../base/format';
import { section } from '../base/table';
import type { PointData } from '../schema';
import { compareValues, titleOf, type Sweep } from './model';

/** More rows than this are shown on demand only. */
const kRowsAtFirst = 500;

interface Column {
    title: string;
    valueOf: (point: PointData) => number | string | null;
}

/** All points as a table to sort, filter and select from. */
export class PointTable {
    readonly element: HTMLElement;
    private readonly columns: Column[];
    private readonly body = html('tbody');
    private readonly count = html('output', { 'aria-live': 'polite' });
    private readonly headers: HTMLElement[];
    private readonly more = html('button', {
        type: 'button',
        click: () => {
            this.limit = Infinity;
            this.showRows();
        },
    });
    private readonly filter = html('input', {
        type: 'search',
        placeholder: 'Filter points',
        'aria-label': 'Show only points that contain all of these words',
        input: () => this.showRows(),
    });
    private limit = kRowsAtFirst;
    private sortedBy = 0;
    private descending = false;

    constructor(private readonly sweep: Sweep) {
        this.columns = [
            { title: 'point', valueOf: (point) => point.id },
            ...sweep.dimensions.map((dimension) => ({
                title: titleOf(dimension),
                valueOf: (point: PointData) => dimension.valueOf(point),
            })),
            { title: 'state', valueOf: stateOf },
        ];
        this.headers = this.columns.map((column, index) => this.headerCell(column, index));
        this.element = this.build();
        sweep.selected.subscribe((point) => this.markSelected(point));
        this.showRows();
    }

    private build(): HTMLElement {
        return section(
            'points',
            'Points',
            html('div', { class: 'toolbar' }, this.filter, this.count),
            html(
                'div',
                { class: 'table-scroll tall', tabindex: 0, role: 'region', 'aria-label': 'Points' },
                html(
                    'table',
                    { class: 'data points' },
                    html('thead', {}, html('tr', {}, ...this.headers)),
                    this.body,
                ),
            ),
            this.more,
        );
    }

    private headerCell({ title }: Column, index: number): HTMLElement {
        return html(
            'th',
            { scope: 'col', class: this.isText(index) ? 'text' : null },
            html('button', { type: 'button', click: () => this.sortBy(index) }, title),
        );
    }

    private isText(column: number): boolean {
        const { valueOf } = this.columns[column];
        return this.sweep.data.points.some((point) => typeof valueOf(point) === 'string');
    }

    private sortBy(column: number) {
        this.descending = this.sortedBy === column && !this.descending;
        this.sortedBy = column;
        this.showRows();
    }

    private showRows() {
        const points = this.sorted(this.sweep.data.points.filter((point) => this.passes(point)));
        this.body.replaceChildren(...points.slice(0, this.limit).map((point) => this.row(point)));
        this.count.textContent = `${plural(points.length, 'point')} shown`;
        this.more.hidden = points.length <= this.limit;
        this.more.textContent = `Show all ${plural(points.length, 'point')}`;
        this.headers.forEach((header, index) => {
            const order = this.descending ? 'descending' : 'ascending';
            header.setAttribute('aria-sort', index === this.sortedBy ? order : 'none');
        });
    }

    private passes(point: PointData): boolean {
        const text = this.columns.map(({ valueOf }) => String(valueOf(point))).join(' ');
        const words = this.filter.value.toLowerCase().split(/\s+/);
        return words.every((word) => text.toLowerCase().includes(word));
    }

    /** Points without a value come last either way. */
    private sorted(points: PointData[]): PointData[] {
        const { valueOf } = this.columns[this.sortedBy];
        const sign = this.descending ? -1 : 1;
        return points.sort((a, b) => {
            const [x, y] = [valueOf(a), valueOf(b)];
            return compareValues(x, y) * (x === null || y === null ? 1 : sign);
        });
    }

    private row(point: PointData): HTMLElement {
        const select = () => this.sweep.selected.set(point);
        const cells = this.columns.slice(1).map(({ valueOf }) => {
            const value = valueOf(point);
            const kind = typeof value === 'string' ? 'text' : null;
            return html('td', { class: kind }, cellText(value ?? '–'));
        });
        const name = html('button', { type: 'button', click: select }, `#${point.id}`);
        return html(
            'tr',
            {
                'data-point': point.id,
                class: point.failed ? 'failed' : point.front ? 'front' : null,
                'aria-selected': String(this.sweep.selected.value === point),
                click: select,
            },
            html('th', { scope: 'row' }, name),
            ...cells,
        );
    }

    private markSelected(point: PointData | null) {
        for (const row of this.body.rows) {
            const isSelected = row.dataset.point === String(point?.id);
            row.setAttribute('aria-selected', String(isSelected));
        }
    }
}

function stateOf(point: PointData): string {
    return point.failed ? `failed: ${point.failed}` : point.front ? 'front' : '';
}

// SPDX-License-Identifier: Apache-2.0
import { Signal } from '../base/signal';
import type { Lane } from '../lane';
import type { Core, Run } from '../run';

interface Place {
    run: Run;
    y: number;
    height: number;
}

export interface RunRow extends Place {
    kind: 'run';
}

export interface CoreRow extends Place {
    kind: 'core';
    core: Core;
    collapsed: boolean;
}

export interface LaneRow extends Place {
    kind: 'lane';
    lane: Lane;
}

export type Row = RunRow | CoreRow | LaneRow;

const kHeights = { run: 26, core: 22, lane: 20 };
/** Cores past this many lanes of a run start out collapsed. */
const kLanesAtFirst = 24;

/** The rows from top to bottom: each run, its cores, and the lanes of those that are open. */
export class Rows {
    readonly rows = new Signal<Row[]>([]);
    private readonly collapsed = new Set<Core>();
    private rowOfLane = new Map<Lane, Row>();

    constructor(private readonly runs: readonly Run[]) {
        runs.forEach((run) => this.collapseBeyond(run, kLanesAtFirst));
        this.arrange();
    }

    get height(): number {
        const rows = this.rows.value;
        const last = rows[rows.length - 1];
        return last ? last.y + last.height : 0;
    }

    rowAt(y: number): Row | undefined {
        return this.rows.value.find((row) => y >= row.y && y < row.y + row.height);
    }

    /** Of a lane: its own, or that of its core when that is collapsed. */
    rowOf(lane: Lane): Row {
        return this.rowOfLane.get(lane) as Row;
    }

    toggle(core: Core) {
        this.setCollapsed(core, !this.collapsed.has(core));
        this.arrange();
    }

    setAllCollapsed(collapsed: boolean) {
        this.runs.forEach((run) => run.cores.forEach((core) => this.setCollapsed(core, collapsed)));
        this.arrange();
    }

    /** Opens the core of a lane. */
    reveal(lane: Lane) {
        const row = this.rowOf(lane);
        if (row.kind === 'core') {
            this.toggle(row.core);
        }
    }

    private setCollapsed(core: Core, collapsed: boolean) {
        if (collapsed) {
            this.collapsed.add(core);
        } else {
            this.collapsed.delete(core);
        }
    }

    private collapseBeyond(run: Run, limit: number) {
        let lanes = 0;
        for (const core of run.cores) {
            lanes += core.lanes.length;
            this.setCollapsed(core, lanes > limit && core !== run.cores[0]);
        }
    }

    private arrange() {
        const rows: Row[] = [];
        const rowOfLane = new Map<Lane, Row>();
        let y = 0;
        const add = <R extends Row>(row: Omit<R, 'y' | 'height'> & { kind: R['kind'] }) => {
            const placed = { ...row, y, height: kHeights[row.kind] } as unknown as R;
            y += placed.height;
            rows.push(placed);
            return placed;
        };
        for (const run of this.runs) {
            add<RunRow>({ kind: 'run', run });
            for (const core of run.cores) {
                const collapsed = this.collapsed.has(core);
                const coreRow = add<CoreRow>({ kind: 'core', run, core, collapsed });
                for (const lane of core.lanes) {
                    const row = collapsed ? coreRow : add<LaneRow>({ kind: 'lane', run, lane });
                    rowOfLane.set(lane, row);
                }
            }
        }
        this.rowOfLane = rowOfLane;
        this.rows.set(rows);
    }
}

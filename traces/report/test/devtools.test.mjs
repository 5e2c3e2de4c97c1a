// SPDX-License-Identifier: Apache-2.0
/** A Chrome trace of npusim in the engine of Chrome's own DevTools: it must see every slice. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import * as Trace from '@paulirish/trace_engine';

const example = new URL('../../examples/neumann_16.json', import.meta.url);

/** Name and slices of each thread, by process and thread id, as DevTools reads them. */
async function threadsInDevTools(events) {
    const model = Trace.TraceModel.Model.createWithAllHandlers();
    await model.parse(events);
    const threads = {};
    for (const [pid, process] of model.parsedTrace().data.Renderer.processes) {
        for (const [tid, { name, entries }] of process.threads) {
            threads[`${pid}.${tid}`] = { name, slices: entries.length };
        }
    }
    return threads;
}

/** The same, counted by hand. */
function threadsWritten(events) {
    const threads = {};
    for (const { ph, pid, tid, name, args } of events) {
        if (ph === 'M' && name === 'thread_name') {
            threads[`${pid}.${tid}`] = { name: args.name, slices: 0 };
        } else if (ph === 'X') {
            ++threads[`${pid}.${tid}`].slices;
        }
    }
    return threads;
}

test('DevTools reads every slice of a Chrome trace', async () => {
    const { traceEvents } = JSON.parse(readFileSync(example, 'utf8'));
    const written = threadsWritten(traceEvents);
    assert.ok(Object.keys(written).length > 8);
    assert.deepEqual(await threadsInDevTools(structuredClone(traceEvents)), written);
});

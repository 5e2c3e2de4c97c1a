// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { manySlices, oneRun, sampleRun, twoRuns } from './sample.mjs';

let browser;
before(async () => {
    browser = await Browser.start();
});
after(() => browser.close());

/** Runs a test on a page of some data, and demands that the page had no problems. */
function onPage(name, data, body, options) {
    test(name, async (context) => {
        const { page, problems, close } = await browser.open(data(), options);
        await body(page, context);
        assert.deepEqual(problems, []);
        await close();
    });
}

function shown(page) {
    return page.locator('#range').evaluate(({ dataset }) => ({
        start: Number(dataset.start),
        end: Number(dataset.end),
    }));
}

function span({ start, end }) {
    return end - start;
}

/** The place on the screen of the `nth` lane, at a share of the canvas' width. */
async function onLane(page, nth, share) {
    const label = await page.locator('.label.lane').nth(nth).boundingBox();
    const canvas = await page.locator('.scroller canvas').boundingBox();
    return { x: canvas.x + canvas.width * share, y: label.y + label.height / 2 };
}

/** How many of the runs' slices have a name. */
function countNamed(runs, name) {
    return runs.reduce((count, run) => {
        const column = Buffer.from(run.slices.name, 'base64');
        const names = new Int32Array(new Uint8Array(column).buffer);
        return count + names.filter((index) => run.names[index] === name).length;
    }, 0);
}

onPage('the header tells what was run', oneRun, async (page) => {
    assert.equal(await page.title(), oneRun().title);
    assert.match(await page.locator('.card').innerText(), /neumann[^]*ascend-910b, 1,850 MHz/);
    assert.equal(await page.locator('.command').innerText(), oneRun().command);
});

onPage('at first all of the run is shown', oneRun, async (page) => {
    const [start, end] = oneRun().runs[0].window;
    assert.deepEqual(await shown(page), { start, end });
});

onPage('keys zoom and move', oneRun, async (page) => {
    const all = await shown(page);
    await page.keyboard.press('w');
    const near = await shown(page);
    assert.ok(Math.abs(span(near) - span(all) / 1.5) < 1);
    await page.keyboard.press('d');
    const right = await shown(page);
    assert.ok(right.start > near.start && Math.abs(span(right) - span(near)) < 1e-6);
    await page.keyboard.press('ArrowLeft');
    assert.ok((await shown(page)).start < right.start);
    await page.keyboard.press('-');
    await page.keyboard.press('0');
    assert.deepEqual(await shown(page), all);
});

onPage('the wheel zooms round the pointer', oneRun, async (page) => {
    const all = await shown(page);
    const { x, y } = await onLane(page, 3, 0.75);
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, -400);
    await page.waitForFunction(() => document.getElementById('range').dataset.start !== '0');
    const near = await shown(page);
    assert.ok(span(near) < span(all) * 0.7);
    const fixed = all.start + 0.75 * span(all);
    assert.ok(Math.abs(near.start + 0.75 * span(near) - fixed) < 0.01 * span(all));
});

onPage('dragging moves what is shown', oneRun, async (page) => {
    await page.keyboard.press('w');
    const first = await shown(page);
    const { x, y } = await onLane(page, 3, 0.5);
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x - 100, y, { steps: 4 });
    await page.mouse.up();
    const moved = await shown(page);
    assert.ok(moved.start > first.start);
    assert.ok(Math.abs(span(moved) - span(first)) < 1e-6);
});

onPage('dragging over a chart zooms the timeline too', oneRun, async (page) => {
    const all = await shown(page);
    await page.locator('#series-gm .u-over').scrollIntoViewIfNeeded();
    const box = await page.locator('#series-gm .u-over').boundingBox();
    await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 4 });
    await page.mouse.up();
    assert.ok(Math.abs(span(await shown(page)) - span(all) / 4) < 0.01 * span(all));
});

onPage('charts have the time axis of the timeline', oneRun, async (page) => {
    const canvas = await page.locator('.scroller canvas').boundingBox();
    const boxes = await page.locator('.u-over').all();
    assert.equal(boxes.length, 4);
    for (const locator of boxes) {
        const box = await locator.boundingBox();
        assert.ok(Math.abs(box.x - canvas.x) <= 1 && Math.abs(box.width - canvas.width) <= 1);
    }
});

onPage('search counts the slices it finds and goes through them', oneRun, async (page) => {
    const expected = countNamed(oneRun().runs, 'mmad');
    await page.keyboard.press('/');
    await page.keyboard.type('mmad');
    assert.equal(await page.locator('.hits').innerText(), `${expected} hits`);
    await page.keyboard.press('Enter');
    const first = await page.locator('.details').innerText();
    assert.match(first, /mmad l0c[^]*busy: matrix product/);
    await page.locator('.scroller').focus();
    await page.keyboard.press('n');
    assert.notEqual(await page.locator('.details').innerText(), first);
    await page.keyboard.press('N');
    assert.equal(await page.locator('.details').innerText(), first);
});

onPage('search says when nothing is found', oneRun, async (page) => {
    await page.locator('#timeline input[type=search]').fill('no such op');
    assert.equal(await page.locator('.hits').innerText(), '0 hits');
});

onPage('a click shows the details of a slice', oneRun, async (page) => {
    const { x, y } = await onLane(page, 0, 0.02);
    await page.mouse.click(x, y);
    const details = await page.locator('.details').innerText();
    assert.match(details, /stalled: launch/);
    assert.match(details, /scalar/);
    assert.match(details, /2,000 cycles/);
    await page.keyboard.press('.');
    assert.match(await page.locator('.details').innerText(), /queue full/);
    await page.keyboard.press('Escape');
    assert.match(await page.locator('.details').innerText(), /Click a slice/);
});

onPage('flows lead from a slice to the one that waited for it', oneRun, async (page) => {
    await page.locator('#timeline input[type=search]').fill('mmad');
    await page.keyboard.press('Enter');
    const flow = page.locator('.flow-list button').first();
    assert.match(await flow.innerText(), /fixpipe at/);
    await flow.click();
    assert.match(await page.locator('.details').innerText(), /waited for/);
});

onPage('hovering tells what is there', oneRun, async (page) => {
    const { x, y } = await onLane(page, 0, 0.02);
    await page.mouse.move(x, y);
    await page.locator('.tooltip').waitFor({ state: 'visible' });
    assert.match(await page.locator('.tooltip').innerText(), /launch/);
});

onPage('a core can be closed and opened', oneRun, async (page) => {
    const core = page.locator('.label.core').first();
    const lanes = await page.locator('.label.lane').count();
    await core.click();
    assert.equal(await core.getAttribute('aria-expanded'), 'false');
    assert.equal(await page.locator('.label.lane').count(), lanes - 5);
    await page.getByRole('button', { name: 'Show the pipes of all cores' }).click();
    assert.equal(await page.locator('.label.lane').count(), lanes);
});

onPage('switches change the picture', oneRun, async (page) => {
    const picture = () => page.locator('.scroller canvas').evaluate((canvas) => canvas.toDataURL());
    const settled = () => page.evaluate(() => new Promise(requestAnimationFrame));
    const plain = await picture();
    for (const name of ['Flow arrows', 'Critical path']) {
        const box = page.getByRole('checkbox', { name });
        await box.check();
        await settled();
        assert.notEqual(await picture(), plain);
        await box.uncheck();
        await settled();
        assert.equal(await picture(), plain);
    }
});

onPage('? lists the keys', oneRun, async (page) => {
    await page.keyboard.press('?');
    assert.match(await page.locator('dialog').innerText(), /critical path/);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('dialog').isVisible(), false);
});

onPage('two runs share one time axis', twoRuns, async (page) => {
    const { runs } = twoRuns();
    const longest = Math.max(...runs.map((run) => run.cycles));
    assert.deepEqual(await shown(page), { start: 0, end: longest });
    assert.deepEqual(await page.locator('.label.run').allInnerTexts(), runs.map((r) => r.name));
    const ratio = (runs[1].cycles / runs[0].cycles).toFixed(3);
    const row = page.locator('#comparison tbody tr').first();
    assert.match(await row.innerText(), new RegExp(`^cycles\\s.*\\s${ratio}×$`));
});

onPage('runs can be aligned where their launch ends', twoRuns, async (page) => {
    const { runs } = twoRuns();
    await page.getByLabel('Align after launch').check();
    assert.deepEqual(await shown(page), {
        start: -Math.max(...runs.map((run) => run.launch)),
        end: Math.max(...runs.map((run) => run.cycles - run.launch)),
    });
});

function threeRuns() {
    const third = sampleRun({ name: 'recursive', seed: 3 });
    return { ...twoRuns(), runs: [...twoRuns().runs, third] };
}

onPage('of more than two runs, two are chosen', threeRuns, async (page) => {
    const names = () => page.locator('.label.run').allInnerTexts();
    assert.deepEqual(await names(), ['neumann', 'forward_substitution']);
    await page.locator('.choice', { hasText: 'with' }).locator('select').selectOption('recursive');
    await page.waitForURL(/runs=0/);
    await page.waitForFunction(() => window.npusimReport?.ready);
    assert.deepEqual(await names(), ['neumann', 'recursive']);
});

onPage('every plot has a text alternative', twoRuns, async (page) => {
    for (const id of ['timeline', 'series-utilisation', 'series-gm', 'series-occupancy',
        'series-queue', 'causes', 'roofline']) {
        const summary = await page.locator(`#${id} .alternative summary`).first().innerText();
        assert.match(summary, /neumann.*\d/, id);
        assert.ok(await page.locator(`#${id} .alternative table tr`).count() > 1, id);
    }
    const unnamed = await page.locator('canvas[role=img]:not([aria-label])').count();
    assert.equal(unnamed, 0);
});

onPage('cycles by cause add up', oneRun, async (page) => {
    const [run] = oneRun().runs;
    const rows = await page.locator('#causes .alternative tbody tr').all();
    let sum = 0;
    for (const row of rows) {
        const numbers = (await row.locator('td').allTextContents()).map((text) =>
            Number(text.replaceAll(',', '')));
        assert.equal(numbers.length, 2 + run.states.length + 1);
        sum += numbers.slice(2).reduce((total, value) => total + value, 0);
    }
    assert.equal(sum, run.cycles * run.lanes.length);
});

onPage('accuracy is a table of both runs', twoRuns, async (page) => {
    const row = page.locator('#accuracy tr', { hasText: 'largest relative error' });
    assert.deepEqual(await row.locator('td').allInnerTexts(),
        ['0.0012', '0.0024', 'against double']);
});

function background(page) {
    return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

onPage('it is dark where the system is', oneRun, async (page) => {
    const dark = await background(page);
    assert.equal(dark, 'rgb(15, 18, 22)');
    await page.getByRole('button', { name: 'Theme: auto' }).click();
    assert.notEqual(await background(page), dark);
    await page.getByRole('button', { name: 'Theme: light' }).click();
    assert.equal(await background(page), dark);
}, { colorScheme: 'dark' });

onPage('nothing is wider than a narrow screen', twoRuns, async (page) => {
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 400, `${width} pixels wide`);
}, { viewport: { width: 400, height: 800 } });

onPage('it prints', oneRun, async (page) => {
    const pdf = await page.pdf();
    assert.equal(pdf.subarray(0, 5).toString(), '%PDF-');
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.toolbar').first().isVisible(), false);
    assert.equal(await page.locator('.scroller canvas').isVisible(), true);
});

onPage('100,000 slices', manySlices, async (page, context) => {
    assert.equal(manySlices().runs[0].slices.count, 100008);
    const ms = await page.evaluate(() => window.npusimReport.firstPaintMs);
    context.diagnostic(`first paint after ${Math.round(ms)} ms`);
    await page.locator('#timeline input[type=search]').fill('mmad');
    const expected = countNamed(manySlices().runs, 'mmad').toLocaleString('en-US');
    assert.equal(await page.locator('.hits').innerText(), `${expected} hits`);
});

onPage('beyond a million slices Perfetto is named', () => {
    const data = oneRun();
    data.runs[0].slices.count = 1_000_001;
    return data;
}, async (page) => {
    assert.match(await page.locator('#timeline .note').innerText(), /1,000,001 slices.*Perfetto/);
});

test('data of another schema is refused in words', async () => {
    const { page, close } = await browser.open({ ...oneRun(), schema: 2 });
    assert.match(await page.getByRole('alert').innerText(), /schema 1, not 2/);
    await close();
});

test('text in the data is text on the page', async () => {
    const data = oneRun();
    data.title = '</script><img src=x onerror=alert(1)> & "quotes"';
    const { page, problems, close } = await browser.open(data);
    assert.equal(await page.locator('h1').innerText(), data.title);
    assert.deepEqual(problems, []);
    await close();
});

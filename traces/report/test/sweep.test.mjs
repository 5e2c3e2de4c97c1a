// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { sweep } from './sample.mjs';

let browser;
let points;
before(async () => {
    browser = await Browser.start();
    points = sweep().sweep.points;
});
after(() => browser.close());

function onSweep(name, body, data = sweep) {
    test(name, async () => {
        const { page, problems, close } = await browser.open(data());
        await body(page);
        assert.deepEqual(problems, []);
        await close();
    });
}

/** A column of the table of points, from the top. */
async function column(page, index) {
    const cells = page.locator(`#points tbody tr > :nth-child(${index + 1})`);
    return (await cells.allInnerTexts()).map((text) => text.trim());
}

function choice(page, section, label) {
    return page.locator(`${section} .choice`, { hasText: label }).locator('select');
}

function sortBy(page, title) {
    return page.locator('#points thead').getByRole('button', { name: title }).click();
}

onSweep('the table sorts by a column both ways, what failed last', async (page) => {
    const done = points.filter((point) => point.objectives);
    const areas = done.map((point) => point.objectives[1]).sort((a, b) => a - b);
    await sortBy(page, 'area, mm2');
    const up = await column(page, 6);
    assert.equal(Number(up[0]), Number(areas[0].toPrecision(4)));
    assert.equal(up.at(-1), '–');
    assert.equal(await page.locator('th[aria-sort=ascending]').innerText(), 'area, mm2');
    await sortBy(page, 'area, mm2');
    const down = await column(page, 6);
    assert.equal(Number(down[0]), Number(areas.at(-1).toPrecision(4)));
    assert.equal(down.at(-1), '–');
});

onSweep('the filter keeps points that contain all words', async (page) => {
    await page.getByLabel('Show only points').fill('neumann front');
    const expected = points.filter((point) => point.front && point.axes[2] === 'neumann');
    assert.equal(await page.locator('#points tbody tr').count(), expected.length);
    assert.ok(expected.length > 0);
});

onSweep('failed points are shown with their reason', async (page) => {
    const failed = points.filter((point) => point.failed);
    assert.equal(await page.locator('#points tr.failed').count(), failed.length);
    await page.locator('#points tr.failed').first().click();
    const text = await page.locator('#selected-point').innerText();
    assert.match(text, /failed: L0C: 64x64 does not fit/);
});

onSweep('a row selects its point everywhere', async (page) => {
    const point = points.find((candidate) => candidate.front);
    await page.locator(`#points tr[data-point="${point.id}"]`).click();
    assert.equal(await page.locator('#selected-point pre').textContent(), point.config);
    for (const mark of ['#pareto circle.selected', '#parallel g.selected']) {
        assert.equal(await page.locator(mark).getAttribute('data-point'), String(point.id));
    }
});

onSweep('a point of the scatter plot selects its row', async (page) => {
    const circle = page.locator('#pareto circle.front').first();
    const id = await circle.getAttribute('data-point');
    await circle.dispatchEvent('click');
    const row = page.locator('#points tr[aria-selected=true]');
    assert.equal(await row.getAttribute('data-point'), id);
});

onSweep('the front is the one of the objectives that are chosen', async (page) => {
    const front = (first, second) => points.filter((point) => point.objectives
        && points.every((other) => !other.objectives
            || other.objectives[first] > point.objectives[first]
            || other.objectives[second] > point.objectives[second]
            || (other.objectives[first] === point.objectives[first]
                && other.objectives[second] === point.objectives[second]))).length;
    const summary = () => page.locator('#pareto summary').innerText();
    assert.match(await summary(), new RegExp(` ${front(0, 1)} are on the front of time, µs and`));
    await choice(page, '#pareto', 'Up').selectOption('energy, uJ');
    assert.match(await summary(), new RegExp(` ${front(0, 2)} are on the front of time, µs and`));
});

onSweep('a cell of the heat map is the best over the other axes', async (page) => {
    const best = points
        .filter((point) => point.axes[0] === 16 && point.axes[1] === 256)
        .reduce((a, b) => (b.objectives[0] < a.objectives[0] ? b : a));
    await page.locator(`#heatmap g[data-point="${best.id}"]`).dispatchEvent('click');
    const title = await page.locator('#selected-point h3').innerText();
    assert.match(title, new RegExp(`#${best.id}\\b`));
    assert.equal(await page.locator('#heatmap .cell').count(), 20);
    assert.equal(await page.locator('#heatmap .cell.empty').textContent(), 'failed');
});

onSweep('other axes can be chosen for the heat map', async (page) => {
    await choice(page, '#heatmap', 'Across').selectOption('kernel');
    const texts = await page.locator('#heatmap text.tick.x').allTextContents();
    assert.deepEqual(texts, ['forward_substitution', 'neumann', 'recursive']);
});

onSweep('the plots have text alternatives', async (page) => {
    assert.match(await page.locator('#pareto summary').innerText(), /Of 180 points \(9 failed\)/);
    assert.match(await page.locator('#heatmap summary').innerText(), /best time of all is/);
    assert.equal(await page.locator('#heatmap .alternative tbody tr').count(), 5);
});

onSweep('of a sweep in which all failed there is the table', async (page) => {
    assert.equal(await page.locator('#points tr.failed').count(), 180);
    assert.equal(await page.locator('#pareto').count(), 0);
}, () => {
    const data = sweep();
    data.sweep.points = data.sweep.points.map((point) => ({
        ...point, objectives: null, front: false, failed: 'no progress',
    }));
    return data;
});

onSweep('an objective may be one of which more is better', async (page) => {
    await choice(page, '#heatmap', 'Best').selectOption('energy, uJ');
    const highest = Math.max(...points.flatMap((point) => point.objectives?.[2] ?? []));
    const text = Number(highest.toPrecision(4)).toLocaleString('en-US');
    assert.match(await page.locator('#heatmap summary').innerText(), new RegExp(`is ${text} uJ`));
}, () => {
    const data = sweep();
    data.sweep.objectives[2].direction = 'max';
    return data;
});

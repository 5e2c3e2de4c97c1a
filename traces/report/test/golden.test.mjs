// SPDX-License-Identifier: Apache-2.0
// Screenshots against those in golden/. UPDATE_GOLDEN=1 writes them anew: look at them then.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { decode, difference, encode } from './png.mjs';
import { sweep, twoRuns } from './sample.mjs';

const kSize = { width: 900, height: 600 };
/** Fonts and the fewer colours of the golden files make small differences. */
const kTolerance = 48;
const kMostDifferent = 0.03;

let browser;
before(async () => {
    browser = await Browser.start();
});
after(() => browser.close());

/** Compares the window, scrolled to a section. */
function golden(name, data, section, colorScheme, prepare = async () => {}) {
    test(`the picture ${name} is as before`, async (context) => {
        const { page, close } = await browser.open(data(), { viewport: kSize, colorScheme });
        await prepare(page);
        await page.locator(section).evaluate((element) => element.scrollIntoView());
        await page.evaluate(() => new Promise((done) => {
            requestAnimationFrame(() => setTimeout(done));
        }));
        const picture = decode(await page.screenshot({ caret: 'initial' }));
        await close();
        const file = new URL(`golden/${name}.png`, import.meta.url);
        if (process.env.UPDATE_GOLDEN) {
            await writeFile(file, encode(picture));
        }
        const expected = decode(await readFile(file));
        assert.deepEqual([picture.width, picture.height], [expected.width, expected.height]);
        const share = difference(picture, expected, kTolerance);
        context.diagnostic(`${(share * 100).toFixed(2)} % of the pixels differ`);
        assert.ok(share <= kMostDifferent, `${(share * 100).toFixed(2)} % of the pixels differ`);
    });
}

async function zoomIn(page) {
    for (let i = 0; i < 8; ++i) {
        await page.keyboard.press('w');
    }
    await page.getByLabel('Flow arrows').check();
}

golden('timeline', twoRuns, '#timeline', 'light', zoomIn);
golden('timeline-dark', twoRuns, '#timeline', 'dark');
golden('causes', twoRuns, '#causes', 'light');
golden('sweep', sweep, '#pareto', 'light', async (page) => {
    await page.locator('#points tr.front').first().click();
});

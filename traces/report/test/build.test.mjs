// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const kReport = new URL('../report.html', import.meta.url);

test('report.html is what the sources make', () => {
    const build = fileURLToPath(new URL('../build.mjs', import.meta.url));
    execFileSync(process.execPath, [build, '--check'], { stdio: 'inherit' });
});

test('there is one place for the data', async () => {
    const page = await readFile(kReport, 'utf8');
    const place = '<script type="application/json" id="npusim-data">NPUSIM_DATA</script>';
    assert.equal(page.split(place).length, 2);
    assert.equal(page.split('NPUSIM_DATA').length, 2);
});

test('the page forbids itself the network and carries the licence of uPlot', async () => {
    const page = await readFile(kReport, 'utf8');
    assert.match(page, /Content-Security-Policy" content="default-src 'none'; script-src 'sha256-/);
    assert.match(page, /The MIT License[^]*Leon Sorokin/);
});

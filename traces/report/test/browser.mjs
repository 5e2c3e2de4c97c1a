// SPDX-License-Identifier: Apache-2.0
// Opens the report page, filled with data, in a browser that has no network.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const kReport = new URL('../report.html', import.meta.url);
const kFlags = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];

/** The page as `npusim` writes it. */
export async function fillPage(data) {
    const page = await readFile(kReport, 'utf8');
    return page.replace('NPUSIM_DATA', gzipSync(JSON.stringify(data)).toString('base64'));
}

/** A browser for one file of tests. */
export class Browser {
    static async start() {
        const browser = await chromium.launch({
            executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
            args: kFlags,
        });
        return new Browser(browser, await mkdtemp(join(tmpdir(), 'npusim-report-')));
    }

    constructor(browser, folder) {
        this.browser = browser;
        this.folder = folder;
        this.opened = 0;
    }

    async close() {
        await this.browser.close();
        await rm(this.folder, { recursive: true });
    }

    /** A page that is ready; `problems` gathers its errors and what it asks the network for. */
    async open(data, options = {}) {
        return this.openText(await fillPage(data), options);
    }

    async openText(text, options = {}) {
        const file = join(this.folder, `report${++this.opened}.html`);
        await writeFile(file, text);
        const context = await this.browser.newContext({
            viewport: { width: 1200, height: 900 },
            ...options,
        });
        await context.setOffline(true);
        const page = await context.newPage();
        const problems = watch(page);
        await page.goto(pathToFileURL(file).href);
        await page.waitForFunction(() => window.npusimReport.ready);
        return { page, problems, close: () => context.close() };
    }
}

function watch(page) {
    const problems = [];
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
            problems.push(message.text());
        }
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => {
        if (!request.url().startsWith('file://')) {
            problems.push(`asked for ${request.url()}`);
        }
    });
    return problems;
}

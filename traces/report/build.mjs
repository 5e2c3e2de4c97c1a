// SPDX-License-Identifier: Apache-2.0
// Puts the page together in one file, report.html. With --check it only says, by its exit code,
// whether the file is what the sources make.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const kPlaceholder = 'NPUSIM_DATA';

function path(name) {
    return fileURLToPath(new URL(name, import.meta.url));
}

function read(name) {
    return readFile(path(name), 'utf8');
}

/** One entry point with all it imports, as text. */
async function bundle(entry) {
    const result = await build({
        entryPoints: [path(entry)],
        bundle: true,
        minify: true,
        charset: 'utf8',
        legalComments: 'none',
        format: 'iife',
        target: 'es2022',
        write: false,
    });
    return result.outputFiles[0].text.trim();
}

/** A source of the content security policy that allows this very text. */
function hashSource(text) {
    return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function escapeHtml(text) {
    return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}

async function page() {
    const script = await bundle('src/main.ts');
    const style = await bundle('style.css');
    const uplot = JSON.parse(await read('node_modules/uplot/package.json'));
    const parts = {
        policy: `default-src 'none'; script-src ${hashSource(script)}; style-src `
            + `${hashSource(style)}; base-uri 'none'; form-action 'none'`,
        style,
        script,
        data: kPlaceholder,
        'uplot-version': uplot.version,
        'uplot-licence': escapeHtml((await read('node_modules/uplot/LICENSE')).trim()),
    };
    const template = await read('index.html');
    const text = template.replace(/\{\{([a-z-]+)\}\}/g, (_, name) => parts[name]);
    if (text.split(kPlaceholder).length !== 2) {
        throw new Error(`${kPlaceholder} must occur once in the page`);
    }
    return text;
}

const text = await page();
if (process.argv.includes('--check')) {
    if (text !== (await read('report.html'))) {
        console.error('report.html is not what the sources make: run npm run build');
        process.exit(1);
    }
} else {
    await writeFile(path('report.html'), text);
    console.error(`report.html: ${text.length} characters`);
}

// SPDX-License-Identifier: Apache-2.0
import { html } from './base/dom';

export interface Shortcut {
    keys: string[];
    meaning: string;
    run: () => void;
}

const kKeyNames: Record<string, string> = { arrowleft: '←', arrowright: '→', escape: 'Esc' };

/** Keys that work wherever the focus is, but where text is typed or chosen. */
export class Keyboard {
    private readonly shortcuts: Shortcut[] = [];
    private readonly help = html('dialog', { class: 'help', 'aria-labelledby': 'help-title' });

    constructor() {
        document.body.append(this.help);
        document.addEventListener('keydown', (event) => this.onKey(event));
        this.add([{ keys: ['?'], meaning: 'this list of keys', run: () => this.showHelp() }]);
    }

    add(shortcuts: Shortcut[]) {
        this.shortcuts.push(...shortcuts);
    }

    showHelp() {
        const rows = this.shortcuts.map(({ keys, meaning }) =>
            html(
                'tr',
                {},
                html('td', {}, ...keys.map((key) => html('kbd', {}, keyName(key)))),
                html('td', {}, meaning),
            ),
        );
        this.help.replaceChildren(
            html('h2', { id: 'help-title' }, 'Keys'),
            html('table', {}, html('tbody', {}, ...rows)),
            html('form', { method: 'dialog' }, html('button', { autofocus: true }, 'Close')),
        );
        this.help.showModal();
    }

    private onKey(event: KeyboardEvent) {
        if (event.ctrlKey || event.metaKey || event.altKey || this.help.open || isTyping(event)) {
            return;
        }
        const key = event.key.length === 1 ? event.key : event.key.toLowerCase();
        const shortcut = this.shortcuts.find(({ keys }) => keys.includes(key));
        if (shortcut) {
            event.preventDefault();
            shortcut.run();
        }
    }
}

function isTyping({ target }: KeyboardEvent): boolean {
    const typed = 'select, textarea, input:not([type=checkbox])';
    return target instanceof Element && target.matches(typed);
}

function keyName(key: string): string {
    return kKeyNames[key] ?? key;
}

// SPDX-License-Identifier: Apache-2.0
import { Signal } from './base/signal';

type Preference = 'auto' | 'light' | 'dark';
type Look = 'light' | 'dark';

const kNext: Record<Preference, Preference> = { auto: 'light', light: 'dark', dark: 'auto' };

/** Light or dark: as the system says, until the reader chooses; print is always light. */
export class Theme {
    readonly preference = new Signal<Preference>('auto');
    /** Set after the page's colours have changed. */
    readonly changed: Signal<Look>;
    private readonly systemIsDark = matchMedia('(prefers-color-scheme: dark)');

    constructor() {
        this.changed = new Signal<Look>(this.look);
        this.apply(this.look);
        this.preference.subscribe(() => this.apply(this.look));
        this.systemIsDark.addEventListener('change', () => this.apply(this.look));
        window.addEventListener('beforeprint', () => this.apply('light'));
        window.addEventListener('afterprint', () => this.apply(this.look));
    }

    next() {
        this.preference.set(kNext[this.preference.value]);
    }

    private get look(): Look {
        if (this.preference.value === 'auto') {
            return this.systemIsDark.matches ? 'dark' : 'light';
        }
        return this.preference.value;
    }

    private apply(look: Look) {
        document.documentElement.dataset.theme = look;
        this.changed.set(look);
    }
}

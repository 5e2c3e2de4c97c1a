// SPDX-License-Identifier: Apache-2.0

/** A value that tells its listeners when it changes. */
export class Signal<T> {
    private readonly listeners: ((value: T) => void)[] = [];

    constructor(private current: T) {}

    get value(): T {
        return this.current;
    }

    set(value: T) {
        if (value !== this.current) {
            this.current = value;
            this.listeners.forEach((listener) => listener(value));
        }
    }

    /** Calls the listener at every change from now on. */
    subscribe(listener: (value: T) => void) {
        this.listeners.push(listener);
    }
}

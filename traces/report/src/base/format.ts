// SPDX-License-Identifier: Apache-2.0

const kInteger = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const kDecimal = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 4 });
const kCompact = new Intl.NumberFormat('en-US', {
    notation: 'compact',
    maximumSignificantDigits: 3,
});

/** 29277 is 29,277. */
export function integer(value: number): string {
    return kInteger.format(value);
}

/** Four digits, and a power of ten where there would be many zeros: 15.83, 1.2e-7, 29,277. */
export function decimal(value: number): string {
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e15) {
        return integer(value);
    }
    if (size >= 1e15 || (size < 1e-3 && size > 0)) {
        return value.toExponential(2);
    }
    return size >= 1000 ? integer(value) : kDecimal.format(value);
}

/** For axes: 1.5K, 20M. */
export function compact(value: number): string {
    return Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(0) : kCompact.format(value);
}

/** A share of one in percent. */
export function percent(share: number): string {
    return `${Number.isFinite(share) ? (share * 100).toFixed(1) : '–'} %`;
}

export function microseconds(cycles: number, clockMhz: number): string {
    return `${decimal(cycles / clockMhz)} µs`;
}

/** Of a table: numbers as numbers, text as it is. */
export function cellText(value: number | string): string {
    return typeof value === 'number' ? decimal(value) : value;
}

/** "1 hit", "2 hits". */
export function plural(count: number, noun: string): string {
    return `${integer(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** "a, b and c". */
export function list(texts: string[]): string {
    return texts.length < 2
        ? texts.join('')
        : `${texts.slice(0, -1).join(', ')} and ${texts[texts.length - 1]}`;
}

// SPDX-License-Identifier: Apache-2.0

/** From values to pixels, with the values that deserve a tick. */
export interface Scale {
    (value: number): number;
    readonly ticks: readonly number[];
    readonly range: readonly [number, number];
}

/** The step of 1, 2 or 5 times a power of ten that puts about `count` ticks on a span. */
export function niceStep(span: number, count: number): number {
    const rough = span / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(rough));
    const digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

/** Multiples of `step` within [start, end]. */
export function multiples(start: number, end: number, step: number): number[] {
    const result: number[] = [];
    for (let i = Math.ceil(start / step); i * step <= end; ++i) {
        result.push(i * step);
    }
    return result;
}

/** A domain that is not empty and holds all values; with zero if it is near. */
export function domainOf(values: number[]): [number, number] {
    const low = Math.min(...values);
    const high = Math.max(...values);
    if (low === high) {
        return low === 0 ? [0, 1] : [Math.min(0, low * 2), Math.max(0, low * 2)];
    }
    const margin = (high - low) * 0.05;
    return [low >= 0 && low < high / 3 ? 0 : low - margin, high + margin];
}

function scale(
    position: (value: number) => number,
    domain: [number, number],
    range: [number, number],
    ticks: number[],
): Scale {
    const start = position(domain[0]);
    const perUnit = (range[1] - range[0]) / (position(domain[1]) - start);
    const map = (value: number) => range[0] + (position(value) - start) * perUnit;
    return Object.assign(map, { ticks, range });
}

export function linearScale(domain: [number, number], range: [number, number]): Scale {
    const count = Math.abs(range[1] - range[0]) / 70;
    const step = niceStep(domain[1] - domain[0], count);
    return scale((value) => value, domain, range, multiples(domain[0], domain[1], step));
}

/** Ticks at powers of ten, and at twice and five times them where there is room. */
export function logScale(domain: [number, number], range: [number, number]): Scale {
    const decades = Math.log10(domain[1] / domain[0]);
    const digits = Math.abs(range[1] - range[0]) / decades > 130 ? [1, 2, 5] : [1];
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(domain[0])); 10 ** power <= domain[1]; ++power) {
        ticks.push(...digits.map((digit) => digit * 10 ** power));
    }
    const inside = ticks.filter((tick) => tick >= domain[0] && tick <= domain[1]);
    return scale(Math.log10, domain, range, inside);
}

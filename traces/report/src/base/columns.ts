// SPDX-License-Identifier: Apache-2.0

/** The bytes of a base64 text. */
export function decodeU8(base64: string): Uint8Array<ArrayBuffer> {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; ++i) {
        bytes[i] = text.charCodeAt(i);
    }
    return bytes;
}

/** The text that was compressed to `bytes`. */
export function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Response(stream).text();
}

export function decodeI32(base64: string): Int32Array {
    return new Int32Array(decodeU8(base64).buffer);
}

export function decodeF32(base64: string): Float32Array {
    return new Float32Array(decodeU8(base64).buffer);
}

/** The first index in [from, to) whose value is at least `bound`, or `to`; values ascend. */
export function lowerBound(values: ArrayLike<number>, bound: number, from = 0, to = values.length) {
    while (from < to) {
        const middle = (from + to) >> 1;
        if (values[middle] < bound) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

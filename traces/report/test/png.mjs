// SPDX-License-Identifier: Apache-2.0
// Just enough of PNG for golden screenshots: reads 8-bit images without interlace, writes images
// of at most 256 colours.
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const kSignature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
const kChannels = { 2: 3, 3: 1, 6: 4 };

function* chunks(file) {
    for (let at = kSignature.length; at < file.length;) {
        const length = file.readUInt32BE(at);
        const type = file.toString('latin1', at + 4, at + 8);
        yield { type, data: file.subarray(at + 8, at + 8 + length) };
        at += 12 + length;
    }
}

function paeth(left, up, upLeft) {
    const estimate = left + up - upLeft;
    const distances = [left, up, upLeft].map((value) => Math.abs(estimate - value));
    const nearest = Math.min(...distances);
    return [left, up, upLeft][distances.indexOf(nearest)];
}

const kPredictors = [
    () => 0,
    (left) => left,
    (_, up) => up,
    (left, up) => (left + up) >> 1,
    paeth,
];

/** Undoes the filters of the lines. */
function unfilter(data, lineBytes, height, channels) {
    const lines = Buffer.alloc(lineBytes * height);
    for (let y = 0; y < height; ++y) {
        const predict = kPredictors[data[y * (lineBytes + 1)]];
        for (let x = 0; x < lineBytes; ++x) {
            const at = y * lineBytes + x;
            const left = x >= channels ? lines[at - channels] : 0;
            const up = y > 0 ? lines[at - lineBytes] : 0;
            const upLeft = x >= channels && y > 0 ? lines[at - lineBytes - channels] : 0;
            lines[at] = data[y * (lineBytes + 1) + 1 + x] + predict(left, up, upLeft);
        }
    }
    return lines;
}

/** Width, height and colours, three bytes for each pixel. */
export function decode(file) {
    const parts = [...chunks(file)];
    const part = (type) => parts.filter((chunk) => chunk.type === type).map(({ data }) => data);
    const [header] = part('IHDR');
    const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
    const channels = kChannels[header[9]];
    const data = inflateSync(Buffer.concat(part('IDAT')));
    const lines = unfilter(data, width * channels, height, channels);
    const [palette] = part('PLTE');
    const rgb = Buffer.alloc(width * height * 3);
    for (let pixel = 0; pixel < width * height; ++pixel) {
        const source = palette ?? lines;
        const from = palette ? lines[pixel] * 3 : pixel * channels;
        source.copy(rgb, pixel * 3, from, from + 3);
    }
    return { width, height, rgb };
}

/** Colours with fewer shades: four bits for each channel. */
function coarse(rgb, pixel) {
    return (rgb[pixel * 3] >> 4 << 8) | (rgb[pixel * 3 + 1] >> 4 << 4) | (rgb[pixel * 3 + 2] >> 4);
}

function channelsOf(color) {
    return [color >> 8, (color >> 4) & 15, color & 15].map((value) => value * 17);
}

function distance(a, b) {
    const [from, to] = [channelsOf(a), channelsOf(b)];
    return from.reduce((sum, value, index) => sum + (value - to[index]) ** 2, 0);
}

/** The 256 colours used most, and for every colour the nearest of them. */
function paletteOf(colors) {
    const uses = new Map();
    colors.forEach((color) => uses.set(color, (uses.get(color) ?? 0) + 1));
    const byUse = [...uses.keys()].sort((a, b) => uses.get(b) - uses.get(a) || a - b);
    const palette = byUse.slice(0, 256);
    const nearest = (color) => palette.reduce((best, candidate, index) =>
        distance(color, candidate) < distance(color, palette[best]) ? index : best, 0);
    return { palette, index: new Map(byUse.map((color) => [color, nearest(color)])) };
}

function chunk(type, data) {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
}

/** A small file of about the same colours. */
export function encode({ width, height, rgb }) {
    const colors = Array.from({ length: width * height }, (_, pixel) => coarse(rgb, pixel));
    const { palette, index } = paletteOf(colors);
    const lines = Buffer.alloc((width + 1) * height);
    colors.forEach((color, pixel) => {
        lines[pixel + Math.floor(pixel / width) + 1] = index.get(color);
    });
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 3, 0, 0, 0], 8);
    return Buffer.concat([
        kSignature,
        chunk('IHDR', header),
        chunk('PLTE', Buffer.from(palette.flatMap(channelsOf))),
        chunk('IDAT', deflateSync(lines, { level: 9 })),
        chunk('IEND', Buffer.alloc(0)),
    ]);
}

/** The share of pixels in which a channel of two images of one size differs by over `tolerance`. */
export function difference(a, b, tolerance) {
    const pixels = a.width * a.height;
    let different = 0;
    for (let pixel = 0; pixel < pixels; ++pixel) {
        const apart = [0, 1, 2].some((channel) =>
            Math.abs(a.rgb[pixel * 3 + channel] - b.rgb[pixel * 3 + channel]) > tolerance);
        different += Number(apart);
    }
    return different / pixels;
}

// SPDX-License-Identifier: Apache-2.0
// Sample data for the tests: the same bytes at every call.

/** Numbers in [0, 1) of a linear congruential generator. */
function randomNumbers(seed) {
    let state = seed >>> 0;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}

function base64(array) {
    return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
}

const i32 = (values) => base64(Int32Array.from(values));
const f32 = (values) => base64(Float32Array.from(values));
const u8 = (values) => base64(Uint8Array.from(values));

const kStates = ['busy', 'flag', 'cross_core', 'gm', 'sync', 'queue_full', 'launch'];
const kStallOf = { mte2: 'gm', mte1: 'flag', cube: 'flag', fixpipe: 'flag', scalar: 'queue_full',
    vector: 'flag', mte3: 'gm' };
const kOpOf = { mte2: 'copy', mte1: 'copy', cube: 'mmad', fixpipe: 'fixpipe', scalar: 'dispatch',
    vector: 'vmul', mte3: 'copy' };
const kTextOf = {
    mte2: 'copy l1[0] fp16 64x64, gm[0] fp16 64x64',
    mte1: 'copy l0a[0] fp16 64x64, l1[0] fp16 64x64',
    cube: 'mmad l0c[0] fp32 64x64, l0a[0] fp16 64x64, l0b[0] fp16 64x64',
    fixpipe: 'fixpipe gm[8192] fp16 64x64, l0c[0] fp32 64x64',
    vector: 'vmul ub[0] fp16 64x64, ub[0] fp16 64x64, ub[8192] fp16 64x64',
    mte3: 'copy gm[8192] fp16 64x64, ub[0] fp16 64x64',
    scalar: '',
};
const kCubePipes = ['scalar', 'mte2', 'mte1', 'cube', 'fixpipe'];
const kVectorPipes = ['scalar', 'mte2', 'vector', 'mte3'];

/** Texts by number, each kept once. */
class Interned {
    list = [];

    number(text) {
        const known = this.list.indexOf(text);
        return known >= 0 ? known : this.list.push(text) - 1;
    }
}

/** Slices of one lane: launch, then rounds of a stall, a wait and work, with gaps. */
function laneSlices(pipe, launch, perLane, random) {
    const slices = [{ start: 0, cycles: launch, state: 'launch', name: 'launch', detail: '' }];
    let time = launch + Math.floor(random() * 40);
    const add = (state, cycles, name, detail) => {
        slices.push({ start: time, cycles, state, name, detail });
        time += cycles;
    };
    while (slices.length < perLane) {
        const stall = kStallOf[pipe];
        add(stall, 20 + Math.floor(random() * 90), stall, `wait_flag to ${pipe} #0`);
        add('sync', 1, 'sync', `wait_flag to ${pipe} #0`);
        add('busy', 30 + Math.floor(random() * 160), kOpOf[pipe], kTextOf[pipe]);
        add('sync', 1, 'sync', `set_flag from ${pipe} #0`);
        time += Math.floor(random() * 30);
    }
    return slices.slice(0, perLane);
}

function lanesOf(cores) {
    return Array.from({ length: cores }, (_, core) => [
        ...kCubePipes.map((pipe) => ({ core: `core${core}.cube`, pipe })),
        ...kVectorPipes.map((pipe) => ({ core: `core${core}.vector0`, pipe })),
    ]).flat();
}

function endOf(slices) {
    const last = slices[slices.length - 1];
    return last.start + last.cycles;
}

function statistics(lane, slices, total) {
    const cycles = kStates.map((state) =>
        slices.filter((slice) => slice.state === state)
            .reduce((sum, slice) => sum + slice.cycles, 0));
    const covered = cycles.reduce((sum, value) => sum + value, 0);
    const instructions = slices.filter((slice) => slice.state === 'busy').length;
    return { ...lane, instructions, cycles, idle: total - covered };
}

/** From the work of each lane to that of the lane after it that ends next. */
function flowsBetween(lanes, cores) {
    const flows = [];
    for (let lane = 0; lane + 1 < lanes.length; ++lane) {
        const targets = lanes[lane + 1].filter((slice) => slice.name === 'sync');
        for (const slice of lanes[lane].filter(({ state }) => state === 'busy')) {
            const from = slice.start + slice.cycles;
            const target = targets.find((candidate) => candidate.start >= from);
            if (target && flows.length < 5000) {
                const to = target.start;
                const kind = cores[lane] === cores[lane + 1] ? 0 : 1;
                flows.push({ from_lane: lane, from, to_lane: lane + 1, to, kind });
            }
        }
    }
    return flows;
}

/** A path that changes the lane every few hundred cycles. */
function criticalPath(lanes, total) {
    const stretches = [];
    const step = Math.ceil(total / 60);
    for (let start = 0; start < total; start += step) {
        const lane = stretches.length % lanes.length;
        const reason = stretches.length % 3;
        stretches.push({ lane, start, end: Math.min(total, start + step), reason });
    }
    return stretches;
}

function series(group, name, unit, limit, total, level, random) {
    const step = 64;
    const count = Math.ceil(total / step);
    const values = Array.from({ length: count }, (_, index) => {
        const wave = 0.5 + 0.3 * Math.sin(index / 9 + level * 20) + 0.2 * random();
        return limit * level * wave;
    });
    return { group, name, unit, limit, step, values: f32(values) };
}

function allSeries(total, random) {
    return [
        series('utilisation', 'cube', '%', 100, total, 0.7, random),
        series('utilisation', 'vector', '%', 100, total, 0.4, random),
        series('utilisation', 'mte2', '%', 100, total, 0.55, random),
        series('gm', 'read', 'B/cycle', 2000, total, 0.6, random),
        series('gm', 'write', 'B/cycle', 2000, total, 0.3, random),
        series('occupancy', 'core0.cube L1', 'B', 524288, total, 0.5, random),
        series('occupancy', 'core0.cube L0A', 'B', 65536, total, 0.9, random),
        series('occupancy', 'core0.cube L0C', 'B', 131072, total, 0.3, random),
        series('occupancy', 'core0.vector0 UB', 'B', 196608, total, 0.6, random),
        series('queue', 'core0.cube mte2', '', 16, total, 0.9, random),
        series('queue', 'core0.cube cube', '', 16, total, 0.5, random),
    ];
}

function column(rows, key, encode = i32) {
    return encode(rows.map((row) => row[key]));
}

/** One run with `perLane` slices on each lane of its cores. */
export function sampleRun({ name, cores = 1, perLane = 200, launch = 2000, seed = 1 }) {
    const random = randomNumbers(seed);
    const lanes = lanesOf(cores);
    const slices = lanes.map((lane) => laneSlices(lane.pipe, launch, perLane, random));
    const total = Math.max(...slices.map(endOf));
    const names = new Interned();
    const details = new Interned();
    details.number('');
    const rows = slices.flatMap((list, lane) => list.map((slice) => ({
        ...slice,
        lane,
        name: names.number(slice.name),
        detail: details.number(slice.detail),
        state: kStates.indexOf(slice.state),
    })));
    const flows = flowsBetween(slices, lanes.map(({ core }) => core));
    const critical = criticalPath(lanes, total);
    return {
        name,
        hardware: 'ascend-910b',
        clock_mhz: 1850,
        job: '128 matrices of 64x64 fp16',
        cycles: total,
        launch,
        window: [0, total],
        states: kStates,
        lanes: lanes.map((lane, index) => statistics(lane, slices[index], total)),
        names: names.list,
        details: details.list,
        slices: {
            count: rows.length,
            lane: column(rows, 'lane'),
            start: column(rows, 'start'),
            cycles: column(rows, 'cycles'),
            name: column(rows, 'name'),
            state: column(rows, 'state', u8),
            detail: column(rows, 'detail'),
        },
        flows: {
            count: flows.length,
            from_lane: column(flows, 'from_lane'),
            from: column(flows, 'from'),
            to_lane: column(flows, 'to_lane'),
            to: column(flows, 'to'),
            kind: column(flows, 'kind', u8),
        },
        critical: {
            count: critical.length,
            lane: column(critical, 'lane'),
            start: column(critical, 'start'),
            end: column(critical, 'end'),
            reason: column(critical, 'reason', u8),
            reasons: ['work', 'issue', 'flag'],
        },
        series: allSeries(total, random),
        roofline: {
            peak: 4096,
            unit: 'MAC/cycle',
            roofs: [
                { name: 'L2 read', bytes_per_cycle: 2000 },
                { name: 'HBM', bytes_per_cycle: 700 },
            ],
            points: [{ name, bytes: 1e6 * seed, work: 4e6, per_cycle: 512 + 300 * seed }],
        },
        accuracy: [
            { name: 'largest relative error', value: 1.2e-3 * seed, note: 'against double' },
            { name: 'mean relative error', value: 2.1e-5 * seed },
        ],
        facts: [['matrices', '128'], ['order', '6']],
    };
}

function document(title, command, content) {
    return { schema: 1, npusim: '0.1.0', title, command, ...content };
}

export function oneRun() {
    return document('neumann, chunk 64 fp16, on ascend-910b', 'npusim run -k inverse/neumann', {
        runs: [sampleRun({ name: 'neumann' })],
    });
}

export function twoRuns() {
    return document(
        'forward_substitution against neumann, chunk 64 fp16 on ascend-910b',
        'npusim compare -k inverse/neumann:order=6 -k inverse/forward_substitution',
        {
            runs: [
                sampleRun({ name: 'neumann' }),
                sampleRun({ name: 'forward_substitution', perLane: 320, launch: 5000, seed: 2 }),
            ],
        },
    );
}

/** 100,008 slices on 72 lanes. */
export function manySlices() {
    return document('A run of 100,000 slices', 'npusim run', {
        runs: [sampleRun({ name: 'many', cores: 8, perLane: 1389 })],
    });
}

const kCubes = [8, 16, 32, 64];
const kVectors = [64, 128, 256, 512, 1024];
const kKernels = ['forward_substitution', 'neumann', 'recursive'];
const kClocks = [1000, 1400, 1850];

/** Whether none of the points is at least as good in all objectives, and better in one. */
function isOnFront(point, points) {
    return points.every((other) =>
        other === point
        || other.objectives.some((value, index) => value > point.objectives[index])
        || other.objectives.every((value, index) => value === point.objectives[index]));
}

/** 180 points; those of the largest cube with the widest vector failed. */
export function sweep() {
    const random = randomNumbers(7);
    const points = kCubes.flatMap((cube) => kVectors.flatMap((vector) =>
        kKernels.flatMap((kernel, kind) => kClocks.map((clock) => {
            const noise = 0.9 + 0.2 * random();
            const work = 4e5 / cube / (kind + 1) + 6e6 / vector / (3 - kind) + 2000;
            const area = 0.02 * cube * cube * 0.05 + 0.004 * vector;
            const failed = cube === 64 && vector === 1024 ? 'L0C: 64x64 does not fit' : null;
            const time = (work * noise) / clock;
            const energy = (area * clock * work) / 1e6;
            return {
                axes: [cube, vector, kernel, clock],
                objectives: failed ? null : [time, area, energy],
                failed,
                config: `core:\n  cube: {m: ${cube}}\n  vector: {width: ${vector}}\n`
                    + `clock_mhz: ${clock}\nkernel: ${kernel}\n`,
            };
        }))));
    const done = points.filter((point) => point.objectives);
    return document('Cube size, vector width, kernel and clock', 'npusim sweep sweeps/cube.yaml', {
        sweep: {
            title: 'cube size x vector width',
            axes: ['cube.m', 'vector.width', 'kernel', 'clock_mhz'].map((name) => ({ name })),
            objectives: [
                { name: 'time', unit: 'µs', direction: 'min' },
                { name: 'area', unit: 'mm2', direction: 'min' },
                { name: 'energy', unit: 'uJ', direction: 'min' },
            ],
            points: points.map((point, id) => ({
                id,
                ...point,
                front: point.objectives !== null && isOnFront(point, done),
            })),
        },
    });
}

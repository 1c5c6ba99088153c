// Where memories come to lie on the simulated machine that the environment describes: runs the scenario that its
// argument names, and sends what it found to its parent.
import { join } from 'node:path';
import { markAsUntransferable } from 'node:worker_threads';
import { DenseMemory, MeasureMemory } from 'engram';

const DIM = 16;
const ROW = 4 * (DIM + 1); // bytes of a row on the device

const rows = (count, dim = DIM) => Float32Array.from({ length: count * dim }, (_, i) => Math.sin(1 + i * i));
const shared = (array) => {
  const copy = new Float32Array(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
};
const queries = rows(3);

/** The code and message of what went wrong; undefined where nothing did. */
async function failure(work) {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

const from = (count, options) => DenseMemory.from(rows(count), { dim: DIM, ...options });
const found = async (memory) => [...(await memory.search(queries, { k: 4 })).indices];
/** Does the memory answer as one of the same rows on the CPU? */
const answers = async (memory) => `${await found(memory)}` === `${await found(from(memory.count, { device: 'cpu' }))}`;

/** A memory of blocks of so many rows, each of which the device has apart: less room is needed to bring them in. */
function inPieces(pieces, count) {
  const moving = { dim: DIM, device: 'cuda:0', ownership: 'transfer' };
  const all = rows(pieces * count);
  const piece = (i) => all.slice(i * count * DIM, (i + 1) * count * DIM);
  const memory = DenseMemory.from(piece(0), moving);
  for (let i = 1; i < pieces; ++i) memory.store(piece(i), { ownership: 'transfer' });
  return memory;
}

const clouds = (points) => ({
  points: rows(3 * points, 2),
  weights: new Float32Array(3 * points).fill(0.5),
  offsets: Uint32Array.of(0, points, 2 * points, 3 * points),
});
const transport = { dim: 2, epsilon: 0.5 };
const cue = () => ({ points: rows(10, 2) });
const divergences = async (memory) => `${(await memory.divergence(cue())).values}`;

/** What 'auto' makes of memories where the GPU takes none: the device of each, and whether it answers. */
async function automatic(folder, count, points) {
  const [dense, measures] = [join(folder, 'dense.safetensors'), join(folder, 'measures.safetensors')];
  await from(count, { device: 'cpu' }).save(dense);
  const onHost = MeasureMemory.from(clouds(points), { ...transport, device: 'cpu' });
  await onHost.save(measures);
  const growing = DenseMemory.from(new Float32Array(0), { dim: DIM });
  growing.store(rows(count));
  const memories = {
    from: from(count, {}),
    transferred: from(count, { device: 'auto', ownership: 'transfer' }),
    growing,
    open: await DenseMemory.open(dense),
    openSync: DenseMemory.openSync(dense, { device: 'auto' }),
  };
  const stored = {
    from: MeasureMemory.from(clouds(points), transport),
    transferred: MeasureMemory.from(clouds(points), { ...transport, ownership: 'transfer' }),
    open: await MeasureMemory.open(measures),
    openSync: MeasureMemory.openSync(measures),
  };
  const expected = await divergences(onHost);
  const report = {};
  for (const [how, memory] of Object.entries(memories)) {
    report[how] = `${memory.device} ${memory.deviceBytes} ${await answers(memory)}`;
  }
  for (const [how, memory] of Object.entries(stored)) {
    const same = (await divergences(memory)) === expected;
    report[`measures ${how}`] = `${memory.device} ${memory.deviceBytes} ${same}`;
  }
  return report;
}

const SCENARIOS = {
  async full(folder, bytes) {
    const [first, second] = [0.8, 0.19].map((share) => from(Math.floor((share * bytes) / ROW), { device: 'cuda:0' }));
    const array = rows(Math.floor((0.05 * bytes) / ROW));
    const rounded = await failure(() =>
      DenseMemory.from(array, { dim: DIM, storage: 'bf16', ownership: 'transfer' }),
    );
    return {
      memories: await automatic(folder, Math.floor((0.05 * bytes) / ROW), 1000),
      rounded,
      intact: array.length > 0,
      held: first.deviceBytes + second.deviceBytes,
    };
  },

  async lost(folder) {
    const first = from(50, { device: 'cuda:0' });
    return {
      call: await failure(() => found(first)),
      memories: await automatic(folder, 50, 20),
      explicit: await failure(() => from(50, { device: 'cuda:0' })),
      first: first.device,
    };
  },

  async missing() {
    return {
      automatic: await failure(() => from(10, { storage: 'bf16' })),
      shared: await failure(() => DenseMemory.from(shared(rows(10)), { dim: DIM, storage: 'f16' })),
      cpu: await failure(() => from(10, { storage: 'bf16', device: 'cpu' })),
    };
  },

  /** Arrays that are to be moved to a device without room for them. */
  async refused(_folder, bytes) {
    const first = from(Math.floor((0.7 * bytes) / ROW), { device: 'cuda:0' });
    const array = rows(Math.floor((0.2 * bytes) / ROW));
    const move = (memory) => memory.store(array, { ownership: 'transfer' });
    const moved = () => DenseMemory.from(array, { dim: DIM, device: 'cuda:0', ownership: 'transfer' });
    const growing = from(1, { device: 'cuda:0' });
    const { points, weights, offsets } = clouds(Math.floor(bytes / 60));
    const measures = () => MeasureMemory.from({ points, weights, offsets }, { ...transport, device: 'cuda:0', ownership: 'transfer' });
    const report = {
      refusals: [await failure(moved), await failure(() => move(growing)), await failure(measures)],
      lengths: [array.length, points.length, weights.length].map((length) => length > 0),
      count: growing.count,
      answered: await answers(growing),
    };
    first.dispose();
    // Room that was found for an array that cannot be moved is given back.
    const fixed = rows(Math.floor((0.6 * bytes) / ROW));
    markAsUntransferable(fixed.buffer);
    const stays = () => growing.store(fixed, { ownership: 'transfer' });
    report.fixed = [await failure(stays), await failure(stays)].map(({ code }) => code);
    const memory = moved();
    report.taken = [array.length, memory.device, memory.deviceBytes > 0, await answers(memory)];
    memory.dispose();
    const solving = measures();
    report.measuresTaken = [points.length, solving.device, solving.deviceBytes > 0];
    return report;
  },

  /** Memories that fit one after the other only: the room is there when a call has ended and dispose() returned. */
  async released(_folder, bytes) {
    const create = () => inPieces(12, Math.floor((0.044 * bytes) / ROW));
    const tooLarge = new Float32Array(DIM).fill(3e38); // fails alone, and the calls beside it are run again
    const ends = [
      (memory) => memory.search(queries, { k: 2 }),
      (memory) => memory.calibrate({ sample: 4 }),
      (memory) => Promise.all(Array.from({ length: 6 }, () => memory.search(queries, { k: 2 }))),
      (memory) =>
        Promise.allSettled(
          Array.from({ length: 12 }, (_, i) => memory.search(i === 5 ? tooLarge : queries, { k: 2 })),
        ),
      (memory) => memory.searchSync(queries, { k: 2 }),
    ];
    const failures = [];
    for (let round = 0; round < 4; ++round) {
      for (const [which, end] of ends.entries()) {
        const failed = await failure(async () => {
          const memory = create();
          try {
            await end(memory);
          } finally {
            memory.dispose();
          }
        });
        if (failed !== undefined) failures.push([round, which, failed]);
      }
    }
    return { failures };
  },

  /** One row more, on a device that the memory could not have for itself if it grew by as much again. */
  async alone(_folder, bytes) {
    const growing = inPieces(16, Math.floor((0.05 * bytes) / ROW));
    const before = growing.deviceBytes;
    const { first } = growing.store(rows(1));
    const { indices } = await growing.search(queries.slice(0, DIM), { k: 100 });
    return { grown: growing.deviceBytes - before, found: indices.includes(first) };
  },

  /** One row more than `count`: how much more room is taken. */
  async growth(_folder, ...counts) {
    return counts.map((count) => {
      const memory = DenseMemory.from(new Float32Array(count * DIM), { dim: DIM, device: 'cuda:0' });
      const before = memory.deviceBytes;
      memory.store(rows(1));
      const grown = memory.deviceBytes - before;
      memory.dispose();
      return { before, grown };
    });
  },

  /** Rows of one number, of which the device makes 16 bytes. */
  async narrow(_folder, bytes) {
    const count = Math.floor((0.6 * bytes) / 8);
    return DenseMemory.from(rows(count, 1), { dim: 1, device: 'cuda:0' }).deviceBytes;
  },

  /** Memories that nobody disposes of, and that have next to nothing on the host: their rows are mapped. */
  async forgotten(folder, bytes, memories) {
    const file = join(folder, 'forgotten.safetensors');
    const count = Math.floor(bytes / ROW);
    DenseMemory.from(new Float32Array(count * DIM), { dim: DIM, device: 'cpu' }).saveSync(file);
    let made = 0;
    const failed = await failure(async () => {
      for (; made < memories; ++made) await DenseMemory.open(file, { device: 'cuda:0' });
    });
    return { made, ...(failed && { failed }) };
  },

  /** Shared arrays: which memory keeps them, and where. */
  async shared() {
    const array = shared(rows(20));
    const of = (options) => {
      const memory = DenseMemory.from(array, { dim: DIM, ...options });
      let sees = true;
      try {
        sees = memory.patterns === array;
      } catch {
        sees = false;
      }
      return `${memory.device} ${sees}`;
    };
    const later = from(5, {});
    return {
      default: of({}),
      auto: of({ device: 'auto', ownership: 'auto' }),
      share: of({ ownership: 'share' }),
      copy: of({ ownership: 'copy' }),
      explicit: of({ device: 'cuda:0' }),
      values: DenseMemory.from(rows(20), { dim: DIM, values: array }).device,
      refused: await failure(() => of({ device: 'cuda:0', ownership: 'share' })),
      later: await failure(() => later.store(array, { ownership: 'share' })),
      copied: later.store(array).count,
    };
  },
};

const [scenario, folder, ...numbers] = process.argv.slice(2);
process.send(await SCENARIOS[scenario](folder, ...numbers.map(Number)));
process.disconnect();

// What a process meets on the simulated machine that its environment describes: runs the scenario that its
// argument names, and sends what it found to its parent.
import { DenseMemory, devices, MeasureMemory, softmax } from 'engram';

const DIM = 16;
const COUNT = 120;
const separation = softmax({ beta: 2 });

/** Rows that are the same in every process. */
const rows = (count, dim = DIM) => Float32Array.from({ length: count * dim }, (_, i) => Math.sin(1 + i * i));
const patterns = rows(COUNT);
const queries = patterns.slice(0, 3 * DIM);

const on = (device, count = COUNT) => DenseMemory.from(rows(count), { dim: DIM, device });

/** The code and message of what went wrong; undefined where nothing did. */
async function failure(work) {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

const found = async (memory) => [...(await memory.search(queries, { k: 4 })).indices];
const works = async (device) => `${await found(on(device))}` === `${await found(on('cpu'))}`;

const SCENARIOS = {
  /** What there is, and what 'auto' and 'cuda:0' make of it. */
  async listed() {
    const memory = on('auto');
    return {
      devices: devices(),
      auto: memory.device,
      answered: await works('auto'),
      refused: await failure(() => on('cuda:0')),
    };
  },

  /** Each of two devices, at the same time. */
  async both() {
    const memories = ['cuda:0', 'cuda:1'].map((device) => on(device));
    const answers = await Promise.all([...memories, on('cpu')].map(found));
    return {
      devices: devices(),
      auto: on('auto').device,
      same: answers.every((answer) => `${answer}` === `${answers[0]}`),
      bytes: memories.map(({ deviceBytes }) => deviceBytes > 0),
      refused: await failure(() => on('cuda:2')),
    };
  },

  /** A device that has room for one memory of its size, and not for two. */
  async crowded(memoryBytes) {
    const count = Math.floor((0.55 * memoryBytes) / 4 / (DIM + 1));
    const first = on('cuda:0', count);
    const refused = await failure(() => on('cuda:0', count));
    const growing = on('cuda:0', 1);
    const notStored = await failure(() => growing.store(rows(count)));
    const { count: stored } = growing;
    const answered = `${await found(growing)}` === `${await found(on('cpu', 1))}`;
    first.dispose();
    const second = on('cuda:0', count);
    return { refused, notStored, stored, answered, bytes: second.deviceBytes };
  },

  /** A device that has room for one more row, but not for as many again. */
  async tight(memoryBytes) {
    const count = Math.floor((0.3 * memoryBytes) / 4 / (DIM + 1));
    const growing = on('cuda:0', count);
    const other = on('cuda:0', Math.floor(1.2 * count));
    const before = growing.deviceBytes;
    const refused = await failure(() => growing.store(rows(1)));
    return { refused, grown: growing.deviceBytes - before, other: other.deviceBytes > 0 };
  },

  /** A device that holds the rows, and has no room to work on them. */
  async cramped(memoryBytes) {
    const full = on('cuda:0', Math.floor((0.8 * memoryBytes) / 4 / (DIM + 1)));
    const refused = await failure(() => found(full));
    const again = await failure(() => found(full));
    full.dispose();
    return { refused, again, answered: await works('cuda:0') };
  },

  /** A memory larger than its device: its rows pass through. */
  async larger(memoryBytes) {
    const options = { dim: 2, valueDim: 126 };
    const count = Math.ceil(memoryBytes / 4 / 128);
    const values = rows(count, 126);
    const of = (device) => DenseMemory.from(rows(count, 2), { ...options, values, device });
    const [there, here] = [of('cuda:0'), of('cpu')];
    const asked = rows(2, 2);
    const ask = async (memory) => ({
      indices: [...(await memory.search(asked, { k: 5 })).indices],
      energy: [...(await memory.energy(asked, { separation }))],
    });
    return { bytes: there.deviceBytes, there: await ask(there), here: await ask(here) };
  },

  /** Memories of measures on a device that has no room, or fails. */
  async measures(points) {
    const clouds = { points: rows(3 * points, 2), offsets: Uint32Array.of(0, points, 2 * points, 3 * points) };
    const small = { points: rows(30, 2), offsets: Uint32Array.of(0, 10, 20, 30) };
    const of = (device, stored) => MeasureMemory.from(stored, { dim: 2, epsilon: 0.5, device });
    const divergences = async (memory) => [...(await memory.divergence(small)).values];
    const first = of('cuda:0', clouds); // there is no room for two of these
    const refused = await failure(() => of('cuda:0', clouds));
    first.dispose();
    const memory = of('cuda:0', small);
    const calls = [await failure(() => divergences(memory)), await failure(() => divergences(memory))];
    return {
      refused,
      calls,
      dispose: await failure(() => memory.dispose()),
      cpu: (await divergences(of('cpu', small))).every(Number.isFinite),
    };
  },

  /** A device that fails sooner or later. */
  async failing() {
    const memory = on('cuda:0');
    let first;
    for (let call = 0; call < 1000 && first === undefined; ++call) first = await failure(() => found(memory));
    const then = {
      first,
      search: await failure(() => found(memory)),
      retrieve: await failure(() => memory.retrieve(queries, { separation })),
      sync: await failure(() => memory.searchSync(queries, { k: 1 })),
      store: await failure(() => memory.store(rows(100))),
      create: await failure(() => on('cuda:0')),
      many: await Promise.all(Array.from({ length: 20 }, () => failure(() => found(memory)))),
      dispose: await failure(() => memory.dispose()),
      other: await works('cuda:1'),
      cpu: await works('cpu'),
    };
    return then;
  },
};

const [scenario, ...numbers] = process.argv.slice(2);
process.send(await SCENARIOS[scenario](...numbers.map(Number)));
process.disconnect();

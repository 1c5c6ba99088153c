// Makes many memories of measures and forgets them, see growth.mjs.
import { MeasureMemory } from 'engram';
import { reportGrowth } from './growth.mjs';

const MIB = 2 ** 20;
const dim = 256;
const length = (8 * MIB) / 4;
const source = new Float32Array(length).map((_, i) => (i % 97) / 97);
const offsets = Uint32Array.from({ length: length / dim / 16 + 1 }, (_, k) => 16 * k); // clouds of 16 points
const queries = { points: source.slice(0, 8 * dim) };
const options = { dim, epsilon: 1 };
const flow = { beta: 1, steps: 1, maxIterations: 2 };

const WAYS = {
  // Forgotten without dispose(), after use.
  forget: async () => {
    const memory = MeasureMemory.from({ points: source, offsets }, options);
    await memory.divergence(queries, { maxIterations: 2 });
    return memory.nativeBytes;
  },
  // Forgotten while a call is under way. The call before it has ended, so that they cannot pile up.
  abandon: async () => {
    const memory = MeasureMemory.from({ points: source, offsets }, options);
    const before = abandoned;
    abandoned = memory.energy(queries, flow);
    await before;
    return memory.nativeBytes;
  },
  // Disposed.
  dispose: async () => {
    const memory = MeasureMemory.from({ points: source, offsets }, options);
    const bytes = memory.nativeBytes;
    memory.dispose();
    return bytes;
  },
  // Points that stay where they are, or are moved in.
  share: async () => {
    const points = new Float32Array(new SharedArrayBuffer(source.byteLength));
    points.set(source);
    await MeasureMemory.from({ points, offsets }, options).divergence(queries, { maxIterations: 2 });
    return points.byteLength;
  },
  transfer: async () => {
    const points = source.slice();
    const bytes = points.byteLength;
    MeasureMemory.from({ points, offsets }, { ...options, ownership: 'transfer' });
    return bytes;
  },
  // Many results of one memory.
  results: async () => {
    const { clouds } = await kept.retrieve(queries, { ...flow, trace: true });
    return clouds.points.byteLength;
  },
};
let abandoned;
const kept = MeasureMemory.from({ points: source.slice(0, 512 * dim), offsets: offsets.slice(0, 33) }, options);

await reportGrowth(WAYS[process.argv[2]]);

// Makes many memories and forgets them, and reports how far resident memory grew. Needs --expose-gc.
import { setImmediate } from 'node:timers/promises';
import { DenseMemory, softmax } from 'engram';

const ROUNDS = 150;
const MIB = 2 ** 20;
const dim = 256;
const patterns = new Float32Array((8 * MIB) / 4).map((_, i) => (i % 97) / 97);
const queries = patterns.slice(0, 4 * dim);

const WAYS = {
  // Forgotten without dispose(), after use.
  forget: async () => {
    const memory = DenseMemory.from(patterns, { dim, ownership: 'copy' });
    await memory.retrieve(queries, { separation: softmax({ beta: 1 }) });
    return memory.nativeBytes;
  },
  // Forgotten while a call is under way that nobody waits for.
  abandon: async () => {
    const memory = DenseMemory.from(patterns, { dim, ownership: 'copy' });
    void memory.search(queries, { k: 3 });
    return memory.nativeBytes;
  },
  // Disposed.
  dispose: async () => {
    const memory = DenseMemory.from(patterns, { dim, ownership: 'copy' });
    const bytes = memory.nativeBytes;
    memory.dispose();
    return bytes;
  },
  // allocate() keeps its patterns in a SharedArrayBuffer.
  allocate: async () => {
    const memory = DenseMemory.allocate(patterns.length / dim, dim);
    memory.patterns.set(patterns);
    await memory.search(queries, { k: 3 });
    return patterns.byteLength;
  },
  // Many results of one memory.
  results: async () => {
    const out = await kept.search(patterns.slice(0, 64 * dim), { k: 5 });
    return out.indices.byteLength;
  },
};
const kept = DenseMemory.from(patterns.slice(0, 512 * dim), { dim, ownership: 'copy' });

async function settle() {
  for (let i = 0; i < 3; ++i) {
    globalThis.gc();
    await setImmediate();
  }
}

const way = WAYS[process.argv[2]];
for (let round = 0; round < 10; ++round) await way();
await settle();
const before = process.memoryUsage().rss;
let bytes = 0;
let peak = before;
for (let round = 0; round < ROUNDS; ++round) {
  bytes += await way();
  if (round % 5 === 4) await settle();
  peak = Math.max(peak, process.memoryUsage().rss);
}
await settle();
process.send({ made: bytes, peakGrowth: peak - before, growth: process.memoryUsage().rss - before });
process.disconnect();

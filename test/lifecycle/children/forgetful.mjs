// Makes many dense memories and forgets them, see growth.mjs.
import { DenseMemory, softmax } from 'engram';
import { reportGrowth } from './growth.mjs';

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

await reportGrowth(WAYS[process.argv[2]]);

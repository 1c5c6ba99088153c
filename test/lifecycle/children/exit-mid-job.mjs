// Ends this process in the way its first argument names, the second argument's milliseconds after
// long calls have begun.
import { DenseMemory, MeasureMemory, softmax } from 'engram';

const [way, delay] = process.argv.slice(2);
const dim = 64;
const rows = 20_000;
// Items x and -x at the critical temperature: a retrieval settles after some 100,000 updates only.
const patterns = Float32Array.from({ length: rows * dim }, (_, e) => (Math.floor(e / dim) % 2 === 0 ? 0.125 : -0.125));
const memory = DenseMemory.from(patterns, { dim });
const separation = softmax({ beta: 1 });
const queries = new Float32Array(64 * dim).fill(0.125);
// The natural end waits for its calls, so those are short.
const steps = way === 'end' ? 2 : 2 ** 31;
// A flow of steps so small that it never arrives.
const clouds = { points: patterns.slice(0, 60 * dim), offsets: Uint32Array.of(0, 20, 60) };
const stepSize = { points: 1e-6, weights: 1e-6 };
const pending = Promise.all([
  memory.retrieve(queries, { separation, similarity: 'dot', steps, onProgress: () => {} }),
  MeasureMemory.from(clouds, { dim, epsilon: 1 }).retrieve(clouds, { beta: 1, stepSize, flowTolerance: 0, steps }),
]);
pending.then(() => console.log('settled'));

const WAYS = {
  end: () => {},
  exit: () => process.exit(7),
  throw: () => {
    throw new Error('on purpose');
  },
  dispose: () => {
    memory.dispose();
    process.exit(7);
  },
};
if (way === 'sync-in-exit') {
  process.on('exit', () => memory.searchSync(patterns.slice(0, dim), { k: 1 }));
  setTimeout(() => process.exit(7), Number(delay));
} else {
  setTimeout(WAYS[way], Number(delay));
}

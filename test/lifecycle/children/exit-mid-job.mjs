// Ends this process in the way its first argument names, the second argument's milliseconds after
// long calls have begun.
import { DenseMemory, softmax } from 'engram';

const [way, delay] = process.argv.slice(2);
const dim = 64;
const patterns = new Float32Array(new SharedArrayBuffer(40_000 * dim * 4)).map((_, i) => Math.sin(i));
const memory = DenseMemory.from(patterns, { dim });
const separation = softmax({ beta: 0.1 });
// The natural end waits for its call, so that one is short.
const steps = way === 'end' ? 2 : 10_000;
const pending = memory.retrieve(patterns.slice(0, 64 * dim), { separation, steps, onProgress: () => {} });
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

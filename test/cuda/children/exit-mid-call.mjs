// Ends this process in the way its first argument names, the second argument's milliseconds after long calls
// on a device have begun, with memories there.
import { DenseMemory, softmax } from 'engram';

const [way, delay] = process.argv.slice(2);
const dim = 8;
const rows = 200;
// Items x and -x at the critical temperature: a retrieval settles after some 100,000 updates only.
const patterns = Float32Array.from({ length: rows * dim }, (_, e) => (Math.floor(e / dim) % 2 === 0 ? 1 : -1) / Math.sqrt(dim));
const memory = DenseMemory.from(patterns, { dim, device: 'cuda:0' });
const idle = DenseMemory.from(patterns, { dim, device: 'cuda:0' });
await idle.search(patterns.slice(0, dim), { k: 1 });
const queries = new Float32Array(4 * dim).fill(1 / Math.sqrt(dim));
// The natural end waits for its calls, so those are short.
const steps = way === 'end' ? 2 : 2 ** 31;
const options = { separation: softmax({ beta: 1 }), similarity: 'dot', steps };
const pending = Promise.all(Array.from({ length: 6 }, () => memory.retrieve(queries, options)));
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
setTimeout(WAYS[way], Number(delay));

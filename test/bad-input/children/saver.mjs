// Saves a memory of the given size to a path, and reports the error it met.
import { DenseMemory } from 'engram';

const [path, count, dim] = process.argv.slice(2);
const memory = DenseMemory.from(new Float32Array(Number(count) * Number(dim)).fill(1), { dim: Number(dim) });
const outcome = await memory.save(path).then(
  () => ({ saved: true }),
  ({ name, code, cause, message }) => ({ name, code, cause: cause?.code, message }),
);
// The memory is unharmed by the failure.
const { indices } = await memory.search(new Float32Array(Number(dim)).fill(1), { k: 1 });
console.log(JSON.stringify({ ...outcome, found: indices[0] }));

// Saves two memories in turn to the same path until it is killed.
import { DenseMemory } from 'engram';

const [path, count, dim] = process.argv.slice(2);
const size = Number(count) * Number(dim);
const memories = [1, 2].map((value) => DenseMemory.from(new Float32Array(size).fill(value), { dim: Number(dim) }));
for (let i = 0; ; ++i) {
  await memories[i % 2].save(path);
  if (i === 1) process.send('saving');
}

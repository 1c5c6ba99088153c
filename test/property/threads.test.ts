/** The same input gives the same bits whatever the number of threads. */
import fc from 'fast-check';
import { configure, DenseMemory, softmax } from '../support/engram.js';
import { gaussian, noisyRows, seeded } from '../support/random.js';
import { expectSameBits } from '../support/expectations.js';
import { restoreThreads } from '../support/threads.js';

const THREADS = [1, 2, 3, 4];

/** Large enough to be cut into many strands, with sums whose order would show. */
const largeScenes = fc
  .record({
    count: fc.integer({ min: 2000, max: 12000 }),
    dim: fc.integer({ min: 8, max: 80 }),
    queryCount: fc.constantFrom(1, 2, 5, 16, 33, 130),
    similarity: fc.constantFrom('euclidean' as const, 'cosine' as const, 'dot' as const),
    steps: fc.constantFrom(1, 2),
    valueDim: fc.constantFrom(0, 3),
    seed: fc.nat(),
  })
  .map((shape) => {
    const random = seeded(shape.seed);
    const keys = gaussian(random, shape.count, shape.dim);
    const queries = noisyRows(random, keys, shape.dim, shape.queryCount, 0.5);
    const values = gaussian(random, shape.count, shape.valueDim);
    const spread = shape.similarity === 'cosine' ? 1 / Math.sqrt(shape.dim) : Math.sqrt(shape.dim);
    return { ...shape, keys, queries, values, beta: 2 / spread };
  });

describe('determinism over threads', function () {
  this.timeout(60_000);
  restoreThreads();

  it('retrieval, energies, search and association have the same bits on 1 to 4 threads', async () => {
    await fc.assert(
      fc.asyncProperty(largeScenes, async (scene) => {
        const { keys, dim, values, valueDim, queries, similarity, steps, beta } = scene;
        const pair = valueDim > 0 ? { values, valueDim } : {};
        const memory = DenseMemory.from(keys, { dim, ...pair });
        const options = { separation: softmax({ beta }), similarity, steps };
        const answers: ArrayBufferView[][] = [];
        for (const threads of THREADS) {
          configure({ threads });
          const recalled = await memory.retrieve(queries, options);
          const found = await memory.search(queries, { k: 20, similarity });
          const association = await memory.association(queries, { ...options, top: 20 });
          answers.push([
            recalled.patterns, recalled.values, recalled.energy, found.indices, found.scores,
            association.indices, association.weights, await memory.energy(queries, options),
          ]);
        }
        for (const other of answers.slice(1)) {
          other.forEach((view, part) => expectSameBits(view, answers[0]![part]!, `part ${part}`));
        }
        memory.dispose();
      }),
      { numRuns: 12 },
    );
  });

  it('calibration has the same bits on 1 to 4 threads', async () => {
    const memory = DenseMemory.from(gaussian(seeded(5), 3000, 32), { dim: 32 });
    const betas: Float32Array[] = [];
    for (const threads of THREADS) {
      configure({ threads });
      betas.push(Float32Array.of((await memory.calibrate({ sample: 100, seed: 9 })).beta));
    }
    for (const beta of betas) expectSameBits(beta, betas[0]!, 'beta');
  });
});

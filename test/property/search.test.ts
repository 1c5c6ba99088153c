/** What holds of exact search whatever is stored and asked. */
import { expect } from 'chai';
import fc from 'fast-check';
import { DenseMemory } from '../support/engram.js';
import { permutation, reordered, scenes } from '../support/arbitraries.js';
import { expectSameBits } from '../support/expectations.js';
import { integers, seeded } from '../support/random.js';
import { row, search } from '../support/reference.js';

/** Integers small enough that every Float32 score is exact: rankings, ties included, have one answer. */
const exactScenes = fc
  .record({
    count: fc.integer({ min: 1, max: 300 }),
    dim: fc.integer({ min: 1, max: 40 }),
    queryCount: fc.integer({ min: 1, max: 20 }),
    k: fc.integer({ min: 1, max: 320 }),
    similarity: fc.constantFrom('euclidean' as const, 'dot' as const),
    limit: fc.integer({ min: 1, max: 20 }),
    seed: fc.nat(),
  })
  .map((shape) => {
    const random = seeded(shape.seed);
    const keys = integers(random, shape.count, shape.dim, shape.limit);
    return { ...shape, keys, queries: integers(random, shape.queryCount, shape.dim, shape.limit) };
  });

describe('search properties', function () {
  this.timeout(60_000);

  it('equals sorting all scores, ties by lower index', async () => {
    await fc.assert(
      fc.asyncProperty(exactScenes, async ({ keys, dim, queries, queryCount, k, similarity }) => {
        const result = await DenseMemory.from(keys, { dim }).search(queries, { k, similarity });
        for (let i = 0; i < queryCount; ++i) {
          const expected = search({ keys, dim }, similarity, row(queries, dim, i), k);
          const range = [i * result.k, (i + 1) * result.k] as const;
          expect([...result.indices.subarray(...range)]).to.deep.equal(expected.indices);
          expect([...result.scores.subarray(...range)]).to.deep.equal(expected.scores);
        }
      }),
    );
  });

  it('k is cut to the number of items', async () => {
    await fc.assert(
      fc.asyncProperty(exactScenes, async ({ keys, dim, queries, count, k, similarity }) => {
        const result = await DenseMemory.from(keys, { dim }).search(queries, { k, similarity });
        expect(result.k).to.equal(Math.min(k, count));
      }),
    );
  });

  it('a permutation of the items permutes the indices and keeps the scores', async () => {
    await fc.assert(
      fc.asyncProperty(exactScenes, async ({ keys, dim, queries, count, k, similarity, seed }) => {
        const order = permutation(count, seed);
        const plain = await DenseMemory.from(keys, { dim }).search(queries, { k, similarity });
        const shuffled = DenseMemory.from(reordered(keys, dim, order), { dim });
        const other = await shuffled.search(queries, { k, similarity });
        expectSameBits(other.scores, plain.scores, 'scores');
        other.indices.forEach((index, r) => {
          // Ties may come in another order: compare what was found by its content.
          const original = order[index]! * dim;
          const found = plain.indices[r]! * dim;
          const query = Math.floor(r / other.k) * dim;
          const score = (at: number): number => exactScore(similarity, keys, at, queries, query, dim);
          expect(score(original)).to.equal(score(found));
        });
      }),
    );
  });

  it('finds each stored item first when asked for it', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ dim: 70, similarities: ['euclidean'] }), async ({ stored, dim, count }) => {
        // In more than one dimension random normals lie further apart than Float32 errors.
        fc.pre(dim >= 4);
        const { indices } = await DenseMemory.from(stored.keys, { dim }).search(stored.keys, { k: 1 });
        expect([...indices]).to.deep.equal(Array.from({ length: count }, (_, j) => j));
      }),
    );
  });

  it('among duplicates the lowest index comes first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 2, max: 200 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom('euclidean' as const, 'cosine' as const, 'dot' as const),
        async (dim, count, queryCount, similarity) => {
          const random = seeded(dim * 1009 + count);
          const one = Float32Array.from({ length: dim }, () => random.normal());
          const keys = reordered(one, dim, new Array<number>(count).fill(0));
          const queries = Float32Array.from({ length: queryCount * dim }, () => random.normal());
          const { indices } = await DenseMemory.from(keys, { dim }).search(queries, { k: count, similarity });
          const ascending = Array.from({ length: count }, (_, j) => j);
          for (let i = 0; i < queryCount; ++i) {
            expect([...indices.subarray(i * count, (i + 1) * count)]).to.deep.equal(ascending);
          }
        },
      ),
    );
  });
});

function exactScore(
  similarity: 'euclidean' | 'dot',
  keys: Float32Array,
  at: number,
  queries: Float32Array,
  query: number,
  dim: number,
): number {
  let score = 0;
  for (let d = 0; d < dim; ++d) {
    const [q, x] = [queries[query + d]!, keys[at + d]!];
    score += similarity === 'dot' ? q * x : -0.5 * (q - x) * (q - x);
  }
  return score;
}

/** Numbers that only a pass over the memory can find wrong, and memories that hold nothing. */
import { expect } from 'chai';
import { DenseMemory, EngramError, softmax } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { gaussian, misaligned, seeded } from '../support/random.js';

const dim = 24;
const count = 3000;
const separation = softmax({ beta: 1 });
const query = gaussian(seeded(71), 1, dim);
const batch = gaussian(seeded(72), 40, dim);

/** Every call that reads the whole memory. */
const CALLS: Record<string, (memory: DenseMemory, queries: Float32Array) => Promise<unknown>> = {
  retrieve: (memory, queries) => memory.retrieve(queries, { separation }),
  'retrieve cosine': (memory, queries) => memory.retrieve(queries, { separation, similarity: 'cosine' }),
  'retrieve dot': (memory, queries) => memory.retrieve(queries, { separation, similarity: 'dot' }),
  search: (memory, queries) => memory.search(queries, { k: 3 }),
  'search cosine': (memory, queries) => memory.search(queries, { k: 3, similarity: 'cosine' }),
  'search dot': (memory, queries) => memory.search(queries, { k: 3, similarity: 'dot' }),
  energy: (memory, queries) => memory.energy(queries, { separation }),
  association: (memory, queries) => memory.association(queries, { separation }),
  'association top': (memory, queries) => memory.association(queries, { separation, top: 2 }),
};

describe('numbers that are no numbers', function () {
  this.timeout(60_000);

  for (const [call, run] of Object.entries(CALLS)) {
    for (const bad of [NaN, Infinity, -Infinity]) {
      it(`${call}: ${bad} written into an allocated memory`, async () => {
        const memory = DenseMemory.allocate(count, dim);
        memory.patterns.set(gaussian(seeded(73), count, dim));
        memory.patterns[1234 * dim + 5] = bad;
        for (const queries of [query, batch]) {
          const error = await expectRejection(run(memory, queries), 'ERR_ENGRAM_NONFINITE');
          expect(error.message).to.include('1234').and.to.include('5');
        }
        // Put right, the memory works.
        memory.patterns[1234 * dim + 5] = 0;
        await run(memory, query);
      });
    }
  }

  it('an infinity at which the query is zero is found as well', async () => {
    const memory = DenseMemory.allocate(count, dim);
    memory.patterns.set(gaussian(seeded(73), count, dim));
    memory.patterns[77 * dim] = Infinity;
    const zero = query.slice();
    zero[0] = 0;
    for (const [, run] of Object.entries(CALLS)) {
      await expectRejection(run(memory, zero), 'ERR_ENGRAM_NONFINITE');
    }
  });

  it('a NaN in a removed item harms nobody, or is named', async () => {
    const memory = DenseMemory.allocate(count, dim);
    memory.patterns.set(gaussian(seeded(73), count, dim));
    memory.patterns[9 * dim] = NaN;
    memory.remove([9]);
    for (const [, run] of Object.entries(CALLS)) {
      const outcome = await run(memory, query).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).to.have.property('code', 'ERR_ENGRAM_NONFINITE');
      else expect(JSON.stringify(outcome)).to.not.include('null'); // JSON writes NaN as null
    }
  });

  it('a NaN in separate values is found', async () => {
    const values = misaligned(gaussian(seeded(74), count, 3), 0, SharedArrayBuffer);
    const keys = misaligned(gaussian(seeded(73), count, dim), 0, SharedArrayBuffer);
    const memory = DenseMemory.from(keys, { dim, values, valueDim: 3 });
    values[100] = NaN;
    for (const queries of [query, batch]) {
      await expectRejection(memory.retrieve(queries, { separation }), 'ERR_ENGRAM_NONFINITE');
    }
  });

  it('queries with NaN or infinity are refused by name', async () => {
    const memory = DenseMemory.from(gaussian(seeded(73), count, dim), { dim });
    for (const [, run] of Object.entries(CALLS)) {
      for (const bad of [NaN, Infinity, -Infinity]) {
        const queries = batch.slice();
        queries[7 * dim + 3] = bad;
        const error = await expectRejection(run(memory, queries), 'ERR_ENGRAM_NONFINITE');
        expect(error.message).to.include('7').and.to.include('3');
      }
    }
  });
});

describe('scores that overflow Float32', () => {
  const huge = new Float32Array(10 * dim).fill(3e38);
  const small = gaussian(seeded(75), 10, dim);

  for (const [call, run] of Object.entries(CALLS)) {
    it(`${call}: ERR_ENGRAM_RANGE, never NaN`, async () => {
      for (const [stored, queries] of [[huge, huge], [small, huge], [huge, small]] as const) {
        for (const rows of [1, 10]) {
          const memory = DenseMemory.from(stored, { dim });
          const outcome = await run(memory, queries.slice(0, rows * dim)).catch((error: unknown) => error);
          if (outcome instanceof Error) {
            expect(outcome).to.be.instanceOf(EngramError).with.property('code', 'ERR_ENGRAM_RANGE');
          } else {
            // Some of these scores fit; then the answer must be one.
            expect(allFinite(outcome)).to.equal(true);
          }
        }
      }
    });
  }

  it('the largest numbers whose scores fit are searched and recalled', async () => {
    const keys = Float32Array.from({ length: 8 * dim }, (_, i) => (Math.floor(i / dim) === i % dim ? 1e18 : 0));
    const memory = DenseMemory.from(keys, { dim });
    const { indices } = await memory.search(keys, { k: 1 });
    expect([...indices]).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    const { patterns } = await memory.retrieve(keys, { separation: softmax({ beta: 1e-30 }) });
    expect(patterns).to.deep.equal(keys);
  });

  it('the sharpest beta picks the nearest item', async () => {
    const memory = DenseMemory.from(small, { dim });
    const { patterns, energy } = await memory.retrieve(small, { separation: softmax({ beta: 1e30 }) });
    expect(allFinite({ patterns, energy })).to.equal(true);
    expect(patterns).to.deep.equal(small);
  });
});

describe('memories without items', () => {
  it('all items removed: every call is ERR_ENGRAM_SHAPE until something is stored', async () => {
    const memory = DenseMemory.from(batch, { dim });
    expect(memory.remove(Array.from({ length: 40 }, (_, i) => i))).to.equal(40);
    for (const [, run] of Object.entries(CALLS)) await expectRejection(run(memory, query), 'ERR_ENGRAM_SHAPE');
    await expectRejection(memory.calibrate(), 'ERR_ENGRAM_SHAPE');
    expect(memory.store(query)).to.deep.equal({ first: 40, count: 1 });
    const { indices, k } = await memory.search(query, { k: 5 });
    expect([k, indices[0]]).to.deep.equal([1, 40]);
  });

  it('calibration without an item that can stand out is ERR_ENGRAM_RANGE', async () => {
    const memory = DenseMemory.from(new Float32Array(10 * dim).fill(1), { dim });
    await expectRejection(memory.calibrate(), 'ERR_ENGRAM_RANGE');
  });
});

/** No typed array within has a NaN or an infinity. */
function allFinite(result: unknown): boolean {
  if (ArrayBuffer.isView(result)) return Array.from(result as Float32Array).every(Number.isFinite);
  if (typeof result !== 'object' || result === null) return true;
  return Object.values(result).every(allFinite);
}

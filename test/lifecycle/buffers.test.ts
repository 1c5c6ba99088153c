/** Callers' buffers while calls run: changed, detached, transferred, written by others. */
import { expect } from 'chai';
import { DenseMemory, EngramError, softmax } from '../support/engram.js';
import { expectSameBits } from '../support/expectations.js';
import { gaussian, misaligned, seeded } from '../support/random.js';

const dim = 64;
const patterns = gaussian(seeded(41), 8000, dim);
const separation = softmax({ beta: 0.2 });

/** Takes the memory away from an array, as a caller may at any time. */
const detach = (array: Float32Array): void => {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
};

describe('buffers of the caller', function () {
  this.timeout(60_000);
  const memory = DenseMemory.from(patterns, { dim });
  const fresh = (): Float32Array => patterns.slice(0, 64 * dim);

  it('queries may be overwritten as soon as the call has returned', async () => {
    const expected = memory.retrieveSync(fresh(), { separation });
    const queries = fresh();
    const promise = memory.retrieve(queries, { separation });
    queries.fill(NaN);
    expectSameBits((await promise).patterns, expected.patterns, 'patterns');
  });

  it('queries may be detached as soon as the call has returned', async () => {
    const expected = memory.searchSync(fresh(), { k: 5 });
    const queries = fresh();
    const promise = memory.search(queries, { k: 5 });
    detach(queries);
    expectSameBits((await promise).indices, expected.indices, 'indices');
  });

  it('stored patterns that were copied may be overwritten and detached', async () => {
    const source = patterns.slice();
    const copy = DenseMemory.from(source, { dim, ownership: 'copy' });
    const expected = memory.searchSync(fresh(), { k: 5 });
    const promise = copy.search(fresh(), { k: 5 });
    source.fill(0);
    detach(source);
    expectSameBits((await promise).scores, expected.scores, 'scores');
  });

  it('out is where the result goes, also in the middle of a buffer', async () => {
    const out = misaligned(new Float32Array(64 * dim), 3);
    const expected = memory.retrieveSync(fresh(), { separation });
    const result = await memory.retrieve(fresh(), { separation, out });
    expect(result.patterns).to.equal(out);
    expectSameBits(out, expected.patterns, 'patterns');
    expect(new Float32Array(out.buffer, 0, 3)).to.deep.equal(new Float32Array(3));
  });

  it('out that is detached while the call runs is an error and nothing worse', async () => {
    for (let round = 0; round < 20; ++round) {
      const out = new Float32Array(64 * dim);
      const promise = memory.retrieve(fresh(), { separation, steps: 5, out });
      detach(out);
      const error = await promise.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).to.be.instanceOf(EngramError).with.property('code', 'ERR_ENGRAM_TYPE');
    }
  });

  it('out in shared memory is written in place', async () => {
    const out = misaligned(new Float32Array(64 * dim), 1, SharedArrayBuffer);
    const expected = memory.retrieveSync(fresh(), { separation });
    await memory.retrieve(fresh(), { separation, out });
    expectSameBits(out, expected.patterns, 'patterns');
  });

  it('transfer leaves the source detached and the memory whole', async () => {
    const source = patterns.slice();
    const moved = DenseMemory.from(source, { dim, ownership: 'transfer' });
    expect(source.length).to.equal(0);
    const expected = memory.searchSync(fresh(), { k: 5 });
    expectSameBits((await moved.search(fresh(), { k: 5 })).scores, expected.scores, 'scores');
    const more = patterns.slice(0, dim);
    expect(moved.store(more, { ownership: 'transfer' })).to.deep.equal({ first: 8000, count: 1 });
    expect(more.length).to.equal(0);
  });

  it('a shared buffer is the memory: what is written there is found', async () => {
    const shared = misaligned(patterns, 0, SharedArrayBuffer);
    const live = DenseMemory.from(shared, { dim });
    expect(live.patterns.buffer).to.equal(shared.buffer);
    const marker = new Float32Array(dim).fill(50);
    shared.set(marker, 77 * dim);
    const { indices, scores } = await live.search(marker, { k: 1 });
    expect([indices[0], scores[0]]).to.deep.equal([77, 0]);
  });

  it('an allocated memory is filled through its view', async () => {
    const allocated = DenseMemory.allocate(100, dim);
    expect(allocated.patterns).to.have.lengthOf(100 * dim);
    allocated.patterns.set(patterns.subarray(0, 100 * dim));
    const { indices } = await allocated.search(fresh(), { k: 1 });
    expect([...indices]).to.deep.equal(Array.from({ length: 64 }, (_, i) => i));
  });

  it('growing a memory copies nothing that is stored and answers stay right', async () => {
    const growing = DenseMemory.from(patterns.slice(0, dim), { dim });
    const calls: Promise<{ indices: Uint32Array }>[] = [];
    for (let i = 1; i < 2000; ++i) {
      const one = patterns.slice(i * dim, (i + 1) * dim);
      expect(growing.store(one).first).to.equal(i);
      if (i % 50 === 0) calls.push(growing.search(one, { k: 1 }));
    }
    const found = (await Promise.all(calls)).map(({ indices }) => indices[0]);
    expect(found).to.deep.equal(Array.from({ length: found.length }, (_, i) => 50 * (i + 1)));
    // Arenas double: at most twice what was stored, and a page or so.
    expect(growing.nativeBytes).to.be.lessThan(2 * 2000 * dim * 4 + 2 ** 21);
  });
});

/** Memories that are disposed: at rest, twice, and while calls run. */
import { expect } from 'chai';
import { DenseMemory, EngramError, softmax } from '../support/engram.js';
import { expectRejection, expectSameBits } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

const dim = 32;
const patterns = gaussian(seeded(31), 10_000, dim);
const queries = patterns.slice(0, 64 * dim);
const separation = softmax({ beta: 0.5 });

describe('dispose', function () {
  this.timeout(60_000);

  it('lets calls under way end with the right answer or ERR_ENGRAM_DISPOSED', async () => {
    const expected = DenseMemory.from(patterns, { dim }).searchSync(queries, { k: 3 });
    for (let round = 0; round < 30; ++round) {
      const memory = DenseMemory.from(patterns, { dim });
      const calls = Array.from({ length: 5 }, () => memory.search(queries, { k: 3 }));
      const long = memory.retrieve(queries, { separation, steps: 20 });
      memory.dispose();
      for (const outcome of await Promise.allSettled([...calls, long])) {
        if (outcome.status === 'rejected') {
          expect(outcome.reason).to.be.instanceOf(EngramError).with.property('code', 'ERR_ENGRAM_DISPOSED');
        } else if ('indices' in outcome.value) {
          expectSameBits(outcome.value.indices, expected.indices, 'indices');
        }
      }
    }
  });

  it('makes every later call fail with ERR_ENGRAM_DISPOSED', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    memory.dispose();
    for (const call of [
      () => memory.retrieve(queries, { separation }),
      () => memory.search(queries, { k: 1 }),
      () => memory.energy(queries, { separation }),
      () => memory.association(queries, { separation }),
      () => memory.calibrate(),
      () => memory.save('/nowhere/at/all'),
    ]) {
      await expectRejection(call(), 'ERR_ENGRAM_DISPOSED');
    }
    for (const call of [
      () => memory.store(queries),
      () => memory.remove([0]),
      () => memory.searchSync(queries, { k: 1 }),
      () => memory.retrieveSync(queries, { separation }),
    ]) {
      expect(call).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_DISPOSED');
    }
  });

  it('may be called twice, and is what Symbol.dispose calls', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    memory.dispose();
    memory.dispose();
    const other = DenseMemory.from(patterns, { dim });
    other[Symbol.dispose]();
    await expectRejection(other.search(queries, { k: 1 }), 'ERR_ENGRAM_DISPOSED');
  });

  it('gives native memory back', () => {
    const memory = DenseMemory.from(patterns, { dim, ownership: 'copy' });
    expect(memory.nativeBytes).to.be.at.least(patterns.byteLength);
    memory.dispose();
    expect(memory.nativeBytes).to.equal(0);
  });
});

/** Memories that are forgotten give back what they held. Each way runs in a process of its own. */
import { expect } from 'chai';
import { reportOf } from '../support/child.js';

const FORGETFUL = new URL('./children/forgetful.mjs', import.meta.url);
const MIB = 2 ** 20;

interface Growth {
  /** Bytes of all memories made. */
  readonly made: number;
  /** How far resident memory rose at most, and in the end. */
  readonly peakGrowth: number;
  readonly growth: number;
}

/**
 * 150 memories of 8 MiB: 1.2 GiB. Between two collections 5 of them live (40 MiB), and calls under way
 * and the allocator's own reserves may hold a few more.
 */
const PEAK = 200 * MIB;
const END = 100 * MIB;

describe('forgotten memories', function () {
  this.timeout(60_000);

  for (const way of ['forget', 'abandon', 'dispose', 'allocate']) {
    it(`${way}: resident memory stays bounded`, async () => {
      const { made, peakGrowth, growth } = await reportOf<Growth>(FORGETFUL, [way], {}, ['--expose-gc']);
      expect(made, 'bytes of all memories').to.be.greaterThan(1000 * MIB);
      expect(peakGrowth, 'most growth').to.be.lessThan(PEAK);
      expect(growth, 'growth in the end').to.be.lessThan(END);
    });
  }

  it('results: calls leave nothing behind', async () => {
    const { growth } = await reportOf<Growth>(FORGETFUL, ['results'], {}, ['--expose-gc']);
    expect(growth).to.be.lessThan(20 * MIB);
  });
});

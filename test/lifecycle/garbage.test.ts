/** Memories that are forgotten give back what they held. Each way runs in a process of its own. */
import { expect } from 'chai';
import { reportOf } from '../support/child.js';

/** Ways to forget, of each kind of memory. */
const WAYS = {
  'forgetful.mjs': ['forget', 'abandon', 'dispose', 'allocate'],
  'forgetful-measures.mjs': ['forget', 'abandon', 'dispose', 'share', 'transfer'],
};
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

const grownBy = (child: string, way: string): Promise<Growth> =>
  reportOf(new URL(`./children/${child}`, import.meta.url), [way], {}, ['--expose-gc']);

describe('forgotten memories', function () {
  this.timeout(60_000);

  for (const [child, ways] of Object.entries(WAYS)) {
    for (const way of ways) {
      it(`${child} ${way}: resident memory stays bounded`, async () => {
        const { made, peakGrowth, growth } = await grownBy(child, way);
        expect(made, 'bytes of all memories').to.be.greaterThan(1000 * MIB);
        expect(peakGrowth, 'most growth').to.be.lessThan(PEAK);
        expect(growth, 'growth in the end').to.be.lessThan(END);
      });
    }

    it(`${child} results: calls leave nothing behind`, async () => {
      const { growth } = await grownBy(child, 'results');
      expect(growth).to.be.lessThan(20 * MIB);
    });
  }
});

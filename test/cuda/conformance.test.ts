/**
 * The cases of test/conformance/ on the simulated device, against the Float64 reference: those small enough to be
 * simulated. Where there is a GPU, conformance.test.ts runs them all on it.
 */
import { expect } from 'chai';
import { conformanceCases } from '../conformance/cases.js';
import { check } from '../conformance/check.js';
import { measureCases } from '../conformance/measure-cases.js';
import { checkMeasures } from '../conformance/measure-check.js';

const DEVICE = 'cuda:0';
/** Products of a case: items x dim x queries. */
const MOST_PRODUCTS = 300_000;

/** Failures shown in a message; the rest are counted. */
const SHOWN = 5;

const small = conformanceCases.filter(({ count, dim, queries }) => count * dim * queries <= MOST_PRODUCTS);
const all = [
  ...small.map((c) => ({ name: c.name, group: `${c.operation} ${c.similarity}`, run: () => check(c, DEVICE) })),
  ...measureCases.map((c) => ({ name: c.name, group: `${c.operation} measures`, run: () => checkMeasures(c, DEVICE) })),
];

describe('conformance on a simulated device', function () {
  this.timeout(120_000);

  for (const group of new Set(all.map((c) => c.group))) {
    it(group, async () => {
      const cases = all.filter((c) => c.group === group);
      const failed: string[] = [];
      for (const c of cases) {
        const [finding] = await c.run();
        if (finding !== undefined) failed.push(`\n  ${c.name}: ${finding}`);
      }
      expect(failed.length, `${failed.length} of ${cases.length} cases${failed.slice(0, SHOWN).join('')}`).to.equal(0);
    });
  }
});

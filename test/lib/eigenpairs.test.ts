import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { EngramError, type LinearOperator, SecondMoment, SumOperator, topEigenpairs, topEigenpairsSync } from '../support/engram.js';
import { expectClose, expectRejection, expectSameBits } from '../support/expectations.js';
import { federation } from '../support/federation.js';
import { eigen, secondMoment } from '../support/symmetric.js';

const dim = 60;
const examples = federation(dim, 3, 41).examples(90, 0.8);
const moment = SecondMoment.from(examples, { dim });
const exact = eigen(secondMoment(examples, dim, 1 / 90));

/** The same operator by way of JavaScript. */
const inJavaScript: LinearOperator = {
  dim,
  apply: async (block, columns) => {
    await sleep(0);
    return moment.applySync(block, columns);
  },
};

/** A diagonal operator of a size at which Krylov methods are used. */
const diagonal = (values: readonly number[]): LinearOperator => ({
  dim: values.length,
  apply: (block, columns) => block.map((x, at) => x * values[Math.floor(at / columns)]!),
});

describe('topEigenpairs', () => {
  it('finds those of Jacobi\'s method, whoever multiplies', async () => {
    for (const operator of [moment, inJavaScript]) {
      const { eigenvalues, vectors, residuals, converged } = await topEigenpairs(operator, { k: 5 });
      expect(converged).to.equal(true);
      expectClose(eigenvalues, exact.values.slice(0, 5), 1e-4);
      for (let k = 0; k < 5; ++k) {
        const overlap = exact.vectors[k]!.reduce((sum, x, n) => sum + x * vectors[k * dim + n]!, 0);
        expect(Math.abs(overlap), `vector ${k}`).to.be.above(1 - 1e-6);
        expect(residuals[k]).to.be.at.most(1e-6);
      }
    }
  });

  it('has the same bits for any number of threads, and synchronously', async () => {
    const expected = await topEigenpairs(moment, { k: 4 });
    for (const threads of [1, 2, 5]) {
      const found = topEigenpairsSync(moment, { k: 4, threads });
      expectSameBits(found.eigenvalues, expected.eigenvalues);
      expectSameBits(found.vectors, expected.vectors);
    }
  });

  it('finds every member of a cluster, and begins where it is told to', async () => {
    const values = Array.from({ length: 700 }, (_, i) => (i % 70 === 3 ? 9 : 1 + i / 1400));
    const { eigenvalues, vectors, products, converged } = await topEigenpairs(diagonal(values), { k: 10 });
    expect(converged).to.equal(true);
    expectClose(eigenvalues, new Array<number>(10).fill(9), 1e-5);
    const again = await topEigenpairs(diagonal(values), { k: 10, start: vectors });
    expect(again.products).to.be.below(products);
    expectClose(again.eigenvalues, eigenvalues, 1e-5);
  });

  it('says when it has not converged', async () => {
    const values = Array.from({ length: 900 }, (_, i) => 1 + i / 1e4);
    const { converged, residuals } = await topEigenpairs(diagonal(values), { k: 3, maxProducts: 2, tolerance: 1e-12 });
    expect(converged).to.equal(false);
    expect(Math.max(...residuals)).to.be.above(1e-12);
  });

  it('lets out what the operator throws, unchanged', async () => {
    const mine = new RangeError('mine');
    const failures: LinearOperator['apply'][] = [
      () => { throw mine; },
      () => Promise.reject(mine),
      async () => { await sleep(1); throw mine; },
    ];
    for (const apply of failures) {
      const reason = await topEigenpairs({ dim, apply }, { k: 2 }).then(() => undefined, (error: unknown) => error);
      expect(reason).to.equal(mine);
    }
  });

  it('explains a failure without an error', async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a careless operator may do
    await expectRejection(topEigenpairs({ dim, apply: () => Promise.reject(undefined) }, { k: 2 }), 'ERR_ENGRAM_TYPE');
  });

  it('refuses products that are none', async () => {
    const of = (answer: unknown): LinearOperator => ({ dim, apply: () => answer as Float32Array });
    await expectRejection(topEigenpairs(of(new Float32Array(3)), { k: 2 }), 'ERR_ENGRAM_SHAPE');
    await expectRejection(topEigenpairs(of([1, 2]), { k: 2 }), 'ERR_ENGRAM_TYPE');
    await expectRejection(topEigenpairs(of(undefined), { k: 2 }), 'ERR_ENGRAM_TYPE');
    const infinite: LinearOperator = { dim, apply: (block) => block.map(() => NaN) };
    await expectRejection(topEigenpairs(infinite, { k: 2 }), 'ERR_ENGRAM_NONFINITE');
  });

  it('refuses options out of their range', async () => {
    for (const [options, code] of [
      [{ k: 0 }, 'ERR_ENGRAM_RANGE'], [{ k: dim + 1 }, 'ERR_ENGRAM_RANGE'], [{ k: 1.5 }, 'ERR_ENGRAM_RANGE'], [{}, 'ERR_ENGRAM_TYPE'],
      [{ k: 1, block: 0 }, 'ERR_ENGRAM_RANGE'], [{ k: 1, tolerance: 0 }, 'ERR_ENGRAM_RANGE'], [{ k: 1, maxProducts: 0 }, 'ERR_ENGRAM_RANGE'],
      [{ k: 1, start: new Float32Array(7) }, 'ERR_ENGRAM_SHAPE'], [{ k: 1, start: new Float32Array(dim).fill(NaN) }, 'ERR_ENGRAM_NONFINITE'],
    ] as const) {
      await expectRejection(topEigenpairs(moment, options as { k: number }), code);
    }
    await expectRejection(topEigenpairs({} as LinearOperator, { k: 1 }), 'ERR_ENGRAM_TYPE');
    const sum = new SumOperator([{ operator: inJavaScript }]);
    expect(() => topEigenpairsSync(sum, { k: 1 })).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_TYPE');
  });
});

import { expect } from 'chai';
import { EngramError, HebbianOperator, type LinearOperator, SecondMoment, SumOperator } from '../support/engram.js';
import { expectClose, expectRejection, expectSameBits } from '../support/expectations.js';
import { federation } from '../support/federation.js';
import { gaussian, seeded } from '../support/random.js';
import { secondMoment } from '../support/symmetric.js';

const dim = 53;
const columns = 3;
const examples = federation(dim, 2, 31).examples(40, 0.7);
const block = gaussian(seeded(32), dim, columns);

/** The product of a matrix with the block, in Float64. */
const product = (matrix: readonly (readonly number[])[], of: Float32Array = block): Float64Array =>
  Float64Array.from({ length: dim * columns }, (_, at) =>
    matrix[Math.floor(at / columns)]!.reduce((sum, entry, j) => sum + entry * of[j * columns + (at % columns)]!, 0),
  );

/** An operator in JavaScript: twice its argument. */
const doubling: LinearOperator = { dim, apply: (given) => given.map((x) => 2 * x) };

describe('operators', () => {
  it('of examples multiply as scale * X^T X', async () => {
    const exact = product(secondMoment(examples, dim, 1 / 40));
    const moment = SecondMoment.from(examples, { dim });
    expect([moment.dim, moment.sampleCount, moment.scale]).to.deep.equal([dim, 40, 1 / 40]);
    expectClose(await moment.apply(block, columns), exact, 1e-4);
    const real = SecondMoment.from(Float32Array.from(examples), { dim, scale: 3 });
    expectClose(real.applySync(block, columns), exact.map((x) => 120 * x), 1e-2);
  });

  it('of messages stand for V^T (L - rest) V + rest I', async () => {
    const message = await HebbianOperator.fromExamples(examples, { dim, rank: 6 });
    const { factor, eigenvalues, rest, trace } = message;
    expect(rest).to.be.closeTo((trace - eigenvalues.reduce((sum, x) => sum + x, 0)) / (dim - 6), 1e-12);
    const weighted = factor.map((x, at) => x * Math.sqrt(eigenvalues[Math.floor(at / dim)]! - rest));
    const matrix = secondMoment(weighted, dim, 1).map((row, i) => row.map((x, j) => x + (i === j ? rest : 0)));
    expectClose(await message.apply(block, columns), product(matrix), 1e-4);
    expectSameBits(message.applySync(block, columns, { threads: 1 }), await message.apply(block, columns));
  });

  it('add up, built in and written in JavaScript alike', async () => {
    const moment = SecondMoment.from(examples, { dim });
    const message = HebbianOperator.fromExamplesSync(examples, { dim, rank: 6 });
    const parts = [moment.applySync(block, columns), message.applySync(block, columns)] as const;
    const sum = new SumOperator([{ operator: moment, weight: 0.25 }, { operator: message }]);
    expectClose(sum.applySync(block, columns), parts[0].map((x, at) => 0.25 * x + parts[1][at]!), 1e-4);
    const mixed = new SumOperator([{ operator: sum }, { operator: doubling, weight: -1 }]);
    expectClose(await mixed.apply(block, columns), sum.applySync(block, columns).map((x, at) => x - 2 * block[at]!), 1e-4);
    expect(() => mixed.applySync(block, columns)).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_TYPE');
  });

  it('read examples of the caller at the call, or where he shares them', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(4 * dim));
    shared.fill(1);
    const [own, view] = [SecondMoment.from(shared.slice(), { dim }), SecondMoment.from(shared, { dim })];
    const before = await view.apply(block, columns);
    expectSameBits(await own.apply(block, columns), before);
    shared.fill(2);
    expectClose(await view.apply(block, columns), before.map((x) => 4 * x), 1e-4);
    const given = Int8Array.from(examples);
    const copied = SecondMoment.from(given, { dim });
    given.fill(1);
    expectSameBits(await copied.apply(block, columns), await SecondMoment.from(examples, { dim }).apply(block, columns));
    const moved = Float32Array.from(examples);
    SecondMoment.from(moved, { dim, ownership: 'transfer' });
    expect(moved.length).to.equal(0);
  });

  it('refuse what is no block, no operator, no example', async () => {
    const moment = SecondMoment.from(examples, { dim });
    await expectRejection(moment.apply(block, 2), 'ERR_ENGRAM_SHAPE');
    await expectRejection(moment.apply(block, 0), 'ERR_ENGRAM_RANGE');
    await expectRejection(moment.apply([] as unknown as Float32Array, 1), 'ERR_ENGRAM_TYPE');
    const infinite = SecondMoment.from(Float32Array.of(1, Infinity), { dim: 2 });
    await expectRejection(infinite.apply(Float32Array.of(1, 1), 1), 'ERR_ENGRAM_NONFINITE');
    const code = (run: () => unknown): unknown => {
      try {
        return run();
      } catch (error) {
        return (error as EngramError).code;
      }
    };
    expect(code(() => SecondMoment.from(new Int8Array(5), { dim }))).to.equal('ERR_ENGRAM_SHAPE');
    expect(code(() => SecondMoment.from(new Int8Array(0), { dim }))).to.equal('ERR_ENGRAM_SHAPE');
    expect(code(() => SecondMoment.from([1] as unknown as Int8Array, { dim }))).to.equal('ERR_ENGRAM_TYPE');
    expect(code(() => SecondMoment.from(examples, { dim, scale: NaN }))).to.equal('ERR_ENGRAM_RANGE');
    expect(code(() => new SumOperator([]))).to.equal('ERR_ENGRAM_SHAPE');
    expect(code(() => new SumOperator([{ operator: moment }, { operator: { ...doubling, dim: 2 } }]))).to.equal('ERR_ENGRAM_SHAPE');
    expect(code(() => new SumOperator([{ operator: moment, weight: NaN }]))).to.equal('ERR_ENGRAM_RANGE');
    expect(code(() => new SumOperator([{ operator: {} as LinearOperator }]))).to.equal('ERR_ENGRAM_TYPE');
  });
});

import { once } from 'node:events';
import { expect } from 'chai';
import { EngramError, HebbianOperator } from '../support/engram.js';
import { expectClose, expectRejection, expectSameBits } from '../support/expectations.js';
import { federation } from '../support/federation.js';
import { eigen, secondMoment } from '../support/symmetric.js';

const dim = 48;
const world = federation(dim, 2, 51);
const examples = world.examples(120, 0.6);

describe('HebbianOperator', () => {
  it('tells the leading eigenpairs of X^T X / M, and its trace', async () => {
    const message = await HebbianOperator.fromExamples(examples, { dim, rank: 7, client: 'Zürich' });
    const { dim: n, rank, sampleCount, client, trace, leakRisk } = message;
    expect({ n, rank, sampleCount, client, trace, leakRisk }).to.deep.equal({
      n: dim, rank: 7, sampleCount: 120, client: 'Zürich', trace: dim, leakRisk: false,
    });
    const exact = eigen(secondMoment(examples, dim, 1 / 120));
    expectClose(message.eigenvalues, exact.values.slice(0, 7), 1e-4);
    for (let k = 0; k < 7; ++k) {
      const overlap = exact.vectors[k]!.reduce((sum, x, i) => sum + x * message.factor[k * dim + i]!, 0);
      expect(Math.abs(overlap)).to.be.above(0.999);
    }
    expect(message.quality).to.be.closeTo(0.6, 0.08);
    expect(message.noiseVariance).to.be.closeTo(1 - message.quality ** 2, 1e-9);
  });

  it('travels as bytes and arrives the same to the last bit', () => {
    const message = HebbianOperator.fromExamplesSync(Float32Array.from(examples), { dim, client: 'a "b" \\ c' });
    const bytes = message.toBytes();
    const within = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
    for (const arrived of [HebbianOperator.fromBytes(bytes), HebbianOperator.fromBytes(within)]) {
      expectSameBits(arrived.factor, message.factor);
      expectSameBits(arrived.eigenvalues, message.eigenvalues);
      const { sampleCount, trace, noiseVariance, quality, client } = message;
      expect(arrived).to.include({ sampleCount, trace, noiseVariance, quality, client });
    }
    expect(Buffer.from(bytes).toString('latin1', 8, 300)).to.contain('"engram.kind":"hebbian-operator"');
  });

  it('has the same bits for Int8 and Float32 examples, and for any number of threads', async () => {
    const expected = await HebbianOperator.fromExamples(examples, { dim });
    for (const threads of [1, 3]) {
      for (const same of [examples, Float32Array.from(examples)]) {
        expectSameBits(HebbianOperator.fromExamplesSync(same, { dim, threads }).toBytes(), expected.toBytes());
      }
    }
  });

  it('refuses to give examples away, unless it is told to', async () => {
    const few = world.examples(9, 0.8);
    const error = await expectRejection(HebbianOperator.fromExamples(few, { dim, rank: 9 }), 'ERR_ENGRAM_RANGE');
    expect(error.message).to.contain('rank 9 from 9 examples');
    await expectRejection(HebbianOperator.fromExamples(few.slice(0, dim), { dim }), 'ERR_ENGRAM_RANGE');
    expect((await HebbianOperator.fromExamples(few, { dim, rank: 9, allowLeak: true })).rank).to.equal(9);
    expect((await HebbianOperator.fromExamples(few, { dim, allowLeak: true })).rank).to.equal(9);
  });

  it('warns where so few examples may be read off it', async () => {
    const few = world.examples(5, 0.8);
    const warning = once(process, 'warning') as Promise<[Error & { code?: string }]>;
    const message = await HebbianOperator.fromExamples(few, { dim });
    expect(message.leakRisk).to.equal(true);
    const [{ code, message: text }] = await warning;
    expect(code).to.equal('ENGRAM_LEAK_RISK');
    expect(text).to.contain('5 examples').and.contain('take 6 or more');
  });

  it('refuses bad examples, options and bytes', async () => {
    const from = (given: unknown, options: object): Promise<HebbianOperator> =>
      HebbianOperator.fromExamples(given as Int8Array, { dim, ...options });
    await expectRejection(from(new Float32Array(2 * dim), {}), 'ERR_ENGRAM_RANGE');
    await expectRejection(from(new Float32Array(2 * dim).fill(NaN, dim), {}), 'ERR_ENGRAM_NONFINITE');
    await expectRejection(from(new Int8Array(dim + 1), {}), 'ERR_ENGRAM_SHAPE');
    await expectRejection(from(new Int8Array(0), {}), 'ERR_ENGRAM_SHAPE');
    await expectRejection(from([1, 2], {}), 'ERR_ENGRAM_TYPE');
    for (const [options, code] of [
      [{ dim: 0 }, 'RANGE'], [{ dim: 1.5 }, 'RANGE'], [{ dim: '2' }, 'TYPE'], [{ rank: 0 }, 'RANGE'], [{ rank: dim + 1 }, 'RANGE'],
      [{ rank: '3' }, 'TYPE'], [{ allowLeak: 1 }, 'TYPE'], [{ client: 7 }, 'TYPE'], [{ client: 'a\nb' }, 'RANGE'],
      [{ client: 'x'.repeat(257) }, 'RANGE'], [{ falseAlarm: 0 }, 'RANGE'], [{ falseAlarm: 0.6 }, 'RANGE'],
    ] as const) {
      await expectRejection(from(examples, options), `ERR_ENGRAM_${code}`);
    }
    const bytes = HebbianOperator.fromExamplesSync(examples, { dim }).toBytes();
    const changed = Uint8Array.from(bytes);
    changed[bytes.length - 9]! ^= 1;
    for (const garbage of [new Uint8Array(0), new Uint8Array(500), bytes.subarray(0, 900), changed]) {
      expect(() => HebbianOperator.fromBytes(garbage)).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_FORMAT');
    }
    expect(() => HebbianOperator.fromBytes('x' as unknown as Uint8Array)).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_TYPE');
  });
});

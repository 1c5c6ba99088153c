import { expect } from 'chai';
import { DenseMemory, softmax } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

const dim = 8;
const patterns = gaussian(seeded(81), 50, dim);
const query = patterns.slice(0, dim);

describe('softmax', () => {
  it('keeps its beta and cannot be changed', () => {
    const separation = softmax({ beta: 2.5 });
    expect(separation).to.deep.equal({ kind: 'softmax', beta: 2.5 });
    expect(separation).to.be.frozen;
  });

  it('refuses a beta that is no positive finite Float32', () => {
    for (const beta of [0, -1, NaN, Infinity, 1e-50, 1e39]) {
      expect(() => softmax({ beta })).to.throw('beta').with.property('code', 'ERR_ENGRAM_RANGE');
    }
    for (const options of [{}, { beta: '1' }, null, 1]) {
      expect(() => softmax(options as never)).to.throw().with.property('code', 'ERR_ENGRAM_TYPE');
    }
  });
});

describe('the separation of a call', () => {
  it('must be one', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    for (const separation of [1, 'softmax', null, {}, { kind: 'sparsemax', beta: 1 }]) {
      await expectRejection(memory.retrieve(query, { separation: separation as never }), 'ERR_ENGRAM_TYPE');
    }
    const forged = { kind: 'softmax', beta: -1 } as const;
    await expectRejection(memory.retrieve(query, { separation: forged }), 'ERR_ENGRAM_RANGE');
  });

  it('without calibration has no default, and the error tells the remedy', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    const calls = [memory.retrieve(query), memory.energy(query), memory.association(query)];
    for (const call of calls) {
      const error = await expectRejection(call, 'ERR_ENGRAM_RANGE');
      expect(error.message).to.include('calibrate(').and.include('softmax({ beta })');
    }
  });

  it('is by default the calibrated one, for the similarity of the calibration only', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    const { beta } = await memory.calibrate({ similarity: 'cosine' });
    const byDefault = await memory.retrieve(query, { similarity: 'cosine' });
    const explicit = await memory.retrieve(query, { similarity: 'cosine', separation: softmax({ beta }) });
    expect(byDefault).to.deep.equal(explicit);
    const error = await expectRejection(memory.retrieve(query), 'ERR_ENGRAM_RANGE');
    expect(error.message).to.include("calibrated for 'cosine'");
  });
});

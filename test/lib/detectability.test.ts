import { expect } from 'chai';
import { gaussianMechanism } from '../../dist/esm/differential-privacy.js';
import { detectability } from '../support/engram.js';

/** The closed forms for clients that are all alike: kappa = N r^2 pi / (1 - r^2), q = N / M. */
function closedForm(dim: number, samples: number, quality: number, share: number) {
  const variance = 1 - quality ** 2;
  const kappa = (dim * quality ** 2 * share) / variance;
  const q = dim / samples;
  return {
    edge: variance * (1 + Math.sqrt(q)) ** 2,
    detectable: kappa > Math.sqrt(q),
    eigenvalue: variance * (1 + kappa) * (1 + q / kappa),
    overlap: (1 - q / kappa ** 2) / (1 + q / kappa),
  };
}

describe('detectability', () => {
  it('equals the closed forms for one client, around the threshold', () => {
    const dim = 784;
    const samples = 1568;
    for (const quality of [0.02, 0.05, 0.1, 0.3]) {
      const exposure = [0.6, 0.3, 0.1];
      const answer = detectability({ dim, samples, quality, exposure });
      exposure.forEach((share, mu) => {
        const expected = closedForm(dim, samples, quality, share);
        expect(answer.edge).to.be.closeTo(expected.edge, 1e-9);
        expect(answer.detectable[mu]).to.equal(expected.detectable);
        expect(answer.eigenvalues[mu]).to.be.closeTo(expected.detectable ? expected.eigenvalue : expected.edge, 1e-6);
        expect(answer.subspaceOverlap[mu]).to.be.closeTo(expected.detectable ? expected.overlap : 0, 1e-9);
        expect(answer.extraSamplesNeeded[mu]! > 0).to.equal(!expected.detectable);
      });
    }
  });

  it('says how many more examples an archetype needs, and they are enough', () => {
    const plan = { dim: 1000, quality: 0.1, exposure: [0.7, 0.3] };
    const before = detectability({ ...plan, samples: 10 });
    expect(before.detectable).to.deep.equal([false, false]);
    const [extra] = before.extraSamplesNeeded;
    expect(detectability({ ...plan, samples: 10 + extra! }).detectable[0]).to.equal(true);
    expect(detectability({ ...plan, samples: 10 + extra! - 2 }).detectable[0]).to.equal(false);
    expect(detectability({ ...plan, samples: 10, exposure: [1, 0] }).extraSamplesNeeded[1]).to.equal(Infinity);
  });

  it('forecasts what privacy leaves to be found, by the noise of the mechanism', () => {
    const plan = { dim: 256, samples: [500, 1500], quality: 0.5, exposure: [0.25, 0.25, 0.25, 0.25] };
    for (const [epsilon, least, most] of [[1, 0.6, 0.84], [2, 0.99, 1], [8, 0.9999, 1]] as const) {
      const privacy = { epsilon, delta: 1e-5 };
      const answer = detectability({ ...plan, weights: 'size', privacy });
      const { sigma, edge } = gaussianMechanism({ ...plan, ...privacy, weights: 'size' });
      // Wigner's outlier but for the little noise of the examples, whose part of the edge is about 1.4 / 20.
      const theta = 256 * 0.25 * 0.25;
      expect(answer.edge).to.be.within(edge, edge + 1.4);
      if (epsilon < 4) expect(answer.subspaceOverlap[0]).to.be.closeTo(1 - (sigma ** 2 * 256) / theta ** 2, 0.03);
      expect(answer.archetypeOverlap[0]).to.be.within(least, most);
    }
    for (const privacy of [{ epsilon: 0, delta: 0.1 }, { epsilon: 1, delta: 2 }]) {
      expect(() => detectability({ ...plan, privacy })).to.throw().with.property('code', 'ERR_ENGRAM_RANGE');
    }
  });

  it('weighs unequal clients: by size better than alike, maximin best for the worst archetype', () => {
    const plan = {
      dim: 600,
      samples: [150, 300, 600, 1200],
      quality: [0.3, 0.2, 0.12, 0.06],
      exposure: [[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.1, 0.9]],
    };
    const worst = (weights: 'equal' | 'size' | 'maximin'): number =>
      Math.min(...detectability({ ...plan, weights }).subspaceOverlap);
    expect(worst('maximin')).to.be.at.least(Math.max(worst('equal'), worst('size')) - 1e-9);
    const { clientWeights } = detectability({ ...plan, weights: 'size' });
    plan.samples.forEach((samples, client) => expect(clientWeights[client]).to.be.closeTo(samples / 2250, 1e-12));
    const given = detectability({ ...plan, weights: [1, 1, 2, 0] });
    expect(given.clientWeights).to.deep.equal([0.25, 0.25, 0.5, 0]);
  });

  it('refuses what makes no federation, naming it', () => {
    const plan = { dim: 100, samples: [10, 20], quality: 0.5, exposure: [0.5, 0.5] };
    const cases: [object, string, string][] = [
      [{ dim: 0 }, 'ERR_ENGRAM_RANGE', 'dim'],
      [{ samples: [10, 0] }, 'ERR_ENGRAM_RANGE', 'samples'],
      [{ samples: [10, NaN] }, 'ERR_ENGRAM_RANGE', 'samples[1]'],
      [{ quality: 1.5 }, 'ERR_ENGRAM_RANGE', 'quality'],
      [{ quality: [0.5] }, 'ERR_ENGRAM_SHAPE', 'quality'],
      [{ exposure: [0.9, 0.9] }, 'ERR_ENGRAM_RANGE', 'exposure'],
      [{ exposure: [] }, 'ERR_ENGRAM_TYPE', 'exposure'],
      [{ exposure: 'all' }, 'ERR_ENGRAM_TYPE', 'exposure'],
      [{ exposure: [[0.5], [0.5], [0.5]] }, 'ERR_ENGRAM_SHAPE', 'exposure'],
      [{ weights: 'best' }, 'ERR_ENGRAM_RANGE', 'weights'],
      [{ weights: [1] }, 'ERR_ENGRAM_SHAPE', 'weights'],
    ];
    for (const [change, code, name] of cases) {
      expect(() => detectability({ ...plan, ...change }), JSON.stringify(change)).to.throw(name).with.property('code', code);
    }
  });
});

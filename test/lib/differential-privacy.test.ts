/** Gaussian noise for privacy: its amount, its price, and the matrix itself. */
import { expect } from 'chai';
import { gaussianMechanism, privacyLoss } from '../../dist/esm/differential-privacy.js';
import { noiseBound, SymmetricNoise } from '../../dist/esm/symmetric-noise.js';
import { expectClose, expectRejection } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

/** P(N(0, 1) > x) by the continued fraction of Laplace for x > 1, else by the series of the error function. */
function upperTail(x: number): number {
  if (x < 0) return 1 - upperTail(-x);
  const density = Math.exp(-(x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let k = 1; k < 200; ++k) sum += term *= (x * x) / (2 * k + 1);
    return 0.5 - density * sum;
  }
  let fraction = 0;
  for (let k = 400; k >= 1; --k) fraction = k / (x + fraction);
  return density / (x + fraction);
}

/**
 * The exact delta of a Gaussian mechanism at this epsilon, for a shift of `ratio` deviations (Balle & Wang 2018, theorem 8):
 * what any accountant must not fall below.
 */
function exactDelta(ratio: number, epsilon: number): number {
  return upperTail(epsilon / ratio - ratio / 2) - Math.exp(epsilon) * upperTail(epsilon / ratio + ratio / 2);
}

describe('the Gaussian mechanism', () => {
  it('has the noise of the derivation: N = 256, M = 2000', () => {
    const one = gaussianMechanism({ epsilon: 1, delta: 1e-5, dim: 256, samples: 2000 });
    expect(one.sensitivity).to.be.closeTo(0.128, 1e-15);
    const log = Math.log(1e5);
    expect(one.rho).to.be.closeTo((Math.sqrt(log + 1) - Math.sqrt(log)) ** 2, 1e-14);
    expect(one.sigma).to.be.closeTo(0.128 / Math.sqrt(2 * one.rho), 1e-12);
    expect(one.edge).to.be.closeTo(32 * one.sigma, 1e-12);
    expect(one.edge).to.be.closeTo(20, 0.2); // "edge 20"
  });

  it('is inverted by the accountant', () => {
    for (const epsilon of [0.01, 0.5, 1, 4, 30]) {
      for (const rounds of [1, 7]) {
        const delta = 1e-6;
        const mechanism = gaussianMechanism({ epsilon, delta, dim: 100, samples: [30, 80], rounds });
        const loss = privacyLoss({ ...mechanism, delta });
        expect(loss.rho).to.be.closeTo(mechanism.rho, 1e-12 * mechanism.rho);
        expect(loss.epsilon).to.be.closeTo(epsilon, 1e-9 * epsilon);
      }
    }
  });

  it('keeps its promise by the exact privacy of Gaussian noise, and not by far too much', () => {
    for (const epsilon of [0.1, 1, 3, 8]) {
      for (const delta of [1e-3, 1e-6]) {
        const { sigma, sensitivity } = gaussianMechanism({ epsilon, delta, dim: 50, samples: 1000 });
        const exact = exactDelta(sensitivity / sigma, epsilon);
        expect(exact).to.be.below(delta);
        // With half the noise the promise would be broken (the bound by rho is loose where epsilon and delta are near).
        if (epsilon >= 1) expect(exactDelta(sensitivity / sigma / 0.5, epsilon)).to.be.above(delta);
      }
    }
  });

  it('knows how much one example can move the sum', () => {
    const plan = { epsilon: 1, delta: 1e-5, dim: 10 };
    const sensitivity = (samples: number[], weights?: 'equal' | 'size' | number[]): number =>
      gaussianMechanism({ ...plan, samples, ...(weights === undefined ? {} : { weights }) }).sensitivity;
    expect(sensitivity([100, 300])).to.be.closeTo(10 / 2 / 100, 1e-15);
    expect(sensitivity([100, 300], 'size')).to.be.closeTo(10 / 400, 1e-15);
    expect(sensitivity([100, 300], [1, 9])).to.be.closeTo((0.9 * 10) / 300, 1e-15);
    expect(sensitivity([100, 300], [1, 0])).to.be.closeTo(10 / 100, 1e-15);
  });

  it('needs more noise for less epsilon and more rounds', () => {
    const sigma = (epsilon: number, rounds: number): number =>
      gaussianMechanism({ epsilon, delta: 1e-5, dim: 10, samples: 100, rounds }).sigma;
    expect(sigma(1, 1)).to.be.greaterThan(sigma(2, 1));
    expect(sigma(1, 4)).to.be.closeTo(2 * sigma(1, 1), 1e-12);
    // Small epsilon without cancellation: rho = epsilon^2 / (4 ln(1 / delta)).
    expect(sigma(1e-9, 1)).to.be.closeTo(0.1 / Math.sqrt(1e-18 / (2 * Math.log(1e5))), 1e3);
  });

  it('refuses numbers out of range', () => {
    const good = { epsilon: 1, delta: 1e-5, dim: 10, samples: [5, 6] };
    const refused = (code: string, change: object): void => {
      expect(() => gaussianMechanism({ ...good, ...change })).to.throw().with.property('code', code);
    };
    for (const epsilon of [0, -1, NaN, Infinity]) refused('ERR_ENGRAM_RANGE', { epsilon });
    for (const delta of [0, 1, -1, NaN]) refused('ERR_ENGRAM_RANGE', { delta });
    for (const samples of [0, [5, 0], NaN]) refused('ERR_ENGRAM_RANGE', { samples });
    for (const rounds of [0, 1.5]) refused('ERR_ENGRAM_RANGE', { rounds });
    for (const weights of ['maximin', [0, 0], [1, -1]]) refused('ERR_ENGRAM_RANGE', { weights });
    for (const weights of [[1], [1, 1, 1]]) refused('ERR_ENGRAM_SHAPE', { weights });
    refused('ERR_ENGRAM_SHAPE', { samples: [] });
    refused('ERR_ENGRAM_TYPE', { epsilon: '1' });
    expect(() => privacyLoss({ sigma: 0, sensitivity: 1, delta: 0.1 })).to.throw().with.property('code', 'ERR_ENGRAM_RANGE');
  });
});

describe('symmetric noise', () => {
  const dim = 200;
  const sigma = 0.3;

  /** The matrix, by its product with the identity. */
  async function matrix(): Promise<Float32Array> {
    const identity = new Float32Array(dim * dim);
    for (let at = 0; at < dim; ++at) identity[at * dim + at] = 1;
    const noise = await SymmetricNoise.draw('test', dim, sigma);
    return noise.apply(identity, dim);
  }

  it('is symmetric, Gaussian with the variances of the orthogonal ensemble, and new each time', async () => {
    const entries = await matrix();
    const other = await matrix();
    let [off, fourth, diagonal, cross] = [0, 0, 0, 0];
    for (let row = 0; row < dim; ++row) {
      for (let column = 0; column < row; ++column) {
        const entry = entries[row * dim + column]!;
        expect(entry).to.equal(entries[column * dim + row]);
        off += entry ** 2;
        fourth += entry ** 4;
        cross += entry * other[row * dim + column]!;
      }
      diagonal += entries[row * dim + row]! ** 2;
    }
    const count = (dim * (dim - 1)) / 2;
    // Six standard errors each.
    expect(off / count / sigma ** 2).to.be.closeTo(1, 6 * Math.sqrt(2 / count));
    expect(fourth / count / sigma ** 4).to.be.closeTo(3, 6 * Math.sqrt(96 / count));
    expect(cross / count / sigma ** 2).to.be.closeTo(0, 6 / Math.sqrt(count));
    expect(diagonal / dim / sigma ** 2).to.be.closeTo(2, 6 * Math.sqrt(8 / dim));
    // Rows are as long as noiseBound says at most.
    for (let row = 0; row < dim; ++row) {
      expect(Math.hypot(...entries.subarray(row * dim, (row + 1) * dim))).to.be.below(noiseBound(dim, sigma));
    }
    expect(noiseBound(dim, sigma)).to.be.below(2.1 * sigma * Math.sqrt(dim));
  });

  it('multiplies as one matrix does', async () => {
    const noise = await SymmetricNoise.draw('test', 50, 1);
    const identity = Float32Array.from({ length: 2500 }, (_, at) => (at % 51 === 0 ? 1 : 0));
    const entries = await noise.apply(identity, 50);
    const block = gaussian(seeded(4), 50, 3);
    const expected = Float64Array.from({ length: 150 }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < 50; ++k) sum += entries[Math.floor(at / 3) * 50 + k]! * block[k * 3 + (at % 3)]!;
      return sum;
    });
    expectClose(await noise.apply(block, 3), expected, 1e-5);
  });

  it('is refused where it would not fit', async () => {
    await expectRejection(SymmetricNoise.draw('test', 8193, 1), 'ERR_ENGRAM_RANGE');
  });
});

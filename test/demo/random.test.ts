import { expect } from 'chai';
import { Random } from '../../lib/demo/random.js';

describe('seeded random numbers', () => {
  it('repeats with the seed and differs between seeds', () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 5 }, () => random.next());
    };
    expect(draw(1)).to.deep.equal(draw(1));
    expect(draw(1)).to.not.deep.equal(draw(2));
  });

  it('draws normals of mean 0 and variance 1', () => {
    const random = new Random(3);
    const count = 100_000;
    const draws = Array.from({ length: count }, () => random.normal());
    const mean = draws.reduce((sum, x) => sum + x, 0) / count;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
    // Five standard errors.
    expect(mean).to.be.closeTo(0, 5 / Math.sqrt(count));
    expect(variance).to.be.closeTo(1, 5 * Math.sqrt(2 / count));
  });

  it('samples without repetition', () => {
    const all = new Random(4).sample(50, 50);
    expect([...all].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 50 }, (_, i) => i));
  });
});

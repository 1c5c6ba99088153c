import { expect } from 'chai';
import { type Labelled, NOISE, noisyCues, occludedCues, unseenCues } from '../../lib/demo/cues.js';
import { Random } from '../../lib/demo/random.js';

const dim = 784;
const stored: Labelled = {
  images: Float32Array.from({ length: 3 * dim }, (_, i) => 1 + Math.floor(i / dim)),
  labels: Uint32Array.of(5, 6, 7),
  dim,
};

describe('cues', () => {
  it('blanks the lower half and keeps the upper', () => {
    const { images, labels, truth } = occludedCues(stored, Uint32Array.of(2, 0));
    expect([...labels]).to.deep.equal([7, 5]);
    expect([images[0], images[dim / 2 - 1], images[dim / 2], images[dim - 1]]).to.deep.equal([3, 3, 0, 0]);
    expect([images[dim], images[2 * dim - 1]]).to.deep.equal([1, 0]);
    expect([...(truth?.images.subarray(0, dim) ?? [])].every((pixel) => pixel === 3)).to.equal(true);
  });

  it('adds noise of the stated strength', () => {
    const { images } = noisyCues(stored, Uint32Array.of(0), new Random(1));
    const deviation = Math.sqrt(images.reduce((sum, pixel) => sum + (pixel - 1) ** 2, 0) / dim);
    expect(deviation).to.be.closeTo(NOISE, (5 * NOISE) / Math.sqrt(2 * dim));
  });

  it('takes the first of the unseen', () => {
    const { count, labels, truth } = unseenCues(stored, 2);
    expect([count, labels.length, truth]).to.deep.equal([2, 2, undefined]);
  });
});

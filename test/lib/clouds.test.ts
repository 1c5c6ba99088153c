/** Clouds from callers, and clouds made of images. */
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { type Clouds, cloudsFromImages, EngramError, MeasureMemory, sinkhornDivergence } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';

const dim = 2;
const points = Float32Array.of(0, 0, 1, 0, 0, 1, 1, 1);
const good: Clouds = { points, weights: Float32Array.of(1, 2, 3, 4), offsets: Uint32Array.of(0, 3, 4) };
const refusal = (code: string) => (run: () => unknown) => expect(run).to.throw(EngramError).with.property('code', code);

function detached<T extends Float32Array | Uint32Array>(array: T): T {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

interface ResizableBuffer {
  new (bytes: number, options: { maxByteLength: number }): ArrayBuffer;
}
const resizable = (bytes: number) => new (ArrayBuffer as ResizableBuffer)(bytes, { maxByteLength: 2 * bytes });

/** Clouds that are none, the code of the error, and what its message names. */
const BAD: Record<string, [clouds: unknown, code: string, named: string]> = {
  nothing: [undefined, 'ERR_ENGRAM_TYPE', 'undefined'],
  'a bare array': [points, 'ERR_ENGRAM_TYPE', 'points'],
  null: [null, 'ERR_ENGRAM_TYPE', 'null'],
  'points in Float64': [{ points: new Float64Array(4) }, 'ERR_ENGRAM_TYPE', 'points'],
  'points in an array': [{ points: [0, 0] }, 'ERR_ENGRAM_TYPE', 'points'],
  'points that were detached': [{ points: detached(new Float32Array(4)) }, 'ERR_ENGRAM_TYPE', 'detached'],
  'points over a resizable buffer': [{ points: new Float32Array(resizable(16)) }, 'ERR_ENGRAM_TYPE', 'fixed size'],
  'no points': [{ points: new Float32Array(0) }, 'ERR_ENGRAM_SHAPE', 'at least one point'],
  'half a point': [{ points: new Float32Array(3) }, 'ERR_ENGRAM_SHAPE', 'multiple of 2'],
  'weights in Float64': [{ points, weights: new Float64Array(4) }, 'ERR_ENGRAM_TYPE', 'weights'],
  'weights that were detached': [{ points, weights: detached(new Float32Array(4)) }, 'ERR_ENGRAM_TYPE', 'weights'],
  'null for weights': [{ points, weights: null }, 'ERR_ENGRAM_TYPE', 'weights'],
  'too few weights': [{ points, weights: new Float32Array(3).fill(1) }, 'ERR_ENGRAM_SHAPE', '4 elements'],
  'too many weights': [{ points, weights: new Float32Array(5).fill(1) }, 'ERR_ENGRAM_SHAPE', '4 elements'],
  'offsets in Int32': [{ points, offsets: Int32Array.of(0, 4) }, 'ERR_ENGRAM_TYPE', 'offsets'],
  'offsets in an array': [{ points, offsets: [0, 4] }, 'ERR_ENGRAM_TYPE', 'offsets'],
  'offsets over a resizable buffer': [{ points, offsets: new Uint32Array(resizable(8)) }, 'ERR_ENGRAM_TYPE', 'offsets'],
  'offsets of no cloud': [{ points, offsets: Uint32Array.of(0) }, 'ERR_ENGRAM_SHAPE', 'at least two'],
  'offsets that begin late': [{ points, offsets: Uint32Array.of(1, 4) }, 'ERR_ENGRAM_SHAPE', 'offsets[0] is 1'],
  'offsets that fall': [{ points, offsets: Uint32Array.of(0, 3, 2, 4) }, 'ERR_ENGRAM_SHAPE', 'offsets[2] is 2'],
  'a cloud without points': [{ points, offsets: Uint32Array.of(0, 2, 2, 4) }, 'ERR_ENGRAM_SHAPE', 'offsets[2] is 2'],
  'offsets that end early': [{ points, offsets: Uint32Array.of(0, 3) }, 'ERR_ENGRAM_SHAPE', 'offsets[1] is 3'],
  'offsets past the end': [{ points, offsets: Uint32Array.of(0, 2, 5) }, 'ERR_ENGRAM_SHAPE', 'offsets[2] is 5'],
  'a NaN': [{ points: Float32Array.of(0, 0, 1, NaN) }, 'ERR_ENGRAM_NONFINITE', 'cloud 0, point 1'],
  'an infinite coordinate': [{ points: Float32Array.of(-Infinity, 0) }, 'ERR_ENGRAM_NONFINITE', 'cloud 0, point 0'],
  'a weight that is NaN': [{ ...good, weights: Float32Array.of(1, 1, 1, NaN) }, 'ERR_ENGRAM_NONFINITE', 'cloud 1, point 0'],
  'an infinite weight': [{ ...good, weights: Float32Array.of(1, Infinity, 1, 1) }, 'ERR_ENGRAM_NONFINITE', 'cloud 0, point 1'],
  'a negative weight': [{ ...good, weights: Float32Array.of(1, 1, -1, 1) }, 'ERR_ENGRAM_RANGE', 'cloud 0, point 2'],
  'a cloud without mass': [{ ...good, weights: Float32Array.of(1, 1, 1, 0) }, 'ERR_ENGRAM_RANGE', 'cloud 1'],
  'a point too far out': [{ points: Float32Array.of(0, 0, 2e19, 0) }, 'ERR_ENGRAM_RANGE', 'point 1'],
};

describe('clouds', () => {
  const memory = MeasureMemory.from(good, { dim, epsilon: 1 });

  for (const [name, [bad, code, named]] of Object.entries(BAD)) {
    it(`${name}: refused everywhere, and named`, async () => {
      const clouds = bad as Clouds;
      const options = { dim, epsilon: 1 };
      const flow = { beta: 1 };
      for (const run of [
        () => MeasureMemory.from(clouds, options),
        () => memory.divergenceSync(clouds),
        () => memory.energySync(clouds, flow),
        () => memory.retrieveSync(clouds, flow),
      ]) {
        expect(run).to.throw(EngramError, named).with.property('code', code);
      }
      for (const call of [
        memory.divergence(clouds),
        memory.energy(clouds, flow),
        memory.retrieve(clouds, flow),
        sinkhornDivergence(clouds, good, options),
        sinkhornDivergence(good, clouds, options),
      ]) {
        expect((await expectRejection(call, code)).message).to.include(named);
      }
    });
  }

  it('say whether it is a query or a stored cloud that is wrong', () => {
    const bad = { points: Float32Array.of(NaN, 0) };
    expect(() => memory.divergenceSync(bad)).to.throw('query cloud 0, point 0');
    expect(() => MeasureMemory.from(bad, { dim, epsilon: 1 })).to.throw('MeasureMemory.from: cloud 0, point 0');
  });

  it('of another realm are as good as those of this', () => {
    const foreign = runInNewContext(
      '({ points: Float32Array.of(0, 0, 1, 0), weights: Float32Array.of(1, 3), offsets: Uint32Array.of(0, 2) })',
    ) as Clouds;
    const stored = MeasureMemory.from(foreign, { dim, epsilon: 1 });
    expect([stored.count, stored.pointCount]).to.deep.equal([1, 2]);
    expect([...stored.cloud(0).weights]).to.deep.equal([0.25, 0.75]);
  });

  it('have the same width as the memory', () => {
    refusal('ERR_ENGRAM_SHAPE')(() => memory.divergenceSync({ points: new Float32Array(3) }));
  });

  it('of width 1 and of width 1024 are stored', () => {
    for (const width of [1, 1024, 1500]) {
      const wide = MeasureMemory.from({ points: new Float32Array(2 * width).fill(1) }, { dim: width, epsilon: 1 });
      expect(wide.dim).to.equal(width);
      expect(wide.divergenceSync({ points: new Float32Array(width).fill(1) }).values[0]).to.be.closeTo(0, 1e-6);
    }
  });
});

describe('cloudsFromImages', () => {
  // Two images of 3 x 2 pixels.
  const images = Float32Array.of(0, 0.5, 0, 0, 0, 1, 0.25, 0, 0, 0.75, 0, 0);
  const size = { width: 3, height: 2 };

  it('makes points of bright pixels: x = column, y = row, weight = intensity', () => {
    const clouds = cloudsFromImages(images, size);
    expect([...clouds.points]).to.deep.equal([1, 0, 2, 1, 0, 0, 0, 1]);
    expect([...clouds.weights]).to.deep.equal([0.5, 1, 0.25, 0.75]);
    expect([...clouds.offsets]).to.deep.equal([0, 2, 4]);
  });

  it('leaves out pixels up to the threshold', () => {
    const clouds = cloudsFromImages(images, { ...size, threshold: 0.5 });
    expect([...clouds.points]).to.deep.equal([2, 1, 0, 1]);
    expect([...clouds.offsets]).to.deep.equal([0, 1, 2]);
  });

  it('ignores pixels below zero', () => {
    expect([...cloudsFromImages(Float32Array.of(-1, 2), { width: 2, height: 1 }).weights]).to.deep.equal([2]);
  });

  it('names an image with nothing above the threshold', () => {
    for (const threshold of [0.75, 0.9]) {
      expect(() => cloudsFromImages(images, { ...size, threshold }))
        .to.throw(EngramError, 'image 1')
        .with.property('code', 'ERR_ENGRAM_RANGE');
    }
    refusal('ERR_ENGRAM_RANGE')(() => cloudsFromImages(new Float32Array(6), size));
  });

  it('names a pixel that is no number', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const broken = images.slice();
      broken[10] = bad;
      expect(() => cloudsFromImages(broken, size))
        .to.throw(EngramError, 'image 1, row 1, column 1')
        .with.property('code', 'ERR_ENGRAM_NONFINITE');
    }
  });

  it('refuses sizes that are none and arrays that are no images', () => {
    for (const bad of [0, -1, 1.5, NaN, Infinity]) {
      refusal('ERR_ENGRAM_RANGE')(() => cloudsFromImages(images, { width: bad, height: 2 }));
      refusal('ERR_ENGRAM_RANGE')(() => cloudsFromImages(images, { width: 3, height: bad }));
    }
    for (const bad of [-1, NaN, Infinity]) {
      refusal('ERR_ENGRAM_RANGE')(() => cloudsFromImages(images, { ...size, threshold: bad }));
    }
    refusal('ERR_ENGRAM_TYPE')(() => cloudsFromImages(images, undefined as never));
    refusal('ERR_ENGRAM_TYPE')(() => cloudsFromImages(images, { width: 3 } as never));
    refusal('ERR_ENGRAM_TYPE')(() => cloudsFromImages(images, { ...size, threshold: '0' as never }));
    refusal('ERR_ENGRAM_TYPE')(() => cloudsFromImages(new Uint8Array(6) as never, size));
    refusal('ERR_ENGRAM_SHAPE')(() => cloudsFromImages(images, { width: 5, height: 2 }));
    refusal('ERR_ENGRAM_SHAPE')(() => cloudsFromImages(new Float32Array(0), size));
  });

  it('is what MeasureMemory.fromImages stores', async () => {
    const options = { epsilon: 0.5, name: 'pictures' };
    const memory = MeasureMemory.fromImages(images, { ...size, ...options });
    expect(memory).to.include({ count: 2, dim: 2, pointCount: 4, epsilon: 0.5 });
    expect(memory.metadata).to.deep.equal({ name: 'pictures' });
    expect([...memory.cloud(1).points]).to.deep.equal([0, 0, 0, 1]);
    expect([...memory.cloud(1).weights]).to.deep.equal([0.25, 0.75]);
    const { values } = await memory.divergence(cloudsFromImages(images, size));
    expect([values[0], values[3]].every((value) => Math.abs(value!) < 1e-5)).to.equal(true);
    expect(images[1]).to.equal(0.5); // the caller's images stay
  });

  it('says its operation when it works for another', () => {
    expect(() => MeasureMemory.fromImages(new Float32Array(6), { ...size, epsilon: 1 })).to.throw('MeasureMemory.fromImages: image 0');
    expect(() => MeasureMemory.fromImages(images, { ...size, epsilon: 0 })).to.throw('MeasureMemory.fromImages: epsilon is 0');
  });
});

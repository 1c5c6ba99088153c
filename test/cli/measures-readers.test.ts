/** Clouds and images in files, as `engram measures` reads them; the files are laid out by hand. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { cloudAt, cloudCount, type CloudOptions } from '../../lib/cli/readers/cloud-set.js';
import { readClouds } from '../../lib/cli/readers/clouds.js';
import { readPng } from '../../lib/cli/readers/png.js';
import { peekHeader } from '../../lib/cli/readers/safetensors-header.js';
import { byteIdx, floatNpy, png, tensorFile } from '../support/cloud-files.js';
import { alignedHeader, safetensorsBytes, scratchFolder } from '../support/files.js';

type CodedError = Error & { code?: string };

async function failure(work: Promise<unknown>): Promise<CodedError> {
  try {
    await work;
  } catch (error) {
    return error as CodedError;
  }
  throw new Error('expected a failure');
}

describe('readers of clouds', () => {
  const folder = scratchFolder();
  const file = (name: string, contents: string | Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, contents);
    return path;
  };
  /** Points and weights of each cloud, as lists. */
  const read = async (path: string | readonly string[], options: CloudOptions = {}) => {
    const set = await readClouds([path].flat(), options);
    return Array.from({ length: cloudCount(set) }, (_, k) => {
      const { points, weights } = cloudAt(set, k);
      return [[...points], [...weights]];
    });
  };

  describe('point lists', () => {
    it('are a cloud of equal weights to a csv file', async () => {
      const path = file('a.csv', 'x,y\n1,2\n3,4\n5,6\n');
      expect(await read(path)).to.deep.equal([[[1, 2, 3, 4, 5, 6], [1, 1, 1]]]);
      expect((await readClouds([path], {})).dim).to.equal(2);
    });

    it('have their weights in the last column where that is said', async () => {
      expect(await read(file('b.csv', '1,2,0.5\n3,4,0\n'), { weights: true })).to.deep.equal([[[1, 2, 3, 4], [0.5, 0]]]);
      const npy = file('b.npy', floatNpy([2, 2], [7, 1, 8, 3]));
      expect(await read(npy, { weights: true })).to.deep.equal([[[7, 8], [1, 3]]]);
    });

    it('take the first line of a csv file for what they are told', async () => {
      expect(await read(file('c.csv', '1,2\n3,4\n'), { header: true })).to.deep.equal([[[3, 4], [1]]]);
      const error = await failure(read(file('d.csv', 'x,y\n3,4\n'), { header: false }));
      expect(error.message).to.match(/line 1, column 1: "x" is no finite number/);
    });

    it('are clouds of the same size in a npy array of three dimensions', async () => {
      const path = file('e.npy', floatNpy([2, 3, 1], [1, 2, 3, 4, 5, 6]));
      expect(await read(path)).to.deep.equal([[[1, 2, 3], [1, 1, 1]], [[4, 5, 6], [1, 1, 1]]]);
      const weighted = file('f.npy', floatNpy([2, 1, 3], [1, 2, 3, 4, 5, 6]));
      expect(await read(weighted, { weights: true })).to.deep.equal([[[1, 2], [3]], [[4, 5], [6]]]);
    });

    const broken: [string, string, string | Buffer, CloudOptions, RegExp][] = [
      ['no rows', 'x.csv', 'x,y\n', {}, /no rows/],
      ['an empty file', 'x.csv', '', {}, /is empty/],
      ['ragged rows', 'x.csv', '1,2\n3\n', {}, /line 2/],
      ['only weights', 'x.csv', '1\n2\n', { weights: true }, /has one column/],
      ['a negative weight', 'x.csv', '1,2\n3,-4\n', { weights: true }, /row 1: the weight -4 is negative/],
      ['a number beyond Float32', 'x.csv', '1,2\n3,1e39\n', {}, /row 1, column 1: Infinity is no finite Float32/],
      ['NaN', 'x.npy', floatNpy([1, 3], [0, 1, NaN]), {}, /row 0, column 2: NaN is no finite Float32/],
      ['a list', 'x.npy', floatNpy([3], [1, 2, 3]), {}, /shape \[3\]; points are n x dim/],
      ['no points', 'x.npy', floatNpy([0, 2], []), {}, /shape \[0, 2\]/],
      ['four dimensions', 'x.npy', floatNpy([1, 1, 1, 1], [1]), {}, /shape \[1, 1, 1, 1\]/],
      ['a truncated npy file', 'x.npy', floatNpy([2, 2], [1, 2, 3, 4]).subarray(0, -1), {}, /./],
    ];
    for (const [what, name, bytes, options, message] of broken) {
      it(`refuse ${what}`, async () => {
        const path = file(name, bytes);
        const error = await failure(read(path, options));
        expect(error.message).to.match(message).and.contain(path);
        expect(error.code).to.equal('ERR_ENGRAM_FORMAT');
      });
    }
  });

  describe('safetensors', () => {
    const points = { shape: [3, 2], numbers: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const weights = { shape: [3], numbers: Float64Array.of(0.25, 0.75, 1) };
    const offsets = { shape: [3], numbers: Uint32Array.of(0, 2, 3) };

    it('hold clouds as a memory of measures is saved', async () => {
      const path = file('all.safetensors', tensorFile({ weights, points, offsets }));
      expect(await read(path)).to.deep.equal([[[1, 2, 3, 4], [0.25, 0.75]], [[5, 6], [1]]]);
    });

    it('hold one cloud of equal weights where they have points only', async () => {
      expect(await read(file('bare.safetensors', tensorFile({ points })))).to.deep.equal([[[1, 2, 3, 4, 5, 6], [1, 1, 1]]]);
    });

    it('may have 64-bit offsets, and points under another name', async () => {
      const wide = { shape: [3], numbers: BigInt64Array.of(0n, 1n, 3n) };
      expect(await read(file('wide.safetensors', tensorFile({ offsets: wide, points })))).to.have.length(2);
      expect(await read(file('other.safetensors', tensorFile({ positions: points })))).to.have.length(1);
    });

    const broken: [string, Record<string, Parameters<typeof tensorFile>[0][string]>, RegExp][] = [
      ['offsets that do not rise', { points, offsets: { shape: [3], numbers: Uint32Array.of(0, 3, 3) } }, /offsets\[2\] is 3/],
      ['offsets that end early', { points, offsets: { shape: [2], numbers: Uint32Array.of(0, 2) } }, /offsets\[1\] is 2/],
      ['negative offsets', { offsets: { shape: [2], numbers: BigInt64Array.of(-1n, 3n) }, points }, /holds -1/],
      ['offsets that only fit 64 bits', { offsets: { shape: [2], numbers: BigInt64Array.of(0n, 4294967299n) }, points }, /4294967299/],
      ['fractions as offsets', { points, offsets: { shape: [2], numbers: Float32Array.of(0, 3) } }, /fractions/],
      ['too few weights', { points, weights: { shape: [2], numbers: Float32Array.of(1, 2) } }, /weights is Float32Array\(2\)/],
      ['points without coordinates', { points: { shape: [3], numbers: Float32Array.of(1, 2, 3) } }, /shape \[3\]/],
    ];
    for (const [what, tensors, message] of broken) {
      it(`refuse ${what}`, async () => {
        const path = file('broken.safetensors', tensorFile(tensors));
        const error = await failure(read(path));
        expect(error.message).to.match(message).and.contain(path);
        expect(error.code).to.match(/^ERR_ENGRAM_(FORMAT|SHAPE)$/);
      });
    }

    it('are looked into without trust', async () => {
      const peek = (bytes: Buffer) => peekHeader(file('peeked', bytes));
      const kind = '{"__metadata__":{"engram.kind":"measures"},"points":{}}';
      expect(await peek(safetensorsBytes(kind, Buffer.alloc(0)))).to.deep.equal({ kind: 'measures', tensors: new Set(['points']) });
      for (const header of ['null', '[', '{"__metadata__":null}', '{"__metadata__":{"engram.kind":5}}', '7']) {
        const found = await peek(safetensorsBytes(header, Buffer.alloc(0)));
        expect(found?.kind, header).to.equal(undefined);
      }
      expect(await peek(Buffer.from('short'))).to.equal(undefined);
      expect(await peek(safetensorsBytes(kind, Buffer.alloc(0), 2n ** 63n))).to.equal(undefined);
      expect(await peekHeader(join(folder, 'absent'))).to.equal(undefined);
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
          expect((await peek(safetensorsBytes(alignedHeader('{}'), bytes)))?.tensors.size).to.equal(0);
          expect((await peek(Buffer.from(bytes)))?.kind).to.equal(undefined);
        }),
        { numRuns: 50 },
      );
    });
  });

  describe('images', () => {
    // Two images of 3 x 2 pixels.
    const images = byteIdx([2, 2, 3], [0, 255, 0, 51, 0, 0, 102, 0, 0, 0, 0, 0]);

    it('of an idx file are the positions of their bright pixels', async () => {
      const expected = [[[1, 0, 0, 1], [1, Math.fround(0.2)]], [[0, 0], [Math.fround(0.4)]]];
      expect(await read(file('images', images))).to.deep.equal(expected);
      expect(await read(file('images.gz', gzipSync(images)))).to.deep.equal(expected);
      expect(await read(file('images', images), { threshold: 0.3 })).to.deep.equal([[[1, 0], [1]], [[0, 0], [Math.fround(0.4)]]]);
      expect((await readClouds([file('images', images)], {})).pixels).to.equal(true);
    });

    it('are read no farther than asked', async () => {
      // Images so large that they are read one by one; the second one is missing.
      const [side, first] = [1024, Buffer.alloc(1024 * 1024)];
      first[side + 5] = 255;
      const path = file('cut', byteIdx([2, side, side], first));
      expect(await read(path, { first: 1 })).to.deep.equal([[[5, 1], [1]]]);
      expect((await failure(read(path))).message).to.match(/ends within row 1/);
    });

    it('may be the rows of matrices', async () => {
      const size = { width: 1, height: 2 };
      const expected = [[[0, 1], [3]], [[0, 0, 0, 1], [4, 5]]];
      expect(await read(file('rows.csv', '0,3\n4,5\n'), { size })).to.deep.equal(expected);
      expect(await read(file('rows.npy', floatNpy([2, 2], [0, 3, 4, 5])), { size })).to.deep.equal(expected);
      expect(await read(file('flat', byteIdx([1, 2], [0, 255])), { size })).to.deep.equal([[[0, 1], [1]]]);
    });

    it('of PNG files weigh by their luma and opacity', async () => {
      const picture = png(2, 2, [255, 255, 255, 255, 0, 0, 0, 255, 0, 255, 0, 255, 255, 255, 255, 51]);
      const { width, height, intensities } = await readPng(file('p.png', picture));
      expect([width, height]).to.deep.equal([2, 2]);
      expect([...intensities].map((value) => value.toFixed(4))).to.deep.equal(['1.0000', '0.0000', '0.7152', '0.2000']);
      const [cloud] = await read(file('p.png', picture));
      expect(cloud?.[0]).to.deep.equal([0, 0, 0, 1, 1, 1]);
    });

    const white = png(2, 1, [255, 255, 255, 255, 255, 255, 255, 255]);
    const huge = Buffer.from(white);
    huge.writeUInt32BE(0x7fff_ffff, 16);
    const damaged = Buffer.from(white);
    damaged.writeUInt8(damaged.readUInt8(45) ^ 0xff, 45);
    const broken: [string, string | Buffer, CloudOptions, RegExp][] = [
      ['a dark image', byteIdx([2, 1, 1], [255, 0]), {}, /image 1 .*at least one pixel above the threshold 0/],
      ['images that are shorter than declared', images.subarray(0, -1), {}, /ends within/],
      ['flat rows of unknown size', byteIdx([1, 4], [1, 2, 3, 4]), {}, /--width and --height/],
      ['images of another size', images, { size: { width: 2, height: 2 } }, /6 numbers per row; images of 2 x 2 have 4/],
      ['rows of another size', '1,2,3\n', { size: { width: 2, height: 2 } }, /3 numbers per row; images of 2 x 2 have 4/],
      ['a truncated PNG', white.subarray(0, 40), {}, /no readable PNG/],
      ['a PNG that ends within its header', white.subarray(0, 20), {}, /ends within its header/],
      ['a PNG that claims to be huge', huge, {}, /2147483647 x 1 pixels/],
      ['a damaged PNG', damaged, {}, /no readable PNG/],
      ['a black PNG', png(1, 1, [0, 0, 0, 255]), {}, /at least one pixel above/],
    ];
    for (const [what, bytes, options, message] of broken) {
      it(`refuse ${what}`, async () => {
        const path = file('broken', bytes);
        const error = await failure(read(path, options));
        expect(error.message).to.match(message).and.contain(path);
        expect(error.code).to.match(/^ERR_ENGRAM_(FORMAT|RANGE)$/);
      });
    }

    it('refuse damaged PNGs rather than break', async () => {
      const sound = png(4, 4, Array.from({ length: 64 }, (_, i) => (i * 37) % 256));
      await fc.assert(
        fc.asyncProperty(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
          const bytes = Buffer.from(sound);
          bytes[at]! ^= change;
          const path = file('fuzzed.png', bytes);
          // Either it is still a picture, or no picture is read; the checksums of PNG leave little between.
          const outcome = await readPng(path).then(({ intensities }) => intensities.length, (error: unknown) => (error as CodedError).code);
          expect(outcome).to.be.oneOf([16, 'ERR_ENGRAM_FORMAT']);
        }),
        { numRuns: 200 },
      );
    });
  });

  describe('several files', () => {
    it('are joined in the order given, whatever their format', async () => {
      const paths = [file('j.npy', floatNpy([1, 2], [1, 2])), file('j.csv', '3,4\n5,6\n'), file('j.idx', byteIdx([1, 1, 2], [0, 255]))];
      const set = await readClouds(paths, {});
      expect([...set.clouds.offsets]).to.deep.equal([0, 1, 3, 4]);
      expect([...set.clouds.points]).to.deep.equal([1, 2, 3, 4, 5, 6, 1, 0]);
      expect(set.names).to.deep.equal(['j.npy', 'j.csv', 'j.idx']);
      expect(set.pixels).to.equal(false);
    });

    it('have no names where a file holds several clouds', async () => {
      const set = await readClouds([file('k.csv', '1\n'), file('k.npy', floatNpy([2, 1, 1], [1, 2]))], {});
      expect(set.names).to.equal(undefined);
    });

    it('must have points of the same dim', async () => {
      const error = await failure(readClouds([file('m.csv', '1,2\n'), file('n.csv', '1,2,3\n')], {}));
      expect(error.message).to.match(/n\.csv: has points of dim 3; .*m\.csv has dim 2/);
      expect(error.code).to.equal('ERR_ENGRAM_SHAPE');
    });

    it('are taken from folders by name, 2 before 10', async () => {
      const inner = join(folder, 'inner');
      mkdirSync(inner);
      for (const [name, text] of [['10.csv', '10\n'], ['2.csv', '2\n'], ['readme.txt', 'no'], ['1.CSV', '1\n']] as const) {
        writeFileSync(join(inner, name), text);
      }
      const set = await readClouds([inner], {});
      expect([...set.clouds.points]).to.deep.equal([1, 2, 10]);
      expect(set.names).to.deep.equal(['1.CSV', '2.csv', '10.csv']);
      expect((await readClouds([inner], { first: 2 })).names).to.deep.equal(['1.CSV', '2.csv']);
    });

    it('count together against the first clouds that are wanted', async () => {
      const pair = file('pair.npy', floatNpy([2, 1, 1], [1, 2]));
      const set = await readClouds([pair, pair, join(folder, 'inner')], { first: 3 });
      expect([...set.clouds.points]).to.deep.equal([1, 2, 1]);
      expect([...set.clouds.offsets]).to.deep.equal([0, 1, 2, 3]);
    });

    it('refuse a folder without any', async () => {
      const empty = join(folder, 'empty');
      mkdirSync(empty);
      expect((await failure(readClouds([empty], {}))).message).to.match(/empty: holds none of \.npy/);
      expect((await failure(readClouds([join(folder, 'absent')], {}))).message).to.match(/ENOENT/);
    });

    it('tell how far they are', async () => {
      const shares: number[] = [];
      await readClouds([file('s.csv', '1\n'), file('t.csv', '1\n')], {}, (share) => shares.push(share));
      expect(shares).to.deep.equal([0.5, 1]);
      const stop = new Error('enough');
      const stopped = await failure(readClouds([file('s.csv', '1\n')], {}, () => { throw stop; }));
      expect(stopped).to.equal(stop);
    });
  });
});

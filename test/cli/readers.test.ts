/** Files that `engram` reads: bytes laid out by hand from each format's definition. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { oneHot, readAllLabels } from '../../lib/cli/readers/labels.js';
import { type ReadOptions, readWhole } from '../../lib/cli/readers/matrix.js';
import { detectFormat, openMatrix, readLabels } from '../../lib/cli/readers/open.js';
import { scratchFolder } from '../support/files.js';

/** An idx file: two zero bytes, type, number of dimensions, dimensions and data big-endian. */
function idx(type: number, shape: readonly number[], data: readonly number[]): Buffer {
  const sizes = Buffer.alloc(4 * shape.length);
  shape.forEach((size, at) => sizes.writeUInt32BE(size, 4 * at));
  return Buffer.concat([Buffer.from([0, 0, type, shape.length]), sizes, Buffer.from(data)]);
}

async function failure(work: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected a failure');
}

describe('readers of the command line', () => {
  const folder = scratchFolder();
  const file = (name: string, contents: string | Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, contents);
    return path;
  };
  const read = async (path: string, options?: ReadOptions) => {
    const source = await openMatrix(path, options);
    return { dim: source.dim, rows: [...(await readWhole(source))] };
  };

  describe('idx', () => {
    const images = idx(0x08, [2, 2, 2], [0, 51, 102, 255, 1, 2, 3, 4]);

    it('maps bytes to [0, 1] and flattens rows', async () => {
      const { dim, rows } = await read(file('images', images));
      expect(dim).to.equal(4);
      expect(rows.slice(0, 4)).to.deep.equal([0, 0.2, 0.4, 1].map(Math.fround));
    });

    it('reads gzip, and keeps raw numbers with scale 1', async () => {
      const { rows } = await read(file('images.gz', gzipSync(images)), { scale: 1 });
      expect(rows).to.deep.equal([0, 51, 102, 255, 1, 2, 3, 4]);
    });

    it('reads big-endian 32-bit integers and floats without scaling', async () => {
      expect((await read(file('ints', idx(0x0c, [1, 1], [0xff, 0xff, 0xff, 0xfe])))).rows).to.deep.equal([-2]);
      expect((await read(file('floats', idx(0x0d, [1, 1], [0x3f, 0xc0, 0, 0])))).rows).to.deep.equal([1.5]);
    });

    it('joins pieces of more than one batch', async () => {
      const count = (1 << 20) + 3;
      const data = Buffer.alloc(count, 7);
      data[count - 1] = 9;
      const path = file('long', Buffer.concat([idx(0x08, [count, 1], []), data]));
      const numbers = await readWhole(await openMatrix(path, { scale: 1 }));
      expect(numbers.length).to.equal(count);
      expect([numbers[0], numbers[count - 2], numbers[count - 1]]).to.deep.equal([7, 7, 9]);
    });

    const broken: [string, Buffer, RegExp][] = [
      ['a truncated file', images.subarray(0, -1), /ends within/],
      ['a truncated header', images.subarray(0, 9), /ends within its header/],
      ['bytes after the end', Buffer.concat([images, Buffer.from([1])]), /goes on after/],
      ['an unknown type', idx(0x07, [1, 1], [0]), /is no idx file/],
      ['a dimension of 0', idx(0x08, [1, 0], []), /at least 1/],
      ['a list without rows', idx(0x08, [3], [1, 2, 3]), /at least two dimensions/],
      ['a truncated gzip', gzipSync(images).subarray(0, -6), /cannot be unpacked|ends within/],
    ];
    for (const [what, bytes, message] of broken) {
      it(`refuses ${what}`, async () => {
        const error = await failure(read(file('broken', bytes), { format: 'idx' }));
        expect(error.message).to.match(message);
        expect(error.code).to.equal('ERR_ENGRAM_FORMAT');
      });
    }
  });

  describe('csv', () => {
    it('finds out whether there is a header', async () => {
      expect(await read(file('a.csv', '1,2\n3,4\n'))).to.deep.equal({ dim: 2, rows: [1, 2, 3, 4] });
      expect(await read(file('b.csv', 'x,y\r\n1,2\r\n\r\n3,4'))).to.deep.equal({ dim: 2, rows: [1, 2, 3, 4] });
      expect((await read(file('c.csv', '1,2\n3,4\n'), { header: true })).rows).to.deep.equal([3, 4]);
    });

    it('takes a column of labels out, by name or position', async () => {
      const path = file('d.csv', 'kind,x,y\ncat,1,2\ndog,3,4\ncat,5,6\n');
      expect((await read(path, { labelColumn: 'kind' })).rows).to.deep.equal([1, 2, 3, 4, 5, 6]);
      expect((await read(path, { labelColumn: '1' })).dim).to.equal(2);
      const labels = await readLabels(path, { labelColumn: 'kind' });
      expect(labels).to.deep.equal({ classes: ['cat', 'dog'], rows: Uint32Array.of(0, 1, 0) });
    });

    it('names line and column of what is no number', async () => {
      const error = await failure(read(file('e.csv', '1,2\n3,nan\n')));
      expect(error.message).to.match(/line 2, column 2: "nan" is no finite number/);
    });

    it('refuses rows of different length, and empty files', async () => {
      expect((await failure(read(file('f.csv', '1,2\n3\n')))).message).to.match(/line 2/);
      expect((await failure(read(file('g.csv', '')))).message).to.match(/is empty/);
      expect((await failure(read(file('h.csv', 'x,y\n')))).message).to.match(/no rows/);
    });
  });

  it('knows formats by their first bytes', async () => {
    expect(await detectFormat(file('1', idx(8, [1, 1], [0])))).to.equal('idx');
    expect(await detectFormat(file('2', '\x93NUMPY'))).to.equal('csv'); // UTF-8 of U+0093, not the byte
    expect(await detectFormat(file('3', Buffer.from('\x93NUMPY', 'latin1')))).to.equal('npy');
    expect(await detectFormat(file('4', Buffer.from('\x02\0\0\0\0\0\0\0{}', 'latin1')))).to.equal('safetensors');
    expect(await detectFormat(file('5', gzipSync('1,2\n')))).to.equal('csv');
  });

  it('merges the classes of several label files and makes them one-hot', async () => {
    const first = file('l1', idx(0x08, [2], [10, 2]));
    const second = file('l2', idx(0x08, [1], [9]));
    const labels = await readAllLabels([first, second], {});
    expect(labels).to.deep.equal({ classes: ['2', '9', '10'], rows: Uint32Array.of(2, 0, 1) });
    expect([...oneHot(labels)]).to.deep.equal([0, 0, 1, 1, 0, 0, 0, 1, 0]);
  });
});

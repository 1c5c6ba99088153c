/** Files that are not what they claim to be, opened as memories. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DenseMemory, EngramError } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import {
  alignedHeader,
  bytesOf,
  npyBytes,
  patternsFile,
  safetensorsBytes,
  scratchFolder,
} from '../support/files.js';

/** Three rows of four. */
const dim = 4;
const patterns = Float32Array.from({ length: 12 }, (_, i) => i);
const data = bytesOf(patterns);

const entry = (shape: readonly unknown[], begin: number, end: number, dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const file = (header: unknown, bytes: Uint8Array = data): Buffer =>
  safetensorsBytes(alignedHeader(JSON.stringify(header)), bytes);
const raw = (header: string, bytes: Uint8Array = data): Buffer => safetensorsBytes(alignedHeader(header), bytes);
/** An .npy file whose header has the keys of the format, with these values. */
const npy = (descr: string, shape: string, bytes: Uint8Array = data, fortranOrder = 'False'): Buffer =>
  npyBytes(`{'descr': ${descr}, 'fortran_order': ${fortranOrder}, 'shape': ${shape}, }`, bytes);

const good = patternsFile(patterns, dim);
const whole = JSON.stringify(entry([3, 4], 0, 48));

/** What is wrong, and the bytes. Each is refused with ERR_ENGRAM_FORMAT. */
const HOSTILE: Record<string, Buffer> = {
  'an empty file': Buffer.alloc(0),
  'seven bytes': Buffer.alloc(7),
  'a text file': Buffer.from('not a tensor file at all, just text\n'),
  'a header cut off': good.subarray(0, 20),
  'data cut off by one byte': good.subarray(0, good.length - 1),
  'no data at all': good.subarray(0, good.length - 48),
  'one trailing byte': Buffer.concat([good, Buffer.of(0)]),
  'a header length of zero': safetensorsBytes('', data),
  'a header longer than the file': safetensorsBytes('{}', data, 1n << 20n),
  'a header of 2^63 bytes': safetensorsBytes('{}', data, 1n << 63n),
  'a header of 2^64 - 1 bytes': safetensorsBytes('{}', data, (1n << 64n) - 1n),
  'a header of 2^64 - 8 bytes': safetensorsBytes('{}', data, (1n << 64n) - 8n),
  'a header that is no JSON': raw('{"patterns": '),
  'a header that is a list': raw('[]'),
  'a header that is a number': raw('7'),
  'text after the header\'s object': raw(`{"patterns":${whole}} x`),
  'a header nested a thousand deep': raw(`{"patterns":${'['.repeat(1000)}${']'.repeat(1000)}}`),
  'a header nested 100,000 deep': raw('['.repeat(100_000)),
  'a header that is not UTF-8': safetensorsBytes('{}', data).fill(0xff, 8, 10),
  'a name twice': raw(`{"patterns":${whole},"patterns":${whole}}`),
  'a name twice, once escaped': raw(`{"patterns":${whole},"\\u0070atterns":${whole}}`),
  'tensors that overlap': file({ patterns: entry([3, 4], 0, 48), other: entry([4], 32, 48) }),
  'tensors in the same place': file({ patterns: entry([3, 4], 0, 48), other: entry([3, 4], 0, 48) }),
  'a hole between tensors': file({ a: entry([4], 0, 16), patterns: entry([1, 4], 32, 48) }),
  'a hole before the first tensor': file({ patterns: entry([2, 4], 16, 48) }),
  'data that no tensor claims': file({ patterns: entry([2, 4], 0, 32) }),
  'offsets beyond the file': file({ patterns: entry([6, 4], 0, 96) }),
  'offsets in reverse': file({ patterns: entry([3, 4], 48, 0) }),
  'negative offsets': file({ patterns: entry([3, 4], -48, 0) }),
  'offsets that are no whole numbers': raw('{"patterns":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48.5]}}'),
  'offsets that are strings': raw('{"patterns":{"dtype":"F32","shape":[3,4],"data_offsets":["0","48"]}}'),
  'one offset': raw('{"patterns":{"dtype":"F32","shape":[3,4],"data_offsets":[0]}}'),
  'three offsets': raw('{"patterns":{"dtype":"F32","shape":[3,4],"data_offsets":[0,24,48]}}'),
  'offsets beyond 2^64': raw('{"patterns":{"dtype":"F32","shape":[3,4],"data_offsets":[0,36893488147419103232]}}'),
  'a shape that disagrees with the bytes': file({ patterns: entry([3, 5], 0, 48) }),
  'a shape with a negative size': file({ patterns: entry([-3, -4], 0, 48) }),
  'a shape whose product overflows': raw(
    '{"patterns":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}',
    Buffer.alloc(0),
  ),
  'a shape whose byte count overflows to what is there': raw(
    '{"patterns":{"dtype":"F32","shape":[4611686018427387916,1],"data_offsets":[0,48]}}',
  ),
  'a shape that is no list': raw('{"patterns":{"dtype":"F32","shape":12,"data_offsets":[0,48]}}'),
  'no shape': raw('{"patterns":{"dtype":"F32","data_offsets":[0,48]}}'),
  'no type': raw('{"patterns":{"shape":[3,4],"data_offsets":[0,48]}}'),
  'an unknown type': file({ patterns: entry([3, 4], 0, 48, 'F31') }),
  'an entry that is null': raw('{"patterns":null}'),
  'metadata that are not strings': raw(`{"__metadata__":{"a":1},"patterns":${whole}}`),
  'misaligned data': safetensorsBytes(JSON.stringify({ patterns: entry([3, 4], 0, 48) }).padEnd(81), data),
  'no tensor': file({}, Buffer.alloc(0)),
  'a tensor of another type': file({ patterns: entry([6], 0, 48, 'F64') }),
  'a matrix of another type': file({ patterns: entry([2, 3], 0, 48, 'F64') }),
  'a vector': file({ patterns: entry([12], 0, 48) }),
  'three dimensions': file({ patterns: entry([3, 2, 2], 0, 48) }),
  'rows of no elements': file({ patterns: entry([3, 0], 0, 0) }, Buffer.alloc(0)),
  'several matrices, none called patterns': file({ a: entry([1, 4], 0, 16), b: entry([2, 4], 16, 48) }),
  'values for another number of items': file({ patterns: entry([2, 4], 0, 32), values: entry([1, 4], 32, 48) }),
  'a removed index beyond the items': file(
    { patterns: entry([2, 4], 0, 32), removed: entry([2], 32, 48, 'U64') },
    Buffer.concat([data.subarray(0, 32), Buffer.from(BigUint64Array.of(0n, 2n).buffer)]),
  ),
  'npy: only the magic': npyBytes('', Buffer.alloc(0)).subarray(0, 6),
  'npy: data cut off': npy("'<f4'", '(3, 4)', data.subarray(0, 40)),
  'npy: trailing data': npy("'<f4'", '(2, 4)'),
  'npy: Fortran order': npy("'<f4'", '(3, 4)', data, 'True'),
  'npy: big-endian': npy("'>f4'", '(3, 4)'),
  'npy: Python objects': npy("'|O'", '(3, 4)'),
  'npy: records': npy("[('a', '<f4')]", '(12,)'),
  'npy: Float64': npy("'<f8'", '(2, 3)'),
  'npy: a vector': npy("'<f4'", '(12,)'),
  'npy: a shape that overflows': npy("'<f4'", '(4611686018427387916, 1)'),
  'npy: a negative shape': npy("'<f4'", '(-3, -4)'),
  'npy: version 9': npy("'<f4'", '(3, 4)').fill(9, 6, 7),
};

describe('hostile files', function () {
  this.timeout(60_000);
  const folder = scratchFolder();
  const path = (name: string): string => join(folder, name);

  it('a well-formed safetensors file and npy file open (what the others are variations of)', async () => {
    writeFileSync(path('good.safetensors'), good);
    writeFileSync(path('good.npy'), npy("'<f4'", '(3, 4)'));
    for (const name of ['good.safetensors', 'good.npy']) {
      const memory = await DenseMemory.open(path(name));
      expect([memory.count, memory.dim, memory.valueDim]).to.deep.equal([3, 4, 4]);
      const { indices, scores } = await memory.search(patterns.slice(4, 8), { k: 1 });
      expect([indices[0], scores[0]]).to.deep.equal([1, 0]);
      memory.dispose();
    }
  });

  for (const [what, bytes] of Object.entries(HOSTILE)) {
    it(`refuses ${what}`, async () => {
      writeFileSync(path('hostile'), bytes);
      const error = await expectRejection(DenseMemory.open(path('hostile')), 'ERR_ENGRAM_FORMAT');
      expect(error).to.be.instanceOf(EngramError);
      expect(error.message).to.have.length.greaterThan(20);
      expect(() => DenseMemory.openSync(path('hostile')), 'the Sync twin')
        .to.throw(EngramError)
        .with.property('code', 'ERR_ENGRAM_FORMAT');
    });
  }

  it('refuses every truncation of a good file', async () => {
    for (let length = 0; length < good.length; ++length) {
      writeFileSync(path('short'), good.subarray(0, length));
      await expectRejection(DenseMemory.open(path('short')), 'ERR_ENGRAM_FORMAT');
    }
  });

  it('never crashes on a good file with one byte changed', async () => {
    for (let at = 0; at < good.length - data.length; ++at) {
      for (const value of [0, 0x20, 0x22, 0x39, 0x7d, 0xff]) {
        const bytes = Buffer.from(good);
        bytes[at] = value;
        writeFileSync(path('flipped'), bytes);
        try {
          (await DenseMemory.open(path('flipped'))).dispose();
        } catch (error) {
          expect(error).to.be.instanceOf(EngramError).with.property('code', 'ERR_ENGRAM_FORMAT');
        }
      }
    }
  });

  it('a changed byte of data is found when the checksums are verified', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    await memory.save(path('summed'));
    (await DenseMemory.open(path('summed'), { verify: true })).dispose();
    const bytes = readFileSync(path('summed'));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path('summed'), bytes);
    await expectRejection(DenseMemory.open(path('summed'), { verify: true }), 'ERR_ENGRAM_FORMAT');
  });

  it('a file that is not there and a path through a file are ERR_ENGRAM_IO with the cause', async () => {
    for (const [where, cause] of [
      ['nowhere', 'ENOENT'],
      ['good.safetensors/inside', 'ENOTDIR'],
    ] as const) {
      const error = await expectRejection(DenseMemory.open(path(where)), 'ERR_ENGRAM_IO');
      expect(error.cause, where).to.have.property('code', cause);
    }
  });

  it('what is no regular file has no format', async () => {
    mkdirSync(path('folder'));
    const targets = process.platform === 'linux' ? [path('folder'), '/dev/zero'] : [path('folder')];
    for (const target of targets) await expectRejection(DenseMemory.open(target), 'ERR_ENGRAM_FORMAT');
  });

  it('NaN and infinity in a file are found by the pass that meets them', async () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const poisoned = patterns.slice();
      poisoned[6] = bad;
      writeFileSync(path('poisoned'), patternsFile(poisoned, dim));
      const memory = await DenseMemory.open(path('poisoned'));
      const error = await expectRejection(memory.search(patterns.slice(0, dim), { k: 1 }), 'ERR_ENGRAM_NONFINITE');
      expect(error.message).to.match(/\b1\b.*\b2\b/, 'names row 1, position 2');
      memory.dispose();
    }
  });
});

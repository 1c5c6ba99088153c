/** More than 2^32 elements, in many blocks and in one sparse file: sizes are 64-bit everywhere. */
import { closeSync, ftruncateSync, openSync, readSync, statfsSync, statSync, writeSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DenseMemory, softmax } from '../support/engram.js';
import { alignedHeader, bytesOf, safetensorsBytes, scratchFolder } from '../support/files.js';

const GIB = 2 ** 30;
const dim = 4096;

/** The row of marker m: 2 at element m, 1 at the last element. */
function marker(m: number): Float32Array {
  const row = new Float32Array(dim);
  row[m] = 2;
  row[dim - 1] = 1;
  return row;
}

describe('more than 2^32 elements in blocks that share their memory', function () {
  this.timeout(120_000);
  const rows = 16_384;
  const copies = 2 ** 32 / (rows * dim) + 1;
  /** Where the marker is in each block. */
  const place = 5000;
  let memory: DenseMemory | undefined;

  before(function () {
    // 256 MiB, stored 65 times over: nothing is copied.
    if (totalmem() < 2 * GIB) this.skip();
    const block = new Float32Array(new SharedArrayBuffer(rows * dim * 4));
    block.set(marker(0), place * dim);
    memory = DenseMemory.from(block, { dim, ownership: 'share' });
    for (let copy = 1; copy < copies; ++copy) memory.store(block, { ownership: 'share' });
  });
  after(() => memory?.dispose());

  const everyCopy = Array.from({ length: copies }, (_, copy) => place + copy * rows);

  it('search finds the item of each block', async () => {
    expect(memory!.count * dim).to.be.greaterThan(2 ** 32);
    const { indices, scores } = await memory!.search(marker(0), { k: copies, similarity: 'dot' });
    expect([...indices]).to.deep.equal(everyCopy);
    expect([...scores]).to.deep.equal(everyCopy.map(() => 5));
  });

  it('association weighs the item of each block', async () => {
    const separation = softmax({ beta: 100 });
    const options = { separation, similarity: 'dot', top: copies } as const;
    const { indices, weights } = await memory!.association(marker(0), options);
    expect([...indices]).to.deep.equal(everyCopy);
    // exp(-500) against a million zero rows leaves the copies all the weight, in equal parts.
    for (const weight of weights) expect(weight).to.be.closeTo(1 / copies, 1e-6);
  });

  it('removal beyond 2^32 elements takes the right item', async () => {
    const last = everyCopy.at(-1)!;
    expect(memory!.remove([last])).to.equal(1);
    const { indices } = await memory!.search(marker(0), { k: copies, similarity: 'dot' });
    expect([...indices].slice(0, -1)).to.deep.equal(everyCopy.slice(0, -1));
    expect(indices.at(-1), 'a zero row instead').to.equal(0);
  });
});

describe('more than 2^32 elements in one sparse file', function () {
  this.timeout(180_000);
  /** 2^32 elements and 16 rows more. */
  const count = 2 ** 20 + 16;
  const bytes = count * dim * 4;
  /** Rows that are not zero: the first, two on either side of 2^31 elements, one beyond 2^32, the last. */
  const written = [0, 2 ** 19 - 1, 2 ** 19, 2 ** 20 + 3, count - 1];
  const folder = scratchFolder();
  const path = join(folder, 'large.safetensors');
  let memory: DenseMemory | undefined;

  before(async function () {
    // The holes cost no disk; but the cache of a small machine would be thrashed by them, and on some
    // virtual machines fresh memory for the cache comes slowly.
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < GIB || totalmem() < 4 * GIB) this.skip();
    if (!writeSparse() || secondsToReadAll() > 60) this.skip();
    memory = await DenseMemory.open(path);
  });
  after(() => memory?.dispose());

  it('rows beyond 2^32 elements are found by search', async () => {
    const queries = new Float32Array(written.length * dim);
    written.forEach((_, m) => queries.set(marker(m), m * dim));
    expect([memory!.count, memory!.dim]).to.deep.equal([count, dim]);

    const { indices, scores } = await memory!.search(queries, { k: 2, similarity: 'dot' });
    written.forEach((item, m) => {
      expect([indices[2 * m], scores[2 * m]]).to.deep.equal([item, 5]);
      // All other markers share one element; the lowest index is first among equals.
      expect([indices[2 * m + 1], scores[2 * m + 1]]).to.deep.equal([written[m === 0 ? 1 : 0], 1]);
    });
  });

  /** Writes the header and the rows; false where the file system has no sparse files. */
  function writeSparse(): boolean {
    const entry = { dtype: 'F32', shape: [count, dim], data_offsets: [0, bytes] };
    const header = safetensorsBytes(alignedHeader(JSON.stringify({ patterns: entry })), new Uint8Array());
    const file = openSync(path, 'w');
    try {
      ftruncateSync(file, header.length + bytes);
      writeSync(file, header, 0, header.length, 0);
      written.forEach((item, m) => {
        const row = bytesOf(marker(m));
        writeSync(file, row, 0, row.length, header.length + item * dim * 4);
      });
    } catch {
      return false;
    } finally {
      closeSync(file);
    }
    return statSync(path).blocks * 512 < 2 ** 24;
  }

  /** What one pass over the file will take, judged by its first 256 MiB. */
  function secondsToReadAll(): number {
    const sample = Buffer.alloc(2 ** 28);
    const file = openSync(path, 'r');
    const begin = performance.now();
    readSync(file, sample, 0, sample.length, 0);
    closeSync(file);
    return ((performance.now() - begin) / 1000) * (bytes / sample.length);
  }
});

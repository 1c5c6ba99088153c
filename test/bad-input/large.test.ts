/** More than 2^32 elements in a file larger than what is written of it: sizes are 64-bit everywhere. */
import { closeSync, ftruncateSync, openSync, statfsSync, statSync, writeSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DenseMemory, softmax } from '../support/engram.js';
import { alignedHeader, bytesOf, safetensorsBytes, scratchFolder } from '../support/files.js';

const dim = 4096;
/** 2^32 elements and 16 rows more. */
const count = 2 ** 20 + 16;
const bytes = count * dim * 4;
/** Rows that are not zero: the first, two on either side of 2^31 elements, one beyond 2^32, the last. */
const WRITTEN = [0, 2 ** 19 - 1, 2 ** 19, 2 ** 20 + 3, count - 1];

/** The row of marker m: 2 at element m, 1 at the last element. */
function marker(m: number): Float32Array {
  const row = new Float32Array(dim);
  row[m] = 2;
  row[dim - 1] = 1;
  return row;
}

describe('more than 2^32 elements', function () {
  this.timeout(120_000);
  const folder = scratchFolder();
  const path = join(folder, 'large.safetensors');
  let memory: DenseMemory | undefined;

  before(async function () {
    // The holes of the file cost no disk, but the cache of a small machine would be thrashed by them.
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < 2 ** 30 || totalmem() < 4 * 2 ** 30) this.skip();
    if (!writeSparse(path)) this.skip();
    memory = await DenseMemory.open(path);
  });
  after(() => memory?.dispose());

  it('rows beyond 2^32 elements are found by search', async () => {
    const queries = new Float32Array(WRITTEN.length * dim);
    WRITTEN.forEach((_, m) => queries.set(marker(m), m * dim));
    expect([memory!.count, memory!.dim]).to.deep.equal([count, dim]);

    const { indices, scores } = await memory!.search(queries, { k: 2, similarity: 'dot' });
    WRITTEN.forEach((item, m) => {
      expect([indices[2 * m], scores[2 * m]]).to.deep.equal([item, 5]);
      // All other markers share one element; the lowest index is first among equals.
      expect([indices[2 * m + 1], scores[2 * m + 1]]).to.deep.equal([WRITTEN[m === 0 ? 1 : 0], 1]);
    });
  });

  it('a row beyond 2^32 elements is recalled', async () => {
    const m = 3;
    // exp(-beta * 2.5) against a million zero rows: beta = 100 leaves them nothing.
    const options = { separation: softmax({ beta: 100 }), similarity: 'dot' as const };
    const { patterns } = await memory!.retrieve(marker(m), options);
    expect(patterns).to.deep.equal(marker(m));
  });
});

/** Writes the header and the rows; false where the file system has no sparse files. */
function writeSparse(path: string): boolean {
  const entry = { dtype: 'F32', shape: [count, dim], data_offsets: [0, bytes] };
  const header = safetensorsBytes(alignedHeader(JSON.stringify({ patterns: entry })), new Uint8Array());
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, header.length + bytes);
    writeSync(file, header, 0, header.length, 0);
    WRITTEN.forEach((item, m) => {
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

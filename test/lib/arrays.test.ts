/** Arrays from callers: element types, lengths, buffers, ownership. */
import { runInNewContext } from 'node:vm';
import { markAsUntransferable } from 'node:worker_threads';
import { expect } from 'chai';
import { DenseMemory, MeasureMemory, softmax, type Ownership } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { gaussian, misaligned, seeded } from '../support/random.js';

const dim = 4;
const rows = gaussian(seeded(83), 6, dim);
const separation = softmax({ beta: 200 });

interface ResizableBuffer {
  new (bytes: number, options: { maxByteLength: number }): ArrayBuffer;
}

function detached(): Float32Array {
  const array = new Float32Array(dim);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

/** Arrays that are no matrix of `dim` columns, and the code of the error. */
const BAD: Record<string, [unknown, string]> = {
  'a Float64Array': [new Float64Array(dim), 'ERR_ENGRAM_TYPE'],
  'a plain array': [[1, 2, 3, 4], 'ERR_ENGRAM_TYPE'],
  'an ArrayBuffer': [new ArrayBuffer(dim * 4), 'ERR_ENGRAM_TYPE'],
  nothing: [undefined, 'ERR_ENGRAM_TYPE'],
  null: [null, 'ERR_ENGRAM_TYPE'],
  'an impostor': [Object.create(Float32Array.prototype), 'ERR_ENGRAM_TYPE'],
  'a detached array': [detached(), 'ERR_ENGRAM_TYPE'],
  'an array over a resizable buffer': [
    new Float32Array(new (ArrayBuffer as ResizableBuffer)(16, { maxByteLength: 32 })),
    'ERR_ENGRAM_TYPE',
  ],
  'an array over a growable shared buffer': [
    new Float32Array(new (SharedArrayBuffer as unknown as ResizableBuffer)(16, { maxByteLength: 32 })),
    'ERR_ENGRAM_TYPE',
  ],
  'a row too short': [new Float32Array(dim - 1), 'ERR_ENGRAM_SHAPE'],
};

describe('arrays from callers', () => {
  for (const [name, [bad, code]] of Object.entries(BAD)) {
    it(`${name} is refused everywhere`, async () => {
      const array = bad as Float32Array;
      const memory = DenseMemory.from(rows, { dim });
      const hetero = DenseMemory.from(rows, { dim, values: rows });
      expect(() => DenseMemory.from(array, { dim })).to.throw().with.property('code', code);
      expect(() => memory.store(array)).to.throw().with.property('code', code);
      expect(() => hetero.store(rows, { values: array })).to.throw().with.property('code', code);
      expect(() => memory.retrieveSync(array, { separation })).to.throw().with.property('code', code);
      expect(() => memory.searchSync(array, { k: 1 })).to.throw().with.property('code', code);
      for (const call of [
        memory.retrieve(array, { separation }),
        memory.search(array, { k: 1 }),
        memory.energy(array, { separation }),
        memory.association(array, { separation }),
      ]) {
        await expectRejection(call, code);
      }
      expect([memory.count, hetero.count]).to.deep.equal([6, 6]);
    });
  }

  it('no queries at all are refused', async () => {
    await expectRejection(DenseMemory.from(rows, { dim }).search(new Float32Array(0), { k: 1 }), 'ERR_ENGRAM_SHAPE');
  });

  it('an array of another realm is as good as one of this', () => {
    const foreign = runInNewContext('Float32Array.of(1, 2, 3, 4)') as Float32Array;
    const memory = DenseMemory.from(foreign, { dim });
    expect([...memory.retrieveSync(foreign, { separation }).patterns]).to.deep.equal([1, 2, 3, 4]);
  });

  it('an array in the middle of a buffer is read where it lies', async () => {
    for (const Buffer of [ArrayBuffer, SharedArrayBuffer]) {
      const memory = DenseMemory.from(misaligned(rows, 3, Buffer), { dim });
      const query = misaligned(rows.slice(dim, 2 * dim), 5, Buffer);
      expect((await memory.search(query, { k: 1 })).indices[0]).to.equal(1);
    }
  });
});

describe('ownership', () => {
  const shared = (): Float32Array => misaligned(rows, 0, SharedArrayBuffer);
  const nearest = (memory: DenseMemory): number => memory.searchSync(rows.slice(0, dim), { k: 1 }).indices[0]!;

  it('auto shares shared buffers and copies ordinary ones', () => {
    const source = shared();
    const sharing = DenseMemory.from(source, { dim });
    expect(sharing.patterns).to.equal(source);
    expect(sharing.nativeBytes).to.equal(0);
    const copying = DenseMemory.from(rows, { dim });
    expect(copying.nativeBytes).to.be.at.least(rows.byteLength);
    expect(() => copying.patterns).to.throw('copied').with.property('code', 'ERR_ENGRAM_TYPE');
  });

  it('auto shares patterns and values only together', () => {
    const values = gaussian(seeded(84), 6, 2);
    const both = DenseMemory.from(shared(), { dim, values: misaligned(values, 0, SharedArrayBuffer) });
    expect(both.nativeBytes).to.equal(0);
    expect(both.values.length).to.equal(12);
    const one = DenseMemory.from(shared(), { dim, values });
    expect(one.nativeBytes).to.be.above(0);
    expect(() => one.values).to.throw().with.property('code', 'ERR_ENGRAM_TYPE');
  });

  it('copy copies shared buffers too', () => {
    const source = shared();
    const memory = DenseMemory.from(source, { dim, ownership: 'copy' });
    source.fill(0);
    expect(nearest(memory)).to.equal(0);
    expect(memory.searchSync(rows.slice(0, dim), { k: 1 }).scores[0]).to.be.closeTo(0, 1e-6);
  });

  it('share refuses what is not shared', () => {
    expect(() => DenseMemory.from(rows, { dim, ownership: 'share' }))
      .to.throw('SharedArrayBuffer')
      .with.property('code', 'ERR_ENGRAM_TYPE');
    expect(() => DenseMemory.from(shared(), { dim, values: rows, ownership: 'share' })).to.throw('values');
  });

  it('transfer moves the whole buffer, of patterns and values at once', () => {
    const buffer = new ArrayBuffer((rows.length + 6) * 4);
    const patterns = new Float32Array(buffer, 0, rows.length);
    const values = new Float32Array(buffer, rows.byteLength, 6);
    patterns.set(rows);
    values.set([0, 1, 2, 3, 4, 5]);
    const memory = DenseMemory.from(patterns, { dim, values, ownership: 'transfer' });
    expect([buffer.byteLength, patterns.length, values.length]).to.deep.equal([0, 0, 0]);
    expect([memory.count, memory.valueDim, memory.nativeBytes]).to.deep.equal([6, 1, 0]);
    expect(memory.retrieveSync(rows.slice(2 * dim, 3 * dim), { separation }).values[0]).to.be.closeTo(2, 1e-3);
    expect(() => memory.patterns).to.throw().with.property('code', 'ERR_ENGRAM_TYPE');
  });

  it('transfer refuses shared buffers, and nothing moves when something is wrong', () => {
    expect(() => DenseMemory.from(shared(), { dim, ownership: 'transfer' })).to.throw("'share'");
    const array = new Float32Array(5);
    expect(() => DenseMemory.from(array, { dim, ownership: 'transfer' })).to.throw().with.property('code', 'ERR_ENGRAM_SHAPE');
    expect(array.length).to.equal(5);
  });

  it('transfer refuses a buffer that cannot be moved, whatever takes it', () => {
    const fixed = rows.slice();
    markAsUntransferable(fixed.buffer);
    const refused = (work: () => unknown) => expect(work).to.throw('transferred').with.property('code', 'ERR_ENGRAM_TYPE');
    refused(() => DenseMemory.from(fixed, { dim, ownership: 'transfer' }));
    refused(() => MeasureMemory.from({ points: fixed }, { dim, epsilon: 1, ownership: 'transfer' }));
    const memory = DenseMemory.from(rows, { dim });
    refused(() => memory.store(fixed, { ownership: 'transfer' }));
    expect([memory.count, fixed.length]).to.deep.equal([6, rows.length]);
  });

  it('store takes the same', () => {
    for (const ownership of ['auto', 'share', 'copy'] as const) {
      const memory = DenseMemory.from(shared(), { dim });
      expect(memory.store(shared(), { ownership })).to.deep.equal({ first: 6, count: 6 });
      expect(memory.count).to.equal(12);
      expect(memory.patterns.length).to.equal(rows.length);
    }
    const moved = rows.slice();
    const memory = DenseMemory.from(rows, { dim });
    memory.store(moved, { ownership: 'transfer' });
    expect([memory.count, moved.length]).to.deep.equal([12, 0]);
  });

  it('anything else is refused', () => {
    for (const [ownership, code] of [['steal', 'ERR_ENGRAM_RANGE'], [1, 'ERR_ENGRAM_TYPE']] as const) {
      expect(() => DenseMemory.from(rows, { dim, ownership: ownership as Ownership })).to.throw().with.property('code', code);
    }
  });
});

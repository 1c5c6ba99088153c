import { expect } from 'chai';
import { badArgument, describe as text, EngramError, toEngramError } from '../../dist/esm/errors.js';

describe('EngramError', () => {
  it('carries code, operation, detail and cause', () => {
    const cause = new Error('below');
    const error = new EngramError('ERR_ENGRAM_IO', 'DenseMemory.save', 'no luck', { detail: { a: 1 }, cause });
    expect(error).to.be.instanceOf(Error);
    expect(error).to.include({ name: 'EngramError', code: 'ERR_ENGRAM_IO', op: 'DenseMemory.save', cause });
    expect(error.message).to.equal('DenseMemory.save: no luck');
    expect(error.detail).to.deep.equal({ a: 1 });
    expect(error.stack).to.include('errors.test');
  });

  it('has neither detail nor cause where there is none', () => {
    const error = new EngramError('ERR_ENGRAM_RANGE', 'op', 'message');
    expect(error).not.to.have.property('cause');
    expect(error).not.to.have.property('detail');
  });

  it('of a bad argument says which, what it was and what would be valid', () => {
    const error = badArgument('ERR_ENGRAM_RANGE', 'softmax', 'beta', -1, 'a number above 0');
    expect(error.message).to.equal('softmax: beta is -1; expected a number above 0');
    expect(error.detail).to.deep.equal({ argument: 'beta', value: -1, expected: 'a number above 0' });
  });
});

describe('a value in a message', () => {
  class Thing {}
  const values: [unknown, string][] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [NaN, 'NaN'],
    [-0.5, '-0.5'],
    [12n, '12n'],
    [true, 'true'],
    ['text', '"text"'],
    ['x'.repeat(100), `"${'x'.repeat(77)}..."`],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
    [{ a: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [new Thing(), 'a Thing'],
    [[1, 2], 'an array of 2'],
    [new Float64Array(3), 'Float64Array(3)'],
    [new DataView(new ArrayBuffer(5)), 'DataView(5)'],
  ];
  for (const [value, expected] of values) {
    it(`is ${expected.slice(0, 20)}`, () => expect(text(value)).to.equal(expected));
  }
});

describe('toEngramError', () => {
  it('gives a native error its public form', () => {
    const native = Object.assign(new Error('query 0 has nan'), { code: 'ERR_ENGRAM_NONFINITE' });
    const error = toEngramError(native, 'DenseMemory.energy') as EngramError;
    expect(error).to.be.instanceOf(EngramError).and.include({ code: 'ERR_ENGRAM_NONFINITE', op: 'DenseMemory.energy' });
    expect(error.message).to.equal('DenseMemory.energy: query 0 has nan');
    expect(error).not.to.have.property('cause');
  });

  it('makes the cause of errno', () => {
    const native = Object.assign(new Error('cannot write'), { code: 'ERR_ENGRAM_IO', errno: 28 });
    const { cause } = toEngramError(native, 'DenseMemory.save') as EngramError;
    expect(cause).to.be.instanceOf(Error).and.include({ code: 'ENOSPC', errno: -28 });
  });

  it('passes through what is not its own', () => {
    const done = new EngramError('ERR_ENGRAM_TYPE', 'op', 'message');
    for (const error of [done, new TypeError('bug'), 'text', null, undefined, { code: 'ERR_ENGRAM_IO' }]) {
      expect(toEngramError(error, 'other')).to.equal(error);
    }
  });
});

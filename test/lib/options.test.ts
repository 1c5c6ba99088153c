import { expect } from 'chai';
import { boolean, choice, integer, number, optionsObject, text } from '../../dist/esm/options.js';

const op = 'operation';

/** `run` throws an EngramError of this code, which names the argument. */
function expectRefusal(run: () => unknown, code: string, argument: string): void {
  expect(run).to.throw().and.include({ code, op }).and.have.nested.property('detail.argument', argument);
}

describe('checks of options', () => {
  it('the options object: absent, or an object', () => {
    const given = { a: 1 };
    expect(optionsObject(op, given)).to.equal(given);
    expect(optionsObject(op, undefined)).to.deep.equal({});
    for (const bad of [null, 1, 'text', () => 1]) {
      expectRefusal(() => optionsObject(op, bad as never), 'ERR_ENGRAM_TYPE', 'options');
    }
  });

  it('whole numbers in a range', () => {
    for (const good of [1, 2, 10]) expect(integer(op, 'n', good, 1, 10)).to.equal(good);
    for (const bad of [0, 11, 1.5, -1, NaN, Infinity]) {
      expectRefusal(() => integer(op, 'n', bad, 1, 10), 'ERR_ENGRAM_RANGE', 'n');
    }
    for (const bad of ['1', 1n, null, undefined, {}, [1]]) {
      expectRefusal(() => integer(op, 'n', bad, 1, 10), 'ERR_ENGRAM_TYPE', 'n');
    }
  });

  it('finite numbers with a condition', () => {
    const positive = (value: number): boolean => value > 0;
    expect(number(op, 'x', 0.5, positive, 'above 0')).to.equal(0.5);
    for (const bad of [0, -1, NaN, Infinity]) {
      expectRefusal(() => number(op, 'x', bad, positive, 'above 0'), 'ERR_ENGRAM_RANGE', 'x');
    }
    expectRefusal(() => number(op, 'x', '1', positive, 'above 0'), 'ERR_ENGRAM_TYPE', 'x');
  });

  it('one of some strings', () => {
    expect(choice(op, 'c', 'a', ['a', 'b'])).to.equal('a');
    expectRefusal(() => choice(op, 'c', 'A', ['a', 'b']), 'ERR_ENGRAM_RANGE', 'c');
    for (const bad of [0, null, undefined, ['a']]) {
      expectRefusal(() => choice(op, 'c', bad, ['a', 'b']), 'ERR_ENGRAM_TYPE', 'c');
    }
    expect(() => choice(op, 'c', 'z', ['a', 'b'])).to.throw(`c is "z"; expected 'a', 'b'`);
  });

  it('booleans, and nothing like one', () => {
    for (const good of [true, false]) expect(boolean(op, 'b', good)).to.equal(good);
    for (const bad of [0, 1, 'true', null]) expectRefusal(() => boolean(op, 'b', bad), 'ERR_ENGRAM_TYPE', 'b');
  });

  it('texts that a file name can be', () => {
    expect(text(op, 't', 'ä/b')).to.equal('ä/b');
    for (const bad of ['', 'a\0b']) expectRefusal(() => text(op, 't', bad), 'ERR_ENGRAM_RANGE', 't');
    for (const bad of [1, null, Buffer.from('a')]) expectRefusal(() => text(op, 't', bad), 'ERR_ENGRAM_TYPE', 't');
  });
});

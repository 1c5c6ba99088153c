import { expect } from 'chai';
import { Failure, oneLine } from '../../lib/cli/failure.js';
import { formatBytes, formatFacts, formatSeconds, formatShare, formatTable, shorten, wrap } from '../../lib/cli/format.js';

describe('texts of the command line', () => {
  it('aligns tables: first column left, others right', () => {
    const table = formatTable(['name', 'n'], [['a', '10'], ['long name', '5']]);
    expect(table.split('\n')).to.deep.equal(['name        n', '---------  --', 'a          10', 'long name   5']);
  });

  it('aligns facts', () => {
    expect(formatFacts([['a', '1'], ['bcd', '2']])).to.equal('a    1\nbcd  2');
  });

  it('prints numbers with their units', () => {
    expect(formatBytes(999)).to.equal('999 B');
    expect(formatBytes(188_160_000)).to.equal('188 MB');
    expect(formatShare(0.9761)).to.equal('97.6 %');
    expect(formatSeconds(0.01234)).to.equal('12.3 ms');
    expect(formatSeconds(75)).to.equal('75.0 s');
  });

  it('wraps at 100 characters without losing a word', () => {
    const text = 'some words '.repeat(40).trim();
    const lines = wrap(text).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).to.be.at.most(100);
    expect(lines.join(' ')).to.equal(text);
  });

  it('shortens long texts', () => {
    expect(shorten('short', 10)).to.equal('short');
    expect(shorten('much too long', 10)).to.equal('much to...');
  });

  it('tells an error on one line with its code', () => {
    expect(oneLine(new Failure('bad\n  file', 'ERR_ENGRAM_FORMAT'))).to.equal('bad file [ERR_ENGRAM_FORMAT]');
    expect(oneLine(new Error('ENOENT: gone'))).to.equal('ENOENT: gone');
  });
});

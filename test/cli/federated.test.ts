/** A federated round by the command line: every client and the server is a process, and only files pass between them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { engram } from '../support/command.js';
import { npyBytes, scratchFolder } from '../support/files.js';
import { checkMarkup } from '../support/markup.js';

const [DIM, ARCHETYPES, CLIENTS, SAMPLES] = [144, 3, 4, 150];

/** Reproducible numbers in [0, 1) (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const int8File = (rows: readonly Int8Array[]): Buffer => {
  const header = `{'descr': '|i1', 'fortran_order': False, 'shape': (${rows.length}, ${DIM}), }`;
  return npyBytes(header, Buffer.concat(rows.map((row) => Buffer.from(row.buffer))));
};

describe('engram operator, consolidate and recall', function () {
  this.timeout(60_000);
  const folder = scratchFolder();
  const at = (name: string): string => join(folder, name);
  const random = randomNumbers(4);
  const flipped = (row: Int8Array, quality: number): Int8Array =>
    row.map((sign) => (random() < (1 + quality) / 2 ? sign : -sign));
  const truth = Array.from({ length: ARCHETYPES }, () => Int8Array.from({ length: DIM }, () => (random() < 0.5 ? -1 : 1)));
  const messages = Array.from({ length: CLIENTS }, (_, client) => at(`client-${client}.safetensors`));
  const memory = at('memory.safetensors');
  const examples = (client: number): string => at(`examples-${client}.npy`);

  before(async () => {
    writeFileSync(at('truth.npy'), int8File(truth));
    for (const [client, message] of messages.entries()) {
      const rows = Array.from({ length: SAMPLES }, (_, i) => flipped(truth[(client + i) % ARCHETYPES]!, 0.6));
      writeFileSync(examples(client), int8File(rows));
      const { status, stderr } = await engram(['operator', examples(client), '-o', message, '--client', `c${client}`, '--rank', '20']);
      expect([status, stderr]).to.deep.equal([0, '']);
    }
    writeFileSync(at('garbage.safetensors'), Buffer.alloc(300, 7));
  });

  it('makes messages that tell what a server must know, and no more eigenpairs than asked for', async () => {
    const { status, stdout } = await engram(['info', messages[0]!, '--json']);
    expect(status).to.equal(0);
    const told = JSON.parse(stdout) as Record<string, unknown>;
    expect(told).to.deep.include({ kind: 'hebbian-operator', client: 'c0', dim: DIM, rank: 20, sampleCount: SAMPLES });
    expect(told.trace).to.be.closeTo(DIM, 1e-6);
    expect(told.quality).to.be.closeTo(0.6, 0.08);
  });

  it('finds the archetypes, predicts how well, and leaves garbage out by name', async () => {
    const garbage = at('garbage.safetensors');
    const page = at('report.html');
    const { status, stdout, stderr } = await engram([
      'consolidate', messages[0]!, garbage, ...messages.slice(1), '-o', memory,
      '--truth', at('truth.npy'), '--report', page, '--image', '12x12', '--json',
    ]);
    expect([status, stderr]).to.deep.equal([0, '']);
    const result = JSON.parse(stdout) as {
      detected: number; archetypes: number; overlaps: number[]; achieved: { truth: number[]; found: number[] };
      eigenvalues: number[]; cut: number; rejectedClients: { file: string; code: string }[]; clientWeights: number[];
    };
    expect(result).to.deep.include({ detected: ARCHETYPES, archetypes: ARCHETYPES, clients: CLIENTS + 1, novelty: 1 });
    expect(Math.min(...result.achieved.truth)).to.be.above(0.95);
    expect(Math.min(...result.overlaps)).to.be.above(0.95);
    expect(result.eigenvalues.filter((value) => value > result.cut)).to.have.length(ARCHETYPES);
    expect(result.rejectedClients).to.have.length(1);
    expect(result.rejectedClients[0]).to.deep.include({ file: garbage, position: 1, code: 'ERR_ENGRAM_FORMAT' });
    expect(result.clientWeights[1]).to.equal(0);

    const html = readFileSync(page, 'utf8');
    checkMarkup(html);
    expect(html).not.to.match(/<script|https?:\/\/(?!www\.w3\.org)/);
    expect(html).to.contain('<title>Spectrum</title>').and.contain('archetype 2').and.contain('prefers-color-scheme');
  });

  it('says the same to people', async () => {
    const { status, stdout } = await engram(['consolidate', ...messages, '-o', at('again.safetensors')]);
    expect(status).to.equal(0);
    expect(stdout).to.match(/cut \d.*noise ends at \d/).and.match(/archetype +predicted overlap/).and.match(/clients +4 of 4/);
  });

  it('goes on with a memory, and keeps a history of its rounds', async () => {
    const [next, history] = [at('next.safetensors'), at('rounds.json')];
    for (const from of [memory, next]) {
      const { status, stdout } = await engram([
        'consolidate', ...messages, '--into', from, '-o', next, '--history', history, '--report', at('rounds.html'), '--json',
      ]);
      expect(status).to.equal(0);
      expect(JSON.parse(stdout)).to.deep.include({ archetypes: ARCHETYPES, added: 0, forgotten: 0 });
    }
    const rounds = JSON.parse(readFileSync(history, 'utf8')) as { round: number; archetypes: number }[];
    expect(rounds.map(({ round, archetypes }) => [round, archetypes])).to.deep.equal([[2, 3], [3, 3]]);
    expect(readFileSync(at('rounds.html'), 'utf8')).to.contain('Archetypes over rounds');
    const { stdout } = await engram(['info', next, '--json']);
    expect(JSON.parse(stdout)).to.deep.include({ kind: 'federated-memory', count: 3, dim: DIM, rounds: 3 });
  });

  it('recalls archetypes from damaged cues, by all dynamics', async () => {
    const cues = at('cues.npy');
    writeFileSync(cues, int8File(truth.map((row) => flipped(row, 0.5))));
    for (const dynamics of ['hebbian', 'pseudoInverse', 'glauber']) {
      const out = at('states.npy');
      const { status, stdout, stderr } = await engram(['recall', memory, cues, '-o', out, '--dynamics', dynamics, '--json']);
      expect([status, stderr]).to.deep.equal([0, '']);
      const result = JSON.parse(stdout) as { index: number[]; overlap: number[] };
      expect(new Set(result.index).size).to.equal(ARCHETYPES);
      for (const overlap of result.overlap) expect(Math.abs(overlap)).to.be.above(0.9);
      const bytes = readFileSync(out);
      expect(bytes.toString('latin1', 0, 100)).to.contain('|i1').and.contain(`(${ARCHETYPES}, ${DIM})`);
    }
  });

  it('binarises pixels at a threshold or at their medians, and takes a range of rows', async () => {
    const csv = at('pixels.csv');
    writeFileSync(csv, ['9,1,5,3', '0,2,6,1', '8,0,4,2', '1,3,7,0', '9,9,9,9'].join('\n'));
    const run = async (...options: string[]): Promise<number[]> => {
      const { status, stdout, stderr } = await engram(['operator', csv, '-o', at('pixels.safetensors'), '--allow-leak', '--json', ...options]);
      expect([status, stderr.replace(/^.*ENGRAM_LEAK_RISK.*\n.*\n?/m, '')]).to.deep.equal([0, '']);
      const { trace, sampleCount } = JSON.parse(stdout) as { trace: number; sampleCount: number };
      return [trace, sampleCount];
    };
    expect(await run('--binarise', '4.5', '--rows', '0:4')).to.deep.equal([4, 4]);
    expect(await run('--binarise', 'median')).to.deep.equal([4, 5]);
    expect(await run('--rows', '4:')).to.deep.equal([4 * 81, 1]);
  });

  it('refuses what it cannot do, and writes nothing then', async () => {
    const out = at('never.safetensors');
    const one = messages[0]!;
    const wrong: readonly (readonly [status: number, message: RegExp, args: readonly string[]])[] = [
      [2, /required option/, ['operator', examples(0)]],
      [2, /range of rows/, ['operator', examples(0), '-o', out, '--rows', '5:2']],
      [1, /rank 100 from 100 examples/, ['operator', examples(0), '-o', out, '--rows', '0:100', '--rank', '100']],
      [1, /1000/, ['operator', examples(0), '-o', out, '--rank', '1000']],
      [1, /--rows begins at 400/, ['operator', examples(0), '-o', out, '--rows', '400:']],
      [2, /leave weights out/, ['consolidate', one, '--into', memory, '-o', out, '--weights', 'size']],
      [2, /archetypes have 144/, ['consolidate', one, '-o', out, '--image', '10x10']],
      [1, /garbage.safetensors/, ['consolidate', at('garbage.safetensors'), '-o', out]],
      [1, /no message could be used.*garbage/, ['consolidate', at('garbage.safetensors'), '--into', memory, '-o', out]],
      [1, /ENOENT/, ['consolidate', one, at('absent'), '-o', out]],
      [1, /has 4 numbers per row; archetypes have 144/, ['consolidate', one, '-o', out, '--truth', at('pixels.csv')]],
      [1, /use `engram recall`/, ['retrieve', memory, examples(0), '-o', out]],
      [1, /client's message/, ['recall', one, examples(0), '-o', out]],
    ];
    for (const [status, message, args] of wrong) {
      const ended = await engram(args);
      expect(ended.stderr, args.join(' ')).to.match(message);
      expect(ended.status, args.join(' ')).to.equal(status);
      expect(existsSync(out), args.join(' ')).to.equal(false);
    }
  });
});

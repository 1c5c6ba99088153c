/** The commands, each run as its own process. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DenseMemory } from '../support/engram.js';
import { ended, engram, startEngram } from '../support/command.js';
import { bytesOf, npyBytes, scratchFolder } from '../support/files.js';

/** A .npy file of version 1.0, taken apart by hand. */
function parseNpy(bytes: Buffer): { header: string; data: Buffer } {
  expect(bytes.toString('latin1', 0, 8)).to.equal('\x93NUMPY\x01\x00');
  const start = 10 + bytes.readUInt16LE(8);
  return { header: bytes.toString('latin1', 10, start).trimEnd(), data: bytes.subarray(start) };
}

const floats = (data: Buffer): number[] => Array.from({ length: data.length / 4 }, (_, i) => data.readFloatLE(4 * i));

describe('engram', () => {
  const folder = scratchFolder();
  const at = (name: string): string => join(folder, name);
  const csv = at('animals.csv');
  const memory = at('animals.safetensors');
  writeFileSync(csv, 'kind,x,y\ncat,0,0\ndog,10,0\nbird,0,10\ncat,1,1\n');
  const queries = at('queries.csv');
  writeFileSync(queries, '9,1\n0,9\n');
  const wide = at('wide.csv');
  writeFileSync(wide, '1,2,3\n');

  before(async () => {
    const { status, stderr } = await engram([
      'import', csv, '-o', memory, '--label-column', 'kind', '--name', 'animals', '--metadata', 'source=zoo', '--calibrate',
    ]);
    expect(stderr).to.equal('');
    expect(status).to.equal(0);
  });

  it('imports a csv file with labels as one-hot values', async () => {
    using opened = await DenseMemory.open(memory, { verify: true });
    expect([opened.count, opened.dim, opened.valueDim]).to.deep.equal([4, 2, 3]);
    expect(opened.metadata).to.deep.equal({ name: 'animals', source: 'zoo', classes: '["bird","cat","dog"]' });
    expect(opened.calibration?.similarity).to.equal('euclidean');
  });

  it('tells what a memory holds', async () => {
    const { status, stdout } = await engram(['info', memory, '--verify', '--json']);
    expect(status).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ count: 4, dim: 2, valueDim: 3, verified: true });
    expect((await engram(['info', memory])).stdout).to.match(/patterns\s+4 x 2/);
  });

  it('retrieves values and states into .npy files', async () => {
    const [out, states] = [at('out.npy'), at('states.npy')];
    const { status, stdout } = await engram([
      'retrieve', memory, queries, '-o', out, '--states', states, '--beta', '50', '--steps', '2', '--json',
    ]);
    expect(status).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ queries: 2, beta: 50, steps: [2, 2] });
    const values = parseNpy(readFileSync(out));
    expect(values.header).to.contain("'descr': '<f4'").and.contain("'fortran_order': False").and.contain('(2, 3)');
    expect(floats(values.data)).to.deep.equal([0, 0, 1, 1, 0, 0]);
    expect(floats(parseNpy(readFileSync(states)).data)).to.deep.equal([10, 0, 0, 10]);
  });

  it('uses the beta of the calibration', async () => {
    using opened = await DenseMemory.open(memory);
    const { stdout } = await engram(['retrieve', memory, queries, '-o', at('calibrated.npy'), '--json']);
    expect((JSON.parse(stdout) as { beta: number }).beta).to.equal(opened.calibration?.beta);
  });

  it('searches, writing json and npy', async () => {
    const json = at('hits.json');
    expect((await engram(['search', memory, queries, '-k', '2', '-o', json])).status).to.equal(0);
    expect(JSON.parse(readFileSync(json, 'utf8'))).to.deep.equal({
      k: 2, similarity: 'euclidean', indices: [[1, 3], [2, 3]], scores: [[-1, -32], [-0.5, -32.5]],
    });
    expect((await engram(['search', memory, queries, '-k', '1', '-o', at('hits.npy'), '--similarity', 'dot'])).status).to.equal(0);
    const indices = parseNpy(readFileSync(at('hits.npy')));
    expect(indices.header).to.contain("'descr': '<u4'").and.contain('(2, 1)');
    expect([indices.data.readUInt32LE(0), indices.data.readUInt32LE(4)]).to.deep.equal([1, 2]);
    expect(floats(parseNpy(readFileSync(at('hits.scores.npy'))).data)).to.deep.equal([90, 90]);
  });

  it('reads .npy of other number types, and safetensors, and joins files', async () => {
    const doubles = at('doubles.npy');
    const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }";
    writeFileSync(doubles, npyBytes(header, new Uint8Array(Float64Array.of(1, 2, 3, 4).buffer)));
    const joined = at('joined.safetensors');
    const { status, stdout } = await engram(['import', doubles, memory, '-o', joined, '--json']);
    expect(status).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ count: 6, dim: 2, valueDim: 2 });
    using opened = await DenseMemory.open(joined);
    const { indices } = await opened.search(Float32Array.of(3, 4, 10, 0), { k: 1 });
    expect([...indices]).to.deep.equal([1, 3]);
  });

  it('pairs patterns with values of another file, and says when they do not match', async () => {
    const values = at('values.npy');
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
    writeFileSync(values, npyBytes(header, bytesOf(Float32Array.of(7, 8))));
    const paired = at('paired.safetensors');
    expect((await engram(['import', queries, '--values', values, '-o', paired])).status).to.equal(0);
    const mismatch = at('mismatch.safetensors');
    const refused = await engram(['import', memory, '--values', values, '-o', mismatch]);
    expect(refused.status).to.equal(1);
    expect(refused.stderr).to.equal(
      'engram: there are 2 rows of values for at least 4 patterns; one for each is needed [ERR_ENGRAM_SHAPE]\n',
    );
    expect(existsSync(mismatch)).to.equal(false);
  });

  it('reports on the machine', async () => {
    const { status, stdout } = await engram(['doctor', '--json']);
    expect(status).to.equal(0);
    const report = JSON.parse(stdout) as { addon: { loaded: boolean; path: string }; devices: { id: string }[] };
    expect(report.addon.loaded).to.equal(true);
    expect(existsSync(report.addon.path)).to.equal(true);
    expect(report.devices[0]?.id).to.equal('cpu');
    expect((await engram(['doctor'])).stdout).to.match(/device cpu .*instruction set/);
  });

  describe('exit status', () => {
    const usage: [string, string[]][] = [
      ['no command', []],
      ['an unknown command', ['recall']],
      ['a missing option', ['import', csv]],
      ['a missing argument', ['info']],
      ['a bad number', ['search', memory, queries, '-k', '0', '-o', 'hits.json']],
      ['a bad choice', ['retrieve', memory, queries, '-o', 'x.npy', '--similarity', 'taxicab']],
      ['a device that is none', ['search', memory, queries, '-k', '1', '-o', 'hits.json', '--device', 'foo']],
      ['options that exclude each other', ['import', csv, '-o', 'x', '--labels', csv, '--label-column', 'kind']],
      ['an output of unknown format', ['search', memory, queries, '-k', '1', '-o', 'hits.txt']],
      ['metadata without a value', ['import', csv, '-o', 'x', '--metadata', 'key']],
    ];
    for (const [what, args] of usage) {
      it(`2 for ${what}`, async () => {
        const { status, stderr } = await engram(args);
        expect(status).to.equal(2);
        expect(stderr).to.not.equal('');
      });
    }

    const failing: [string, string[], RegExp][] = [
      ['a missing memory', ['info', at('nowhere')], /nowhere.*ERR_ENGRAM_IO/],
      ['a missing input', ['import', at('nowhere'), '-o', at('x')], /ENOENT/],
      ['a file that is no memory', ['info', csv], /ERR_ENGRAM_FORMAT/],
      ['queries that are no numbers', ['search', memory, csv, '-k', '1', '-o', at('x.json')], /no finite number/],
      ['queries of another width', ['search', memory, wide, '-k', '1', '-o', at('x.json')], /ERR_ENGRAM_SHAPE/],
      ['a device that is not there', ['search', memory, queries, '-k', '1', '-o', at('x.json'), '--device', 'cuda:99'], /cuda:99.* not available: .*ERR_ENGRAM_DEVICE/],
      ['a folder that is not there', ['import', queries, '-o', at('no/such/x')], /ERR_ENGRAM_IO/],
    ];
    for (const [what, args, message] of failing) {
      it(`1 and one line for ${what}`, async () => {
        const { status, stderr } = await engram(args);
        expect(status).to.equal(1);
        expect(stderr).to.match(/^engram: [^\n]+\n$/).and.match(message);
      });
    }

    it('0 for help and version', async () => {
      expect((await engram(['--help'])).status).to.equal(0);
      expect((await engram(['import', '--help'])).status).to.equal(0);
      expect((await engram(['--version'])).stdout).to.match(/^\d+\.\d+\.\d+\n$/);
    });
  });

  it('is not disturbed by a reader that closes the pipe', async () => {
    const child = startEngram(['doctor']);
    child.stdout?.destroy();
    const { status, stderr } = await ended(child);
    expect([status, stderr]).to.deep.equal([0, '']);
  });

  it('ends by the signal that interrupts it and leaves no half-written file', async () => {
    const busy = at('busy');
    mkdirSync(busy);
    const many = join(busy, 'many.csv');
    writeFileSync(many, '1,2,3,4,5,6,7,8\n'.repeat(400_000));
    const child = startEngram(['import', many, '-o', join(busy, 'out.safetensors')]);
    const end = ended(child);
    // It has read a part of the input by then, and can hardly have finished.
    await new Promise((resolve) => setTimeout(resolve, 400));
    child.kill('SIGINT');
    const { signal, status, stderr } = await end;
    if (signal === 'SIGINT') {
      expect(stderr).to.be.oneOf(['engram: interrupted\n', '']);
      expect(readdirSync(busy)).to.deep.equal(['many.csv']);
    } else {
      expect(status).to.equal(0); // a fast machine: the file is whole
      expect(readdirSync(busy)).to.have.members(['many.csv', 'out.safetensors']);
    }
  });
});

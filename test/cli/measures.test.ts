/** The commands for memories of measures, each run as its own process. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { dataFolder } from '../../lib/demo/fashion-mnist.js';
import { byteIdx, floatNpy, png } from '../support/cloud-files.js';
import { ended, engram, startEngram } from '../support/command.js';
import { MeasureMemory } from '../support/engram.js';
import { expectClose } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { allOf, parseSvg, type SvgElement } from '../support/svg.js';

interface Imported { count: number; points: number; dim: number; epsilon: number; costScale: number }
interface Compared { index: number[]; divergence: number[]; errorBound: number[]; converged: number; iterations: number; queries: number }
interface Recalled {
  index: number[]; divergence: number[]; energy: number[]; steps: number[]; converged: number[];
  work: { pairsEvaluated: number; pairsPruned: number; iterations: number };
}

/** A circle of `n` points, a line to each, around (x, y). */
function circle(n: number, x: number, y: number, radius = 1): string {
  const lines = Array.from({ length: n }, (_, i) => {
    const angle = (2 * Math.PI * i) / n;
    return `${(x + radius * Math.cos(angle)).toFixed(6)},${(y + radius * Math.sin(angle)).toFixed(6)}\n`;
  });
  return lines.join('');
}

/** Runs a command that must succeed, and returns what it printed as JSON. */
async function answered<T>(args: readonly string[]): Promise<T> {
  const { status, stdout, stderr } = await engram([...args, '--json']);
  expect(stderr).to.equal('');
  expect(status).to.equal(0);
  return JSON.parse(stdout) as T;
}

/** Numbers of a .npy file of version 1.0. */
function readNpy(path: string): { header: string; data: DataView } {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  return {
    header: bytes.toString('latin1', 10, start).trimEnd(),
    data: new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start),
  };
}

describe('engram measures', () => {
  const folder = scratchFolder();
  const at = (name: string): string => join(folder, name);
  const file = (name: string, contents: string | Buffer): string => {
    writeFileSync(at(name), contents);
    return at(name);
  };
  const shapes = at('shapes');
  mkdirSync(shapes);
  file('shapes/left.csv', circle(12, -4, 0));
  file('shapes/right.csv', circle(16, 4, 0));
  file('shapes/far.csv', circle(9, 0, 40, 3));
  const memory = at('shapes.safetensors');
  // In the order of their names: far, left, right.
  const [FAR, LEFT, RIGHT] = [0, 1, 2];
  const nearLeft = file('near-left.csv', circle(10, -3.4, 0.3, 0.8));
  const nearRight = file('near-right.csv', circle(14, 3.5, -0.2, 1.3));
  const cubes = file('cubes.npy', floatNpy([2, 3], [1, 2, 3, 4, 5, 6]));
  const vectors = at('vectors.safetensors');
  const EPSILON = 0.05;

  let imported: Imported;
  before(async () => {
    imported = await answered<Imported>(['measures', 'import', shapes, '-o', memory, '--epsilon', String(EPSILON), '--name', 'shapes', '--metadata', 'made=by hand']);
    expect((await engram(['import', cubes, '-o', vectors])).status).to.equal(0);
  });

  describe('import', () => {
    it('stores what the API stores of the same clouds', async () => {
      expect(imported).to.deep.include({ count: 3, points: 37, dim: 2, epsilon: EPSILON, costScale: 0.5 });
      using opened = await MeasureMemory.open(memory, { verify: true });
      expect([opened.count, opened.pointCount, opened.dim, opened.epsilon]).to.deep.equal([3, 37, 2, EPSILON]);
      const { points, weights } = opened.cloud(RIGHT);
      expectClose(points.subarray(0, 2), [5, 0], 0);
      expectClose(weights, new Array<number>(16).fill(1 / 16), 0);
      expect(opened.metadata).to.deep.equal({ name: 'shapes', made: 'by hand', names: '["far.csv","left.csv","right.csv"]' });
    });

    it('takes epsilon relative to the mean cost, and a scale of the cost', async () => {
      const path = at('relative.safetensors');
      const { epsilon, costScale } = await answered<Imported>(
        ['measures', 'import', file('pair.csv', '0\n2\n'), '-o', path, '--relative-epsilon', '0.25', '--cost-scale', '2'],
      );
      expect(costScale).to.equal(2);
      // Two points 2 apart: half of all pairs cost 2 * 2^2.
      expect(epsilon).to.be.closeTo(0.25 * 4, 1e-12);
    });

    it('reads weights', async () => {
      const path = at('weighted.safetensors');
      await answered(['measures', 'import', file('weighted.csv', '1,2,1\n3,4,3\n'), '-o', path, '--weights', '--epsilon', '1']);
      using opened = await MeasureMemory.open(path);
      expect([...opened.cloud(0).weights]).to.deep.equal([0.25, 0.75]);
    });

    it('reads images, which lie in pixels', async () => {
      const path = at('images.safetensors');
      const picture = file('dot.png', png(3, 2, new Array<number>(24).fill(0).fill(255, 20, 24)));
      const set = file('set', byteIdx([2, 2, 2], [0, 255, 0, 0, 255, 0, 0, 51]));
      const { count } = await answered<Imported>(['measures', 'import', picture, set, '-o', path, '--epsilon', '1', '--threshold', '0.1']);
      expect(count).to.equal(3);
      using opened = await MeasureMemory.open(path);
      expect([...opened.cloud(0).points]).to.deep.equal([2, 1]);
      expect([...opened.cloud(2).points]).to.deep.equal([0, 0, 1, 1]);
      expect(opened.metadata).to.deep.equal({ coordinates: 'pixels' });
    });
  });

  describe('info', () => {
    it('tells what a memory of measures holds', async () => {
      const told = await answered<Record<string, unknown>>(['info', memory, '--verify']);
      expect(told).to.deep.include({ kind: 'measures', count: 3, points: 37, dim: 2, epsilon: EPSILON, costScale: 0.5, verified: true });
      const { stdout } = await engram(['info', memory]);
      expect(stdout).to.match(/clouds\s+3, of 12\.3 points/).and.match(/points\s+37 x 2/).and.match(/epsilon\s+0\.05/);
    });

    it('still tells what other memories hold', async () => {
      expect(await answered(['info', vectors])).to.deep.include({ kind: 'dense', count: 2, dim: 3 });
    });
  });

  describe('divergence', () => {
    it('answers as the API does, with the nearest first', async () => {
      const out = at('divergence.npy');
      const compared = await answered<Compared>(['measures', 'divergence', memory, nearLeft, nearRight, '-o', out]);
      expect(compared.index).to.deep.equal([LEFT, RIGHT]);
      expect(compared).to.deep.include({ queries: 2, clouds: 3, converged: 6 });
      const { header, data } = readNpy(out);
      expect(header).to.contain("'<f8'").and.contain('(2, 3)');
      const values = Array.from({ length: 6 }, (_, i) => data.getFloat64(8 * i, true));

      using opened = await MeasureMemory.open(memory);
      const points = Float32Array.from(circle(10, -3.4, 0.3, 0.8).trim().split(/[\n,]/), Number);
      const expected = opened.divergenceSync({ points });
      expectClose(values.slice(0, 3), expected.values, 0);
      expect(compared.divergence).to.deep.equal([values[LEFT], values[3 + RIGHT]]);
    });

    it('writes everything as json', async () => {
      const out = at('divergence.json');
      await answered(['measures', 'divergence', memory, nearLeft, '-o', out, '--solver', 'log', '--tolerance', '1e-4']);
      const written = JSON.parse(readFileSync(out, 'utf8')) as Record<string, number[][]>;
      expect(written).to.have.all.keys('rows', 'columns', 'values', 'errorBound', 'iterations', 'residual', 'converged');
      expect(written.converged).to.deep.equal([[1, 1, 1]]);
      expect(Math.max(...written.residual![0]!)).to.be.within(0, 1e-4);
    });

    it('obeys the limits of the solver', async () => {
      const args = ['measures', 'divergence', memory, nearLeft, '--max-iterations', '1', '--tolerance', '1e-12', '--solver', 'log'];
      expect((await answered<Compared>(args)).converged).to.be.below(3);
      const { status, stderr } = await engram([...args, '--strict']);
      expect(status).to.equal(1);
      expect(stderr).to.match(/^engram: [^\n]+\[ERR_ENGRAM_NOT_CONVERGED\]\n$/);
    });

    it('prints a table with the names of files, of many queries the first', async () => {
      const { stdout } = await engram(['measures', 'divergence', memory, nearLeft]);
      expect(stdout).to.match(/0 near-left\.csv\s+1 left\.csv\s+[\d.]+/).and.match(/converged\s+3 of 3 pairs/);
      const many = file('many.npy', floatNpy([30, 1, 2], Array.from({ length: 60 }, (_, i) => i % 7)));
      const listed = (await engram(['measures', 'divergence', memory, many])).stdout;
      expect(listed).to.contain('... and 10 more');
    });
  });

  describe('retrieve', () => {
    it('recalls what was stored, and draws how', async () => {
      const [out, picture] = [at('recalled.safetensors'), at('recalled.svg')];
      const recalled = await answered<Recalled>(
        ['measures', 'retrieve', memory, nearLeft, nearRight, '--beta', '5', '--steps', '40', '-o', out, '--picture', picture],
      );
      expect(recalled.index).to.deep.equal([LEFT, RIGHT]);
      // The flow has brought them nearly all of the way.
      const cues = await answered<Compared>(['measures', 'divergence', memory, nearLeft, nearRight]);
      recalled.divergence.forEach((value, query) => expect(value).to.be.within(0, 0.1 * cues.divergence[query]!));
      expect(recalled.work.pairsEvaluated).to.be.at.least(recalled.steps[0]! + recalled.steps[1]!);
      for (const steps of recalled.steps) expect(steps).to.be.within(1, 40);

      using opened = await MeasureMemory.open(out);
      expect([opened.count, opened.pointCount, opened.epsilon]).to.deep.equal([2, 24, EPSILON]);
      const radii = Array.from(opened.cloud(0).weights, (_, i) => {
        const [x = NaN, y = NaN] = opened.cloud(0).points.subarray(2 * i);
        return Math.hypot(x + 4, y);
      });
      // Ten points cannot lie as twelve do, but on about the same circle.
      expectClose(radii, new Array<number>(10).fill(1), 0.15);

      const panels = allOf(parseSvg(readFileSync(picture, 'utf8')), (one) => one.attributes.class === 'panel');
      const dots = (panel: SvgElement, kind: string): number =>
        allOf(panel, (one) => one.attributes.class === kind)[0]!.children.length;
      expect(panels.map((panel) => ['cue', 'path', 'recalled', 'stored'].map((kind) => dots(panel, kind)))).to.deep.equal([
        [10, 10, 10, 12],
        [14, 14, 14, 16],
      ]);
      expect(panels[0]!.children[0]!.text).to.match(/^query 0 near-left\.csv \u2192 1 left\.csv, \d+ steps$/);
    });

    it('writes a folder of npy files that it reads again', async () => {
      const out = at('recalled');
      const { index } = await answered<Recalled>(['measures', 'retrieve', memory, nearLeft, nearRight, '--beta', '5', '-o', out]);
      expect(index).to.deep.equal([LEFT, RIGHT]);
      expect(readdirSync(out).sort()).to.deep.equal(['recalled-0.npy', 'recalled-1.npy']);
      const { header, data } = readNpy(join(out, 'recalled-0.npy'));
      expect(header).to.contain("'<f4'").and.contain('(10, 3)');
      const mass = Array.from({ length: 10 }, (_, i) => data.getFloat32(12 * i + 8, true)).reduce((sum, one) => sum + one, 0);
      expect(mass).to.be.closeTo(1, 1e-6);
      const again = await answered<Compared>(['measures', 'divergence', memory, out, '--weights']);
      expect(again.index).to.deep.equal([LEFT, RIGHT]);
    });

    it('takes the steps it is told, and as many', async () => {
      const base = ['measures', 'retrieve', memory, nearLeft, '--beta', '5', '--flow-tolerance', '0'];
      const cue = await answered<Recalled>([...base, '--steps', '1', '--step-size', '1e-9,1e-9']);
      const given = await answered<Recalled>([...base, '--steps', '3', '--step-size', '0.1,0.1']);
      const bound = await answered<Recalled>([...base, '--steps', '3', '--step-size', 'bound']);
      expect([cue.steps, given.steps, bound.steps]).to.deep.equal([[1], [3], [3]]);
      expect(given.energy[0]).to.be.below(cue.energy[0]!);
      expect(bound.energy[0]).to.be.below(cue.energy[0]!);
    });

    it('snaps to the stored cloud, and skips no cloud where it is told so', async () => {
      const out = at('snapped.safetensors');
      const { work } = await answered<Recalled>(['measures', 'retrieve', memory, nearLeft, '--beta', '50', '--snap', '--prune', '0', '-o', out]);
      expect(work.pairsPruned).to.equal(0);
      using recalled = await MeasureMemory.open(out);
      using stored = await MeasureMemory.open(memory);
      expect([...recalled.cloud(0).points]).to.deep.equal([...stored.cloud(LEFT).points]);
    });

    it('finds a far cloud, and prints nearest cloud, divergence, energy and work', async () => {
      const far = file('near-far.csv', circle(20, 1, 39, 2));
      const { stdout, status } = await engram(['measures', 'retrieve', memory, far, '--beta', '1']);
      expect(status).to.equal(0);
      expect(stdout).to.match(/query\s+nearest\s+divergence\s+energy\s+steps\s+converged/);
      expect(stdout).to.contain(`${FAR} far.csv`).and.match(/work\s+[\d,]+ divergences \([\d.]+ % of all skipped\), [\d,]+ iterations/);
    });
  });

  describe('on Fashion-MNIST', () => {
    let data = '';
    before(function () {
      try {
        data = dataFolder();
      } catch {
        this.skip(); // the images are not installed here
      }
    });

    it('recalls images from their upper halves', async () => {
      const SIDE = 28;
      const images = gunzipSync(readFileSync(join(data, 't10k-images-idx3-ubyte.gz'))).subarray(16, 16 + 12 * SIDE * SIDE);
      const stored = file('images', byteIdx([12, SIDE, SIDE], images));
      const cut = Buffer.from(images.subarray(0, 3 * SIDE * SIDE));
      for (let i = 0; i < cut.length; ++i) if (i % (SIDE * SIDE) >= (SIDE * SIDE) / 2) cut[i] = 0;
      const cues = file('cues', byteIdx([3, SIDE, SIDE], cut));
      const path = at('fashion.safetensors');
      const { count, dim } = await answered<Imported>(['measures', 'import', stored, '-o', path, '--epsilon', '0.5', '--threshold', '0.2']);
      expect([count, dim]).to.deep.equal([12, 2]);

      const self = await answered<Compared>(['measures', 'divergence', path, stored, '--threshold', '0.2', '--first', '4']);
      expect(self.index).to.deep.equal([0, 1, 2, 3]);
      self.divergence.forEach((value, query) => expect(Math.abs(value)).to.be.at.most(1e-6 + self.errorBound[query]!));

      const picture = at('fashion.svg');
      const before = await answered<Compared>(['measures', 'divergence', path, cues, '--threshold', '0.2']);
      const recalled = await answered<Recalled>(
        ['measures', 'retrieve', path, cues, '--beta', '1', '--steps', '5', '--threshold', '0.2', '--picture', picture],
      );
      recalled.divergence.forEach((value, query) => expect(value).to.be.below(before.divergence[query]!));
      expect(allOf(parseSvg(readFileSync(picture, 'utf8')), (one) => one.attributes.class === 'panel')).to.have.length(3);
    });
  });

  describe('exit status', () => {
    const beta = ['--beta', '1'];
    const usage: [string, string[]][] = [
      ['no command', ['measures']],
      ['an unknown command', ['measures', 'recall']],
      ['no epsilon', ['measures', 'import', shapes, '-o', 'x']],
      ['two epsilons', ['measures', 'import', shapes, '-o', 'x', '--epsilon', '1', '--relative-epsilon', '1']],
      ['an epsilon of 0', ['measures', 'import', shapes, '-o', 'x', '--epsilon', '0']],
      ['a width without a height', ['measures', 'import', shapes, '-o', 'x', '--epsilon', '1', '--width', '3']],
      ['a negative threshold', ['measures', 'import', shapes, '-o', 'x', '--epsilon', '1', '--threshold', '-1']],
      ['no queries', ['measures', 'divergence', memory]],
      ['a device that is none', ['measures', 'divergence', memory, nearLeft, '--device', 'cuda:']],
      ['an unknown solver', ['measures', 'divergence', memory, nearLeft, '--solver', 'magic']],
      ['divergences in an unknown format', ['measures', 'divergence', memory, nearLeft, '-o', 'x.txt']],
      ['no beta', ['measures', 'retrieve', memory, nearLeft]],
      ['a step size that is none', ['measures', 'retrieve', memory, nearLeft, ...beta, '--step-size', '1']],
      ['a negative step size', ['measures', 'retrieve', memory, nearLeft, ...beta, '--step-size', '1,-1']],
      ['three step sizes', ['measures', 'retrieve', memory, nearLeft, ...beta, '--step-size', '1,1,1']],
      ['recalled clouds in an unknown format', ['measures', 'retrieve', memory, nearLeft, ...beta, '-o', 'x.npy']],
      ['a picture in an unknown format', ['measures', 'retrieve', memory, nearLeft, ...beta, '--picture', 'x.jpg']],
    ];
    for (const [what, args] of usage) {
      it(`2 for ${what}`, async () => {
        const { status, stderr } = await engram(args);
        expect(status).to.equal(2);
        expect(stderr).to.not.equal('');
      });
    }

    const crowd = file('crowd.npy', floatNpy([13, 1, 2], new Array<number>(26).fill(1)));
    const failing: [string, string[], RegExp][] = [
      ['a memory that is not there', ['measures', 'divergence', at('none'), nearLeft], /ERR_ENGRAM_IO/],
      ['a device that is not there', ['measures', 'divergence', memory, nearLeft, '--device', 'cuda:99'], /cuda:99.* not available: .*ERR_ENGRAM_DEVICE/],
      ['queries that are not there', ['measures', 'divergence', memory, at('none')], /ENOENT/],
      ['a file that is no memory', ['measures', 'divergence', nearLeft, nearLeft], /ERR_ENGRAM_FORMAT/],
      ['queries of another dim', ['measures', 'divergence', memory, file('plain.csv', '1,2\n'), '--weights'], /plain\.csv: has points of dim 1; .* dim 2 \[ERR_ENGRAM_SHAPE\]/],
      ['queries with weights unsaid', ['measures', 'divergence', memory, cubes], /dim 3; .*add --weights/],
      ['a memory of vectors', ['measures', 'retrieve', vectors, cubes, ...beta], /is a memory of vectors; use `engram retrieve`/],
      ['a cloud without mass', ['measures', 'import', file('massless.csv', '1,0\n2,0\n'), '--weights', '-o', at('x'), '--epsilon', '1'], /no mass.*ERR_ENGRAM_RANGE/],
      ['more queries than a picture holds', ['measures', 'retrieve', memory, crowd, ...beta, '--picture', at('x.svg')], /room for 12 queries; there are 13/],
      ['measures asked as vectors', ['search', memory, nearLeft, '-k', '1', '-o', at('x.json')], /is a memory of measures; use `engram measures retrieve`/],
      ['measures completed as vectors', ['retrieve', memory, nearLeft, '-o', at('x.npy'), ...beta], /is a memory of measures/],
      ['a relative epsilon of one point', ['measures', 'import', file('point.csv', '1,2\n'), '-o', at('x'), '--relative-epsilon', '1'], /ERR_ENGRAM_RANGE/],
      ['a folder that is not there', ['measures', 'import', shapes, '-o', at('no/such/x'), '--epsilon', '1'], /ERR_ENGRAM_IO/],
    ];
    for (const [what, args, message] of failing) {
      it(`1 and one line for ${what}`, async () => {
        const { status, stderr } = await engram(args);
        expect(stderr).to.match(/^engram: [^\n]+\n$/).and.match(message);
        expect(status).to.equal(1);
        for (const name of ['x', 'x.svg', 'x.json', 'x.npy']) expect(existsSync(at(name)), name).to.equal(false);
      });
    }

    it('0 for help, which names every command', async () => {
      const { status, stdout } = await engram(['measures', '--help']);
      expect(status).to.equal(0);
      for (const name of ['import', 'divergence', 'retrieve']) expect(stdout).to.match(new RegExp(`^ +${name} `, 'm'));
      expect((await engram(['--help'])).stdout).to.match(/Memories of measures:\n +measures/);
    });
  });

  it('ends by the signal that interrupts it and leaves no half-written file', async () => {
    const busy = at('busy');
    mkdirSync(busy);
    // Hours of work: every pair takes a million iterations that cannot converge.
    const clouds = file('busy.npy', floatNpy([64, 256, 2], Array.from({ length: 64 * 512 }, (_, i) => Math.sin(i * i))));
    const stored = at('busy.safetensors');
    await answered(['measures', 'import', clouds, '-o', stored, '--epsilon', '0.001']);
    const child = startEngram([
      'measures', 'divergence', stored, clouds, '--tolerance', '0', '--max-iterations', '1000000', '--solver', 'log', '-o', join(busy, 'out.npy'),
    ]);
    const end = ended(child);
    await new Promise((resolve) => setTimeout(resolve, 1000)); // it has started by then, or is about to
    child.kill('SIGINT');
    const { signal, stderr } = await end;
    expect(signal).to.equal('SIGINT');
    expect(stderr).to.be.oneOf(['engram: interrupted\n', '']);
    expect(readdirSync(busy)).to.deep.equal([]);
  });
});

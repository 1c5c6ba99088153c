/** The experiments: clouds and damages are what they are said to be, the baselines are right, everything runs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { recallPoints, recallVectors } from '../../scripts/experiments/baselines.mjs';
import { largestAt } from '../../scripts/experiments/capacity.mjs';
import { cases, problemOf, storedClouds } from '../../scripts/experiments/cases.mjs';
import { anisotropicCloud, type Cloud, isotropicCloud, pack, unpack } from '../../scripts/experiments/clouds.mjs';
import { damaged } from '../../scripts/experiments/damage.mjs';
import { excess, FLOOR } from '../../scripts/experiments/descent.mjs';
import { Random } from '../../scripts/experiments/engram.mjs';
import {
  centred,
  cloudOf,
  jittered,
  occluded,
  pictureFrom,
  SIDE,
  spotsOf,
  thinned,
} from '../../scripts/experiments/fashion.mjs';
import { fillTables } from '../../scripts/experiments/page.mjs';
import { mean as average, quantile } from '../../scripts/experiments/statistics.mjs';
import { isMonotone } from '../../scripts/experiments/targets.mjs';

const DIM = 3;

/** Mean and variance of each coordinate. */
function moments({ points }: Cloud, dim: number): { mean: number[]; variance: number[] } {
  const columns = Array.from({ length: dim }, (_, k) => Array.from(points).filter((_x, at) => at % dim === k));
  const mean = columns.map((column) => average(column));
  const variance = columns.map((column, k) => average(column.map((x) => (x - mean[k]!) ** 2)));
  return { mean, variance };
}

/** The points of a cloud as strings in sorted order: equal for equal sets of points. */
const pointSet = ({ points }: Cloud, dim: number): string[] =>
  Array.from({ length: points.length / dim }, (_, i) => points.subarray(i * dim, (i + 1) * dim).join(' ')).sort();

describe('clouds of the experiments', () => {
  it('are standard normal where isotropic', () => {
    const { mean, variance } = moments(isotropicCloud(new Random(1), 20_000, DIM), DIM);
    // Five standard errors: 1 / sqrt(n) of a mean, sqrt(2 / n) of a variance.
    for (const m of mean) expect(m).to.be.closeTo(0, 0.036);
    for (const v of variance) expect(v).to.be.closeTo(1, 0.05);
  });

  it('have centroids and covariances of their own where anisotropic', () => {
    const random = new Random(2);
    const clouds = Array.from({ length: 400 }, () => moments(anisotropicCloud(random, 50, 2, 3), 2));
    const centroids = clouds.flatMap(({ mean }) => mean);
    const spread = Math.sqrt(average(centroids.map((x) => x * x)));
    expect(spread).to.be.closeTo(3, 0.4); // 800 coordinates: standard error 0.08, and the points' own
    const variances = clouds.flatMap(({ variance }) => variance);
    expect(average(variances)).to.be.closeTo(1, 0.25);
    expect(Math.max(...variances) / Math.min(...variances)).to.be.greaterThan(10);
  });

  it('survive packing', () => {
    const random = new Random(3);
    const clouds = [2, 5, 1].map((n) => isotropicCloud(random, n, DIM));
    expect(unpack(pack(clouds), DIM)).to.deep.equal(clouds);
  });

  it('are the same for the same seed', () => {
    const problem = () => problemOf(cases[0]!.setup, { seed: 7, queries: 3, steps: 1 });
    expect(problem()).to.deep.equal(problem());
  });
});

describe('damages of the experiments', () => {
  const cloud = isotropicCloud(new Random(4), 12, DIM);

  it('permute the atoms and nothing else by default', () => {
    const cue = damaged(new Random(5), cloud, DIM, {});
    expect(pointSet(cue, DIM)).to.deep.equal(pointSet(cloud, DIM));
    expect(cue.points).not.to.deep.equal(cloud.points);
  });

  it('keep the order when told to', () => {
    expect(damaged(new Random(5), cloud, DIM, { permuted: false }).points).to.deep.equal(cloud.points);
  });

  it('keep as many atoms as told, with weights that sum to 1', () => {
    const cue = damaged(new Random(6), cloud, DIM, { kept: 5, weightNoise: 0.5 });
    expect(cue.weights).to.have.lengthOf(5);
    expect(cue.weights.reduce((sum, weight) => sum + weight, 0)).to.be.closeTo(1, 1e-6);
    for (const point of pointSet(cue, DIM)) expect(pointSet(cloud, DIM)).to.include(point);
  });

  it('jitter by the standard deviation they are given', () => {
    const large = isotropicCloud(new Random(7), 5000, DIM);
    const cue = damaged(new Random(8), large, DIM, { jitter: 0.5, permuted: false });
    const variance = average(Array.from(cue.points, (x, at) => (x - large.points[at]!) ** 2));
    expect(Math.sqrt(variance)).to.be.closeTo(0.5, 0.02); // standard error 0.003
  });
});

describe('the baselines', () => {
  const random = new Random(9);
  const stored = storedClouds(random, { count: 20, atoms: 6, dim: 4 });
  const options = { dim: 4, beta: 20, steps: 5 };
  const truth = stored[3]!;
  const aligned = damaged(random, truth, 4, { jitter: 0.2, permuted: false });

  it('H_vec brings back an aligned cloud, points and weights', async () => {
    const [recalled] = await recallVectors(stored, [aligned], options);
    recalled!.points.forEach((x, at) => expect(x).to.be.closeTo(truth.points[at]!, 1e-4));
    recalled!.weights.forEach((weight, i) => expect(weight).to.be.closeTo(truth.weights[i]!, 1e-6));
  });

  it('H_vec refuses clouds of different sizes', async () => {
    const partial = damaged(random, truth, 4, { kept: 3 });
    const refusal = await recallVectors(stored, [partial], options).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(RangeError);
  });

  it('H_pt brings back points in any order, and leaves weights as they are', async () => {
    const cue = damaged(random, truth, 4, { jitter: 0.05, weightNoise: 0.5 });
    const [recalled] = await recallPoints(stored, [cue], { ...options, beta: 200 });
    const nearest = (x: Float32Array) =>
      Math.min(...unpack(pack([truth]), 4)[0]!.points.reduce<number[]>((distances, _, at, all) => {
        if (at % 4 === 0) distances.push(Math.hypot(...x.map((value, k) => value - all[at + k]!)));
        return distances;
      }, []));
    for (let i = 0; i < 6; i++) expect(nearest(recalled!.points.subarray(4 * i, 4 * i + 4))).to.be.below(1e-3);
    expect(recalled!.weights).to.deep.equal(cue.weights);
  });
});

describe('pictures as measures', () => {
  const picture = Float32Array.from({ length: SIDE ** 2 }, (_, at) => (at % 3 === 0 ? 0.5 : 0));
  const spots = spotsOf(picture);

  it('become spots and pictures again', () => {
    expect(pictureFrom(spots)).to.deep.equal(picture);
  });

  it('lose the lower half', () => {
    const { places } = occluded(spots);
    const rows = places.filter((_, at) => at % 2 === 1);
    expect(Math.max(...rows)).to.be.below(SIDE / 2);
    expect(rows.length).to.be.within(0.4 * spots.light.length, 0.6 * spots.light.length);
  });

  it('lose half of the spots at random', () => {
    const { light, places } = thinned(spots, new Random(1));
    expect(light.length).to.equal(Math.ceil(spots.light.length / 2));
    expect(Math.max(...places.filter((_, at) => at % 2 === 1))).to.equal(SIDE - 1);
  });

  it('have their mean at the origin once centred', () => {
    const { points, weights } = centred(cloudOf(spots));
    for (const axis of [0, 1]) {
      const mean = weights.reduce((sum, weight, i) => sum + weight * points[2 * i + axis]!, 0);
      expect(mean).to.be.closeTo(0, 1e-5);
    }
  });

  it('are shifted as far as told', () => {
    const { places } = jittered(spots, new Random(2), { shift: 2, noise: 0 });
    for (let at = 0; at < places.length; at += 2) {
      const distance = Math.hypot(places[at]! - spots.places[at]!, places[at + 1]! - spots.places[at + 1]!);
      expect(distance).to.be.closeTo(2, 1e-4);
    }
  });
});

describe('what the experiments make of numbers', () => {
  it('interpolates quantiles', () => {
    expect(quantile([3, 1, 2, 4], 0.5)).to.equal(2.5);
    expect(quantile([5], 0.9)).to.equal(5);
  });

  it('interpolates capacity over the logarithm of the size', () => {
    const rates = [1, 1, 0.8].map((rate, i) => ({ count: 2 ** (i + 1), rate }));
    expect(largestAt(rates, 0.9)).to.be.closeTo(4 * Math.SQRT2, 1e-9);
    expect(largestAt(rates.slice(0, 2), 0.9)).to.equal(4);
  });

  it('sees a rising energy', () => {
    expect(isMonotone([1, 0.5, 0.5, 0.1])).to.equal(true);
    expect(isMonotone([1, 0.5, 0.6, 0.1])).to.equal(false);
  });

  it('measures excess energies from the last', () => {
    expect(excess([5, 3, 1], 4)).to.deep.equal([1, 0.5, FLOOR, FLOOR]);
  });

  it('fills the tables of a page, and refuses one without a place', () => {
    const page = 'a\n<!-- table: x -->\nold\n<!-- end -->\nb';
    expect(fillTables(page, { x: 'new' })).to.equal('a\n<!-- table: x -->\nnew\n<!-- end -->\nb');
    expect(() => fillTables(page, { y: '' })).to.throw('no place for the tables y');
  });
});

describe('npm run experiments', () => {
  it('writes every figure and table of its pages', function () {
    this.timeout(120_000);
    const out = mkdtempSync(path.join(os.tmpdir(), 'engram-experiments-'));
    try {
      const run = spawnSync('node', ['scripts/experiments/main.mjs', '--quick', '--out', out], { encoding: 'utf8' });
      expect(run.stderr).to.equal('');
      expect(run.status).to.equal(0);
      const page = ['experiments.md', 'federated-experiments.md'].map((name) => readFileSync(path.join(out, name), 'utf8')).join('');
      const shown = [...page.matchAll(/\(experiments\/([\w-]+\.svg)\)/g)].map(([, file]) => file!);
      expect(readdirSync(path.join(out, 'experiments')).sort()).to.deep.equal(shown.sort());
      for (const file of shown) {
        const svg = readFileSync(path.join(out, 'experiments', file), 'utf8');
        expect(svg).to.match(/^<svg[\s\S]*<(path|rect)[\s\S]*<\/svg>\n$/);
      }
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  });
});

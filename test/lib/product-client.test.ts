/** Clients of aggregated products: what they tell, what they refuse, and whole rounds with them. */
import { expect } from 'chai';
import {
  FederatedMemory,
  gaussianMechanism,
  HebbianOperator,
  ProductAggregation,
  type ProductAggregationOptions,
  ProductClient,
  type ProductClientOptions,
  type RoundReport,
  topEigenpairs,
} from '../support/engram.js';
import { expectClose, expectRejection } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

/** count x dim of +-1. */
const signs = (seed: number, count: number, dim: number): Int8Array =>
  Int8Array.from(gaussian(seeded(seed), count, dim), (one) => (one < 0 ? -1 : 1));

/** Examples of archetypes drawn by `share`, each sign right with probability (1 + quality) / 2. */
function noisy(seed: number, archetypes: Int8Array, dim: number, samples: number, quality: number): Int8Array {
  const random = seeded(seed);
  const examples = new Int8Array(samples * dim);
  for (let row = 0; row < samples; ++row) {
    const which = random.below(archetypes.length / dim);
    for (let at = 0; at < dim; ++at) {
      const truth = archetypes[which * dim + at]!;
      examples[row * dim + at] = random.uniform() < (1 + quality) / 2 ? truth : -truth;
    }
  }
  return examples;
}

/** The overlap of each archetype with the nearest found one. */
function overlapsOf(found: Int8Array, archetypes: Int8Array, dim: number): number[] {
  const overlap = (a: number, b: number): number => {
    let sum = 0;
    for (let at = 0; at < dim; ++at) sum += found[a * dim + at]! * archetypes[b * dim + at]!;
    return Math.abs(sum) / dim;
  };
  const places = (matrix: Int8Array): number[] => Array.from({ length: matrix.length / dim }, (_, at) => at);
  return places(archetypes).map((b) => Math.max(0, ...places(found).map((a) => overlap(a, b))));
}

const create = (examples: Float32Array | Int8Array, dim: number, more: Partial<ProductClientOptions> = {}) =>
  ProductClient.create(examples, { dim, client: 'one', ...more });

/** Delivers in this process. */
function aggregationOf(
  dim: number,
  clients: readonly ProductClient[],
  more: Partial<ProductAggregationOptions> = {},
): ProductAggregation {
  return new ProductAggregation({
    dim,
    clients: clients.map(({ summary }) => summary),
    exchange: ({ client, message }) => clients.find(({ summary }) => summary.client === client)!.answer(message),
    ...more,
  });
}

describe('ProductClient', () => {
  const dim = 30;

  it('multiplies with the second moment of its examples, of bytes or floats', async () => {
    const bytes = signs(1, 50, dim);
    const block = gaussian(seeded(2), dim, 4);
    const expected = Float64Array.from(block, () => 0);
    for (let row = 0; row < 50; ++row) {
      for (let column = 0; column < 4; ++column) {
        let score = 0;
        for (let at = 0; at < dim; ++at) score += bytes[row * dim + at]! * block[at * 4 + column]!;
        for (let at = 0; at < dim; ++at) expected[at * 4 + column]! += (0.3 / 50) * score * bytes[row * dim + at]!;
      }
    }
    // Real examples are brought to the scale of +-1.
    for (const examples of [bytes, Float32Array.from(bytes), Float32Array.from(bytes, (one) => 17 * one)]) {
      const client = await create(examples, dim);
      expectClose(await client.product(block, 4, 0.3), expected, 1e-5);
    }
  });

  it('announces what its operator would say, and a bound that no product passes', async () => {
    const real = gaussian(seeded(3), 40, dim).map((entry, at) => entry * (1 + (at % dim)));
    for (const examples of [signs(4, 200, dim), real]) {
      const client = await create(examples, dim);
      const { summary } = client;
      const operator = HebbianOperator.fromExamplesSync(examples, { dim, client: 'one', allowLeak: true });
      expect(summary).to.deep.include({
        ...{ client: 'one', dim, sampleCount: operator.sampleCount, trace: dim, noise: 0 },
        ...{ noiseVariance: operator.noiseVariance, quality: operator.quality },
      });
      expect(Object.keys(summary)).to.have.length(8);
      if (examples !== real) expect(summary.bound).to.be.closeTo(Math.sqrt(dim), 1e-6);
      const blocks = [gaussian(seeded(5), 1, dim), operator.factor.slice(0, dim), Float32Array.from(examples.slice(0, dim))];
      for (const vector of blocks) {
        const length = Math.hypot(...vector);
        const product = await client.product(vector.map((entry) => entry / length), 1);
        expect(Math.max(...product.map(Math.abs))).to.be.at.most(summary.bound * 1.0001);
      }
    }
    // One example, many times: the bound is reached.
    const same = Int8Array.from({ length: 5 * dim }, (_, at) => (at % dim < 7 ? -1 : 1));
    const client = await create(same, dim);
    const along = await client.product(Float32Array.from(same.slice(0, dim), (one) => one / Math.sqrt(dim)), 1);
    expect(Math.max(...along)).to.be.closeTo(client.summary.bound, 1e-5);
  });

  it('takes part with a single example, and examples that are all the same', async () => {
    const clients = await Promise.all([1, 1, 4].map((rows, at) => create(signs(at, rows, dim), dim, { client: `${at}` })));
    const same = Float32Array.from({ length: 3 * dim }, () => 1);
    clients.push(await create(same, dim, { client: '3' }));
    const product = await aggregationOf(dim, clients).apply(new Float32Array(dim).fill(1), 1);
    const parts = await Promise.all(clients.map((client) => client.product(new Float32Array(dim).fill(1), 1, 0.25)));
    expectClose(product, parts.reduce((sum, part) => sum.map((entry, at) => entry + part[at]!)), 1e-4);
  });

  it('tells nothing of its examples but their number where they are to be private', async () => {
    const mechanism = gaussianMechanism({ epsilon: 1, delta: 1e-5, dim, samples: [50, 50, 50, 50] });
    const client = await create(signs(6, 50, dim), dim, { privacy: { mechanism, survivors: 4 } });
    expect(client.summary).to.deep.equal({
      ...{ client: 'one', dim, sampleCount: 50, trace: dim, noiseVariance: 1, quality: 0, bound: dim },
      noise: mechanism.sigma / 2,
    });
  });

  it('refuses what its privacy was not reckoned for', async () => {
    const mechanism = gaussianMechanism({ epsilon: 1, delta: 1e-5, dim, samples: [50, 50, 50, 50], rounds: 1 });
    const privacy = { mechanism, survivors: 4 };
    const members = (): Promise<ProductClient[]> =>
      Promise.all([0, 1, 2, 3].map((at) => create(signs(at, 50, dim), dim, { client: `${at}`, privacy })));
    const block = gaussian(seeded(8), 1, dim);
    const reasonOf = async (aggregation: ProductAggregation): Promise<string> => {
      await expectRejection(aggregation.apply(block, 1), 'ERR_ENGRAM_RANGE');
      return aggregation.rejected[0]!.reason;
    };
    expect(await reasonOf(aggregationOf(dim, await members(), { leastClients: 3 }))).to.include('at least 4 clients');
    const weights = Float64Array.of(1, 1, 1, 1.5);
    expect(await reasonOf(aggregationOf(dim, await members(), { leastClients: 4, weights }))).to.include('privacy was reckoned');
    const clients = await members();
    const first = aggregationOf(dim, clients, { leastClients: 4 });
    expect(first.symmetricNoise).to.be.closeTo(mechanism.sigma, 1e-9);
    await first.apply(block, 1);
    expect(await reasonOf(aggregationOf(dim, clients, { leastClients: 4 }))).to.include('round 2 of 1');

    const long = Float32Array.from(signs(9, 50, dim));
    long[7 * dim + 3] = 1.1;
    const error = await expectRejection(create(long, dim, { privacy }), 'ERR_ENGRAM_RANGE');
    expect(error.message).to.include('row 7');
    await expectRejection(create(new Int8Array(8193).fill(1), 8193, { privacy }), 'ERR_ENGRAM_RANGE');
    for (const bad of [{ mechanism, survivors: 0 }, { mechanism: { ...mechanism, sigma: 0 }, survivors: 4 }]) {
      await expectRejection(create(signs(9, 50, dim), dim, { privacy: bad }), 'ERR_ENGRAM_RANGE');
    }
    await expectRejection(create(signs(9, 50, dim), dim + 1, { privacy }), 'ERR_ENGRAM_SHAPE');
    await expectRejection(create(new Float32Array(dim).fill(NaN), dim, { privacy }), 'ERR_ENGRAM_NONFINITE');
    await expectRejection(create([1] as any, 1, { privacy }), 'ERR_ENGRAM_TYPE');
    await expectRejection(create(signs(9, 50, dim), dim, { privacy: {} as any }), 'ERR_ENGRAM_TYPE');
  });

  it('refuses examples and options that are none', async () => {
    await expectRejection(create(signs(1, 3, dim), dim + 1), 'ERR_ENGRAM_SHAPE');
    await expectRejection(create(new Float32Array(dim).fill(NaN), dim), 'ERR_ENGRAM_NONFINITE');
    await expectRejection(create(new Float32Array(dim), dim), 'ERR_ENGRAM_RANGE');
    await expectRejection(create([1, 2] as any, 2), 'ERR_ENGRAM_TYPE');
    await expectRejection(create(signs(1, 3, dim), dim, { leastClients: 1 }), 'ERR_ENGRAM_RANGE');
    await expectRejection(create(signs(1, 3, dim), dim, { client: '' }), 'ERR_ENGRAM_RANGE');
    await expectRejection(create(signs(1, 3, dim), dim, { client: 7 as any }), 'ERR_ENGRAM_TYPE');
    await expectRejection(create(signs(1, 3, dim), 0), 'ERR_ENGRAM_RANGE');
    const client = await create(signs(1, 3, dim), dim);
    await expectRejection(client.product(new Float32Array(5), 1), 'ERR_ENGRAM_SHAPE');
    await expectRejection(client.answer(new Uint8Array(3)), 'ERR_ENGRAM_FORMAT');
  });
});

describe('a round of aggregated products', () => {
  const dim = 300; // more than are solved by one product with all unit vectors
  const archetypes = signs(77, 3, dim);
  const sizes = [40, 80, 120, 60, 100];
  const examples = sizes.map((samples, at) => noisy(500 + at, archetypes, dim, samples, 0.5));
  const members = (): Promise<ProductClient[]> =>
    Promise.all(examples.map((held, at) => create(held, dim, { client: `client ${at}` })));

  it('has the eigenpairs of all examples together, by secure sums of products', async () => {
    const all = Int8Array.from(examples.flatMap((held) => [...held]));
    // By size all examples count alike.
    const reference = HebbianOperator.fromExamplesSync(all, { dim, rank: 8 });
    const aggregation = aggregationOf(dim, await members(), { weights: 'size' });
    const { eigenvalues, vectors, converged } = await topEigenpairs(aggregation, { k: 3, tolerance: 1e-5 });
    expect(converged).to.equal(true);
    expectClose(eigenvalues, reference.eigenvalues.slice(0, 3), 1e-3);
    for (let pair = 0; pair < 3; ++pair) {
      let along = 0;
      for (let at = 0; at < dim; ++at) along += vectors[pair * dim + at]! * reference.factor[pair * dim + at]!;
      expect(Math.abs(along)).to.be.greaterThan(0.9999);
    }
  });

  it('finds the archetypes, and goes on when a client is lost between two passes', async () => {
    for (const stop of [Infinity, 6]) {
      const clients = await members();
      let count = 0;
      const aggregation = aggregationOf(dim, clients, {
        exchange: ({ client, message }) => {
          if (client === 'client 3' && count++ >= stop) return Promise.reject(new Error('unplugged'));
          return clients.find(({ summary }) => summary.client === client)!.answer(message);
        },
      });
      const memory = new FederatedMemory({ dim });
      const report: RoundReport = await memory.round(aggregation);
      expect(report.detected).to.equal(3);
      expect(Math.min(...overlapsOf(memory.archetypes, archetypes, dim))).to.be.greaterThan(0.97);
      expect(aggregation.clients.length).to.equal(stop === Infinity ? 5 : 4);
      memory.dispose();
    }
  });

  // Section 3's prototype: N = 256, K = 4, M = 2000, r = .5, one round, delta = 1e-5. The seeds of the noise are new each time.
  for (const epsilon of [1, 2]) {
    it(`finds what differential privacy leaves to be found at epsilon ${epsilon}`, async () => {
      const wide = 256;
      const hidden = signs(78, 4, wide);
      const samples = [500, 500, 500, 500];
      const mechanism = gaussianMechanism({ epsilon, delta: 1e-5, dim: wide, samples });
      const clients = await Promise.all(
        samples.map((count, at) =>
          create(noisy(900 + at, hidden, wide, count, 0.5), wide, { client: `${at}`, privacy: { mechanism, survivors: 4 } }),
        ),
      );
      const memory = new FederatedMemory({ dim: wide });
      const report: RoundReport = await memory.round(aggregationOf(wide, clients, { leastClients: 4 }));
      expect(report.edge).to.be.within(mechanism.edge, mechanism.edge + 2);
      const found = overlapsOf(memory.archetypes, hidden, wide);
      if (epsilon === 1) {
        expect(report.detected).to.be.within(1, 4);
        expect(Math.max(...found)).to.be.below(0.93); // .60 to .84, for each of those that are found
      } else {
        expect(report.detected).to.equal(4);
        expect(Math.min(...found)).to.be.at.least(0.96); // .99 in the mean; 0.96 is 5 of 256 signs wrong
      }
      memory.dispose();
    });
  }
});

/** Operators known by sums of products: right in every mode, steady when clients are lost, strict with messages. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { ClientSummary } from '../../dist/esm/client-summary.js';
import {
  ClientsLostError,
  ProductAggregation,
  type ProductAggregationOptions,
  type ProductQuery,
} from '../../dist/esm/product-aggregation.js';
import { ProductResponder, type ResponderRules } from '../../dist/esm/product-responder.js';
import { expectClose, expectRejection, expectSameBits } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

const dim = 24;
const columns = 3;

/** weight / rows * X^T X block in Float64. */
function secondMoment(examples: Float32Array, block: Float32Array, weight = 1): Float64Array {
  const product = new Float64Array(block.length);
  const width = block.length / dim;
  const rows = examples.length / dim;
  for (let row = 0; row < rows; ++row) {
    for (let column = 0; column < width; ++column) {
      let score = 0;
      for (let at = 0; at < dim; ++at) score += examples[row * dim + at]! * block[at * width + column]!;
      for (let at = 0; at < dim; ++at) product[at * width + column]! += (weight / rows) * score * examples[row * dim + at]!;
    }
  }
  return product;
}

const signs = (seed: number, rows: number): Float32Array => gaussian(seeded(seed), rows, dim).map((one) => (one < 0 ? -1 : 1));

interface Federation {
  examples: Float32Array[];
  responders: ProductResponder[];
  summaries: ClientSummary[];
}

const RULES: ResponderRules = { secure: true, leastClients: 2, rounds: Infinity, mostWeight: 1 };

function federation(sizes: readonly number[], rules: Partial<ResponderRules> = {}, noise = 0): Federation {
  const examples = sizes.map((rows, at) => signs(100 + at, rows));
  const responders = examples.map((held, at) => {
    const apply = (block: Float32Array): Float32Array => Float32Array.from(secondMoment(held, block));
    const summary = {
      ...{ client: `client ${at}`, dim, sampleCount: sizes[at]!, trace: dim, noiseVariance: 0.9, quality: Math.sqrt(0.1) },
      bound: Math.sqrt(dim),
      noise,
    };
    return new ProductResponder({ dim, apply }, summary, { ...RULES, ...rules });
  });
  return { examples, responders, summaries: responders.map(({ summary }) => summary) };
}

type Exchange = (query: ProductQuery) => Promise<Uint8Array>;

/** Delivers in this process. */
function exchangeWith({ responders }: Federation): Exchange {
  return ({ client, message }) => responders.find(({ summary }) => summary.client === client)!.answer('test', message);
}

/** Clients stop answering at their n-th message. */
function losing(exchange: Exchange, stops: Record<string, number>): Exchange {
  const counts = new Map<string, number>();
  return (query) => {
    const count = counts.get(query.client) ?? 0;
    counts.set(query.client, count + 1);
    const stop = stops[query.client];
    return stop !== undefined && count >= stop ? Promise.reject(new Error('unplugged')) : exchange(query);
  };
}

function aggregationOf(made: Federation, more: Partial<ProductAggregationOptions> = {}): ProductAggregation {
  return new ProductAggregation({ dim, clients: made.summaries, exchange: exchangeWith(made), ...more });
}

/** sum_c a_c N J_c block over these clients. */
function expected({ examples }: Federation, block: Float32Array, weights: ArrayLike<number>, who?: number[]): Float64Array {
  const sum = new Float64Array(block.length);
  (who ?? [...examples.keys()]).forEach((client, at) => {
    secondMoment(examples[client]!, block, weights[at]).forEach((entry, place) => (sum[place]! += entry));
  });
  return sum;
}

const block = gaussian(seeded(1), dim, columns);
const sizes = [5, 9, 40, 13];

describe('ProductAggregation', () => {
  it('is the weighted sum of the second moments, whatever the weights, with and without secure sums', async () => {
    const made = federation(sizes, { secure: false });
    const rules: [ProductAggregationOptions['weights'], number[]][] = [
      ['equal', [0.25, 0.25, 0.25, 0.25]],
      ['size', sizes.map((size) => size / 67)],
      [Float64Array.of(1, 2, 3, 4), [0.1, 0.2, 0.3, 0.4]],
    ];
    for (const secure of [true, false]) {
      for (const [weights, shares] of rules) {
        const aggregation = aggregationOf(made, { secure, weights: weights! });
        expectClose(aggregation.weights, shares, 1e-15);
        const product = await aggregation.apply(block, columns);
        expectClose(product, expected(made, block, shares), secure ? 1e-5 : 2e-6);
        expect(aggregation.passes).to.equal(1);
        expect(aggregation.symmetricNoise).to.equal(0);
      }
    }
  });

  it('says how far fixed point is off', async () => {
    const made = federation(sizes);
    const aggregation = aggregationOf(made);
    expect(aggregation.resolution).to.equal(0);
    const unit = new Float32Array(dim).fill(1 / Math.sqrt(dim));
    const product = await aggregation.apply(unit, 1);
    const exact = expected(made, unit, aggregation.weights);
    const error = Math.hypot(...product.map((entry, at) => entry - exact[at]!));
    expect(aggregation.resolution).to.be.below(1e-7);
    expect(error).to.be.below(10 * aggregation.resolution + 2e-6);
  });

  it('multiplies columns of any length, of zeros too', async () => {
    const made = federation(sizes);
    const wide = block.map((entry, at) => entry * [1e6, 0, 1e-8][at % 3]!);
    const aggregation = aggregationOf(made);
    const product = await aggregation.apply(wide, columns);
    const exact = expected(made, wide, aggregation.weights);
    product.forEach((entry, at) => expect(entry).to.be.closeTo(exact[at]!, [1e6, 0, 1e-8][at % 3]! * 1e-4));
  });

  it('does not overflow where all examples are the same and the block is along them', async () => {
    const made = federation([7, 7, 7]);
    const one = signs(5, 1);
    made.examples.forEach((held) => Array.from({ length: 7 }, (_, row) => held.set(one, row * dim)));
    const product = await aggregationOf(made).apply(one, 1);
    expectClose(product, one.map((sign) => sign * dim), 1e-4);
  });

  it('exchanges four messages with each client in a pass, one without secure sums', async () => {
    const made = federation(sizes, { secure: false });
    for (const [secure, messages] of [[true, 16], [false, 4]] as const) {
      let count = 0;
      const exchange: Exchange = (query) => (++count, exchangeWith(made)(query));
      await aggregationOf(made, { secure, exchange }).apply(block, columns);
      expect(count).to.equal(messages);
    }
  });

  it('goes on with the survivors, wherever in a pass clients are lost', async () => {
    for (const secure of [true, false]) {
      for (const stop of secure ? [0, 1, 2] : [0]) {
        const made = federation([5, 9, 40, 13, 21], { secure });
        const exchange = losing(exchangeWith(made), { 'client 1': stop });
        const aggregation = aggregationOf(made, { secure, weights: 'size', exchange });
        const error = await expectRejection(aggregation.apply(block, columns), 'ERR_ENGRAM_IO');
        expect(error).to.be.instanceOf(ClientsLostError).and.property('message').includes('"client 1" (unplugged)');
        expect(aggregation.positions).to.deep.equal([0, 2, 3, 4]);
        expectClose(aggregation.weights, [5, 40, 13, 21].map((size) => size / 79), 1e-15);
        expect(aggregation.rejected).to.deep.equal([
          { position: 1, client: 'client 1', code: 'ERR_ENGRAM_IO', reason: 'unplugged' },
        ]);
        // The pass that was lost is not asked for again, another one is.
        const again = await aggregation.apply(block, columns);
        expect(aggregation.passes).to.equal(1);
        expectClose(again, expected(made, block, aggregation.weights, [0, 2, 3, 4]), 1e-5);
        expectClose(await aggregation.apply(block, columns), again, 1e-5);
        expect(aggregation.passes).to.equal(2);
      }
    }
  });

  it('has the part of a client that is gone only when masks are taken off, and loses it in the next pass', async () => {
    const made = federation(sizes);
    const aggregation = aggregationOf(made, { exchange: losing(exchangeWith(made), { 'client 2': 3 }) });
    const product = await aggregation.apply(block, columns);
    expectClose(product, expected(made, block, [0.25, 0.25, 0.25, 0.25]), 1e-5);
    expect(aggregation.rejected).to.deep.equal([]);
    await expectRejection(aggregation.apply(block, columns), 'ERR_ENGRAM_IO');
    expect(aggregation.positions).to.deep.equal([0, 1, 3]);
  });

  it('begins computations again, with one operator in each', async () => {
    const made = federation([5, 9, 40, 13, 21, 8]);
    const stops = { 'client 0': 5, 'client 4': 9 };
    const aggregation = aggregationOf(made, { leastClients: 3, exchange: losing(exchangeWith(made), stops) });
    let begun = 0;
    const last = await aggregation.restarting(async () => {
      ++begun;
      let power = block;
      for (let step = 0; step < 3; ++step) power = await aggregation.apply(power, columns);
      return power;
    });
    expect(begun).to.equal(3);
    expect(aggregation.positions).to.deep.equal([1, 2, 3, 5]);
    let power: Float64Array = Float64Array.from(block);
    for (let step = 0; step < 3; ++step) {
      power = expected(made, Float32Array.from(power), aggregation.weights, [1, 2, 3, 5]);
    }
    expectClose(last, power, 1e-3);
    // Other errors are passed on at once.
    await expectRejection(aggregation.restarting(() => aggregation.apply(block, 2)), 'ERR_ENGRAM_SHAPE');
  });

  it('ends where too few clients are left', async () => {
    for (const secure of [true, false]) {
      const made = federation(sizes, { secure });
      const exchange = losing(exchangeWith(made), { 'client 0': 1, 'client 1': 1, 'client 2': 1 });
      const aggregation = aggregationOf(made, { secure, exchange, leastClients: 3 });
      if (!secure) await aggregation.apply(block, columns);
      const error = await expectRejection(aggregation.restarting(() => aggregation.apply(block, columns)), 'ERR_ENGRAM_RANGE');
      expect(error.message).to.include('"client 2": unplugged');
      await expectRejection(aggregation.apply(block, columns), 'ERR_ENGRAM_RANGE');
    }
  });

  it('waits so long and no longer', async () => {
    const made = federation(sizes);
    let aborted = false;
    const exchange: Exchange = (query) => {
      if (query.client !== 'client 3') return exchangeWith(made)(query);
      query.signal.addEventListener('abort', () => (aborted = true));
      return new Promise<Uint8Array>(() => undefined);
    };
    const aggregation = aggregationOf(made, { exchange, timeout: 500 });
    await expectRejection(aggregation.apply(block, columns), 'ERR_ENGRAM_IO');
    expect(aggregation.rejected[0]).to.deep.include({ position: 3, reason: 'no answer within 500 ms' });
    expect(aborted).to.equal(true);
  });

  it('goes on without clients that answer garbage', async () => {
    for (const secure of [true, false]) {
      const bad = [
        new Uint8Array(0),
        Uint8Array.from(randomBytes(dim * columns * 4 + 1)),
        new Uint8Array(new Float32Array(dim * columns).fill(NaN).buffer),
        'text' as unknown as Uint8Array,
      ];
      for (const garbage of bad) {
        const made = federation(sizes, { secure });
        const exchange: Exchange = async (query) => {
          const answer = await exchangeWith(made)(query);
          return query.client === 'client 0' ? garbage : answer;
        };
        const aggregation = aggregationOf(made, { secure, exchange });
        const product = await aggregation.restarting(() => aggregation.apply(block, columns));
        expect(aggregation.rejected[0]).to.include({ position: 0, client: 'client 0' });
        expect(['ERR_ENGRAM_FORMAT', 'ERR_ENGRAM_TYPE']).to.include(aggregation.rejected[0]!.code);
        expectClose(product, expected(made, block, [1 / 3, 1 / 3, 1 / 3], [1, 2, 3]), 1e-5);
      }
    }
  });

  it('leaves clients with bad summaries out, each by name', () => {
    const good = federation([5, 9, 40]);
    const [one] = good.summaries;
    const bad: [unknown, string][] = [
      [{ ...one, client: 'a', dim: 25 }, 'ERR_ENGRAM_RANGE'],
      [{ ...one, client: 'b', sampleCount: 0 }, 'ERR_ENGRAM_RANGE'],
      [{ ...one, client: 'c', noiseVariance: 1.5 }, 'ERR_ENGRAM_RANGE'],
      [{ ...one, client: 'd', trace: NaN }, 'ERR_ENGRAM_RANGE'],
      [{ ...one, client: 'e', quality: -0.1 }, 'ERR_ENGRAM_RANGE'],
      [{ ...one, client: 'f', bound: 100 }, 'ERR_ENGRAM_RANGE'],
      [{ ...one, client: 'g', noise: '0' }, 'ERR_ENGRAM_TYPE'],
      [{ ...one, client: 'h'.repeat(257) }, 'ERR_ENGRAM_RANGE'],
      [{ ...one, client: 'client 0' }, 'ERR_ENGRAM_RANGE'],
      [null, 'ERR_ENGRAM_TYPE'],
      ['summary', 'ERR_ENGRAM_TYPE'],
    ];
    const clients = [...good.summaries, ...bad.map(([summary]) => summary)] as ClientSummary[];
    const aggregation = aggregationOf(good, { clients });
    expect(aggregation.positions).to.deep.equal([0, 1, 2]);
    expect(aggregation.rejected.map(({ code }) => code)).to.deep.equal(bad.map(([, code]) => code));
    expect(aggregation.rejected.map(({ position }) => position)).to.deep.equal(bad.map((_, at) => at + 3));
    expect(aggregation.rejected[1]).to.include({ client: 'b' }).and.property('reason').includes('sampleCount is 0');
  });

  it('refuses options that make no sense', () => {
    const made = federation(sizes);
    const refused = (code: string, more: object): void => {
      expect(() => aggregationOf(made, more)).to.throw().with.property('code', code);
    };
    refused('ERR_ENGRAM_RANGE', { dim: 0 });
    refused('ERR_ENGRAM_TYPE', { exchange: undefined });
    refused('ERR_ENGRAM_TYPE', { clients: 4 });
    refused('ERR_ENGRAM_RANGE', { clients: [] });
    refused('ERR_ENGRAM_RANGE', { clients: made.summaries.slice(1, 2) });
    refused('ERR_ENGRAM_RANGE', { weights: 'maximin' });
    refused('ERR_ENGRAM_SHAPE', { weights: Float64Array.of(1, 2) });
    refused('ERR_ENGRAM_RANGE', { weights: Float64Array.of(1, 2, 3, -1) });
    refused('ERR_ENGRAM_RANGE', { weights: new Float64Array(4) });
    refused('ERR_ENGRAM_RANGE', { leastClients: 1 });
    refused('ERR_ENGRAM_RANGE', { leastClients: 5 });
    refused('ERR_ENGRAM_RANGE', { timeout: 0 });
    refused('ERR_ENGRAM_TYPE', { secure: 1 });
  });

  it('refuses blocks that are none', async () => {
    const aggregation = aggregationOf(federation(sizes));
    await expectRejection(aggregation.apply(block, 2), 'ERR_ENGRAM_SHAPE');
    await expectRejection(aggregation.apply(block, 0), 'ERR_ENGRAM_RANGE');
    await expectRejection(aggregation.apply(new Float64Array(dim) as any, 1), 'ERR_ENGRAM_TYPE');
    await expectRejection(aggregation.apply(new Float32Array(dim).fill(NaN), 1), 'ERR_ENGRAM_NONFINITE');
  });
});

describe('a client of products', () => {
  it('gives its product to secure sums alone, unless it was told otherwise', async () => {
    const made = federation(sizes);
    const aggregation = aggregationOf(made, { secure: false });
    await expectRejection(aggregation.apply(block, columns), 'ERR_ENGRAM_RANGE');
    expect(aggregation.rejected[0]!.reason).to.include('secure sums only');
  });

  it('keeps to a crowd, a weight for each round, and the rounds and weights of its privacy', async () => {
    const crowd = aggregationOf(federation(sizes, { leastClients: 4 }), { leastClients: 3 });
    await expectRejection(crowd.apply(block, columns), 'ERR_ENGRAM_RANGE');
    expect(crowd.rejected[0]!.reason).to.include('at least 4 clients');

    const light = aggregationOf(federation(sizes, { mostWeight: 0.2 }));
    await expectRejection(light.apply(block, columns), 'ERR_ENGRAM_RANGE');
    expect(light.rejected[0]!.reason).to.include('weight is 0.25');

    const made = federation(sizes, { rounds: 2 });
    for (let round = 0; round < 2; ++round) {
      const aggregation = aggregationOf(made);
      await aggregation.apply(block, columns);
      await aggregation.apply(block, columns);
    }
    const third = aggregationOf(made);
    await expectRejection(third.apply(block, columns), 'ERR_ENGRAM_RANGE');
    expect(third.rejected[0]!.reason).to.include('round 3 of 2');

    // Another weight in the same round: the message of a first pass, changed.
    const plain = federation(sizes, { secure: false });
    const messages: Uint8Array[] = [];
    const exchange: Exchange = (query) => (messages.push(query.message), exchangeWith(plain)(query));
    await aggregationOf(plain, { secure: false, exchange }).apply(block, columns);
    const changed = Uint8Array.from(messages[0]!);
    new DataView(changed.buffer).setFloat64(18, 0.5, true);
    const error = await expectRejection(plain.responders[0]!.answer('test', changed), 'ERR_ENGRAM_RANGE');
    expect(error.message).to.include('0.25, as before in this round');
  });

  it('adds the same noise in every pass of a round, of the deviation that the operator tells', async () => {
    const noise = 0.4;
    const made = federation(sizes, { rounds: 2 }, noise);
    const identity = Float32Array.from({ length: dim * dim }, (_, at) => (at % (dim + 1) === 0 ? 1 : 0));
    const noiseless = expected(made, identity, [0.25, 0.25, 0.25, 0.25]);
    const seen: Float32Array[] = [];
    for (let round = 0; round < 2; ++round) {
      const aggregation = aggregationOf(made);
      expect(aggregation.symmetricNoise).to.be.closeTo(noise * 2, 1e-12);
      const first = await aggregation.apply(identity, dim);
      expectClose(await aggregation.apply(identity, dim), first, 1e-5);
      seen.push(first.map((entry, at) => entry - noiseless[at]!));
    }
    let [square, cross] = [0, 0];
    for (let row = 0; row < dim; ++row) {
      for (let column = 0; column < row; ++column) {
        expect(seen[0]![row * dim + column]).to.be.closeTo(seen[0]![column * dim + row]!, 1e-5);
        square += seen[0]![row * dim + column]! ** 2;
        cross += seen[0]![row * dim + column]! * seen[1]![row * dim + column]!;
      }
    }
    const count = (dim * (dim - 1)) / 2;
    expect(square / count / 0.64).to.be.closeTo(1, 6 * Math.sqrt(2 / count));
    expect(cross / count / 0.64).to.be.closeTo(0, 6 / Math.sqrt(count));
  });

  it('adds noise that is larger in the sum of the survivors, as the operator tells', async () => {
    const made = federation(sizes, {}, 0.4);
    const aggregation = aggregationOf(made, { exchange: losing(exchangeWith(made), { 'client 0': 0 }) });
    await expectRejection(aggregation.apply(block, columns), 'ERR_ENGRAM_IO');
    expect(aggregation.symmetricNoise).to.be.closeTo((0.4 * Math.sqrt(3)) / 0.75, 1e-12);
  });

  it('refuses messages that are none, of the wrong length, version, kind or round, and blocks out of range', async () => {
    const made = federation(sizes, { secure: false });
    const messages: Uint8Array[] = [];
    const exchange: Exchange = (query) => (messages.push(query.message), exchangeWith(made)(query));
    await aggregationOf(made, { secure: false, exchange }).apply(block, columns);
    const good = messages[0]!;
    const edited = (at: number, ...bytes: number[]): Uint8Array => {
      const copy = Uint8Array.from(good);
      copy.set(bytes, at);
      return copy;
    };
    const bad = [
      new Uint8Array(0),
      good.slice(0, -1),
      Uint8Array.from([...good, 0]),
      edited(0, 2),
      edited(1, 7),
      edited(1, 1), // part of a sum that was not opened
      edited(26, 0, 0, 0, 0), // no columns
      edited(26, 4), // more columns than there are
      edited(26, 255, 255, 255, 255),
      edited(18, ...new Uint8Array(Float64Array.of(1.5).buffer)),
      edited(18, ...new Uint8Array(Float64Array.of(NaN).buffer)),
      edited(30, ...new Uint8Array(Float32Array.of(1.5).buffer)),
      edited(30, ...new Uint8Array(Float32Array.of(NaN).buffer)),
    ];
    for (const message of bad) {
      await expectRejection(made.responders[0]!.answer('test', message), 'ERR_ENGRAM_FORMAT');
    }
    await expectRejection(made.responders[0]!.answer('test', [1, 2] as any), 'ERR_ENGRAM_TYPE');
    const answer = await made.responders[0]!.answer('test', good);
    expectSameBits(answer, await made.responders[0]!.answer('test', good));
  });
});

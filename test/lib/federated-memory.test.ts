import { expect } from 'chai';
import { EngramError, FederatedMemory, HebbianOperator, type Message, type ProductSource, SecondMoment } from '../support/engram.js';
import { expectClose, expectRejection, expectSameBits } from '../support/expectations.js';
import { bestOverlaps, federation, flip } from '../support/federation.js';
import { seeded } from '../support/random.js';

const dim = 250;
const world = federation(dim, 3, 61);
const encode = (examples: Int8Array, client: string): HebbianOperator =>
  HebbianOperator.fromExamplesSync(examples, { dim, client });
const messages = [0, 1, 2, 3].map((c) => encode(world.examples(120, 0.6), `c${c}`));

/** Messages that come one after another, as from a network. */
async function* arriving(list: readonly Message[]): AsyncIterable<Message> {
  for (const message of list) {
    await new Promise((done) => setImmediate(done));
    yield message;
  }
}

describe('FederatedMemory', () => {
  it('finds the archetypes that clients share, and predicts how well', async () => {
    using memory = new FederatedMemory({ dim });
    expect([memory.dim, memory.count, memory.rounds]).to.deep.equal([dim, 0, 0]);
    const report = await memory.round(messages);
    expect(report).to.include({ round: 1, detected: 3, accepted: 3, added: 3, forgotten: 0, novelty: 1, discardedTrace: 0 });
    expect(report.eigenvalues[2]).to.be.above(report.cut);
    expect(report.eigenvalues[3]).to.be.below(report.cut);
    expect(report.cut).to.be.above(report.edge);
    expectClose(report.clientWeights, [0.25, 0.25, 0.25, 0.25], 1e-12);
    expect([memory.count, memory.rounds]).to.deep.equal([3, 1]);
    const achieved = bestOverlaps(memory.archetypes, world.archetypes, dim);
    expect(Math.min(...achieved)).to.be.above(0.98);
    expectClose(memory.overlaps, [1, 1, 1], 0.03);
  });

  it('has the same bits however messages come, in any order, on any number of threads', async () => {
    const expected = new FederatedMemory({ dim });
    const report = await expected.round(messages);
    const reversed = [...messages].reverse();
    for (const [source, threads] of [[messages.map((m) => m.toBytes()), 1], [reversed, 3], [arriving(reversed), 2]] as const) {
      const memory = new FederatedMemory({ dim });
      const again = await memory.round(source, { threads });
      expectSameBits(memory.archetypes, expected.archetypes);
      expectSameBits(again.eigenvalues, report.eigenvalues);
    }
    const memory = new FederatedMemory({ dim });
    expectSameBits(memory.roundSync(messages).eigenvalues, report.eigenvalues);
    expectSameBits(memory.packedArchetypes(), expected.packedArchetypes());
  });

  it('weighs clients by any rule, trusts them by any controller, and unmixes by any method', async () => {
    const sizes = [40, 80, 160].map((samples, c) => encode(world.examples(samples, 0.7), `size ${c}`));
    for (const weights of ['equal', 'size', 'maximin', Float64Array.of(3, 2, 1)] as const) {
      for (const controller of ['fixed', 'entropy', 'trust', 'spectral'] as const) {
        using memory = new FederatedMemory({ dim, weights, controller });
        for (let round = 0; round < 2; ++round) {
          const report = await memory.round(sizes);
          expect(report.clientWeights.reduce((sum, a) => sum + a, 0)).to.be.closeTo(1, 1e-9);
          if (weights === 'size') expectClose(report.clientWeights, [1 / 7, 2 / 7, 4 / 7], 1e-9);
          if (typeof weights !== 'string') expectClose(report.clientWeights, [1 / 2, 1 / 3, 1 / 6], 1e-9);
          for (const w of report.plasticity) expect(w).to.be.within(0, 1);
        }
        expect(memory.count, `${String(weights)} ${controller}`).to.equal(3);
      }
    }
    for (const unmixing of ['ica', 'signProjection', 'lam'] as const) {
      using memory = new FederatedMemory({ dim, unmixing });
      await memory.round(messages);
      expect(Math.min(...bestOverlaps(memory.archetypes, world.archetypes, dim)), unmixing).to.be.above(0.98);
    }
  });

  it('keeps messages within its budget, by either sketch', async () => {
    for (const sketch of ['svd', 'frequentDirections'] as const) {
      using memory = new FederatedMemory({ dim, memoryBudget: 100_000, sketchRank: 60, sketch });
      const report = await memory.round(messages);
      expect(report.discardedTrace).to.be.above(0);
      expect(Math.min(...bestOverlaps(memory.archetypes, world.archetypes, dim)), sketch).to.be.above(0.98);
      const crowded = new FederatedMemory({ dim, memoryBudget: 100_000, weights: 'maximin' });
      await expectRejection(crowded.round(messages), 'ERR_ENGRAM_RANGE');
    }
  });

  it('tells archetypes in bits', () => {
    using memory = new FederatedMemory({ dim });
    memory.roundSync(messages);
    const [packed, signs] = [memory.packedArchetypes(), memory.archetypes];
    const width = Math.ceil(dim / 8);
    expect(packed.length).to.equal(3 * width);
    const unpacked = signs.map((_, at) => {
      const [row, column] = [Math.floor(at / dim), at % dim];
      return (packed[row * width + (column >> 3)]! >> (column & 7)) & 1 ? 1 : -1;
    });
    expectSameBits(unpacked, signs);
  });

  it('leaves bad messages out by name, and goes on', async () => {
    const cut = messages[1]!.toBytes().subarray(0, 2000);
    const narrow = HebbianOperator.fromExamplesSync(federation(40, 1, 62).examples(30, 0.9), { dim: 40, client: 'narrow' });
    using memory = new FederatedMemory({ dim });
    const report = await memory.round([messages[0]!, cut, messages[2]!, narrow, messages[0]!.toBytes(), messages[3]!]);
    expect(report.rejectedClients.map(({ position, client, code }) => [position, client, code])).to.deep.equal([
      [1, '', 'ERR_ENGRAM_FORMAT'], [3, 'narrow', 'ERR_ENGRAM_SHAPE'], [4, 'c0', 'ERR_ENGRAM_RANGE'],
    ]);
    expect(report.rejectedClients[2]?.reason).to.contain('c0');
    expectClose(report.clientWeights, [1 / 3, 0, 1 / 3, 0, 0, 1 / 3], 1e-12);
    expect(memory.count).to.equal(3);
  });

  it('finds nothing in noise, and stays as it is when no message can be used', async () => {
    using memory = new FederatedMemory({ dim, falseAlarm: 1e-4 });
    const report = await memory.round([0, 1, 2].map((c) => encode(world.examples(150, 0), `noise ${c}`)));
    expect(report).to.include({ detected: 0, added: 0, novelty: 0 });
    const nothing = await memory.round([new Uint8Array(9), new Uint8Array(0)]);
    expect(nothing.rejectedClients).to.have.length(2);
    expect([nothing.eigenvalues.length, memory.count, memory.rounds]).to.deep.equal([0, 0, 2]);
    expect((await memory.retrieve(world.archetypes)).index).to.deep.equal(Int32Array.of(-1, -1, -1));
  });

  it('takes the sum of products in place of messages', async () => {
    const parts = [0, 1, 2].map(() => world.examples(140, 0.6));
    const moments = parts.map((examples) => SecondMoment.from(examples, { dim }));
    const clients = moments.map(({ sampleCount }, c) => ({
      client: `p${c}`, dim, sampleCount, trace: dim, noiseVariance: 0.64, quality: 0.6, bound: dim, noise: 0,
    }));
    const source: ProductSource = {
      ...{ dim, clients, weights: Float64Array.of(1 / 3, 1 / 3, 1 / 3), symmetricNoise: 0 },
      ...{ positions: [0, 2, 3], rejected: [{ position: 1, client: 'late', code: 'ERR_ENGRAM_IO', reason: 'was not there' }] },
      apply: async (block, columns) => {
        const products = await Promise.all(moments.map((moment) => moment.apply(block, columns)));
        return block.map((_, at) => products.reduce((sum, product) => sum + product[at]! / 3, 0));
      },
      restarting: (compute) => compute(),
    };
    using memory = new FederatedMemory({ dim });
    const report = await memory.round(source);
    expect(report).to.include({ detected: 3, added: 3 });
    expect([...report.clientWeights].map((a) => a.toFixed(3))).to.deep.equal(['0.333', '0.000', '0.333', '0.333']);
    expect(report.rejectedClients).to.have.length(1);
    expect(Math.min(...bestOverlaps(memory.archetypes, world.archetypes, dim))).to.be.above(0.98);
    for (const [wrong, code] of [
      [{ dim: dim + 1 }, 'SHAPE'], [{ weights: Float64Array.of(1) }, 'SHAPE'], [{ weights: [1, 1, 1] }, 'TYPE'],
      [{ symmetricNoise: '0' }, 'TYPE'], [{ symmetricNoise: -1 }, 'RANGE'],
    ] as const) {
      await expectRejection(memory.round({ ...source, ...wrong } as unknown as ProductSource), `ERR_ENGRAM_${code}`);
    }
  });

  it('recalls archetypes from damaged cues', async () => {
    using memory = new FederatedMemory({ dim });
    await memory.round(messages);
    const random = seeded(63);
    const cues = memory.archetypes.map((sign) => flip(random, sign, 0.5));
    for (const dynamics of ['hebbian', 'pseudoInverse', 'glauber'] as const) {
      const { state, index, overlap, converged, steps } = await memory.retrieve(cues, { dynamics });
      expect([...index], dynamics).to.deep.equal([0, 1, 2]);
      for (const value of overlap) expect(value).to.be.above(0.95);
      expect([state.length, converged.length, steps.length]).to.deep.equal([3 * dim, 3, 3]);
      if (dynamics !== 'glauber') expectSameBits(state, memory.archetypes);
      const again = memory.retrieveSync(Float32Array.from(cues), { dynamics, threads: 1 });
      expectSameBits(again.state, state);
    }
  });

  it('passes on what its source fails with, closes the source, and stays as it was', async () => {
    using memory = new FederatedMemory({ dim });
    await memory.round(messages);
    const before = memory.archetypes;
    const mine = new Error('mine');
    let closed = 0;
    async function* failing(): AsyncIterable<Message> {
      try {
        yield await Promise.resolve(messages[0]!);
        throw mine;
      } finally {
        ++closed;
      }
    }
    expect(await memory.round(failing()).catch((error: unknown) => error)).to.equal(mine);
    async function* wrong(): AsyncIterable<Message> {
      try {
        yield await Promise.resolve(7 as unknown as Message);
        yield messages[0]!;
      } finally {
        ++closed;
      }
    }
    await expectRejection(memory.round(wrong()), 'ERR_ENGRAM_TYPE');
    await new Promise((done) => setImmediate(done));
    expect(closed).to.equal(2);
    expect(memory.rounds).to.equal(1);
    expectSameBits(memory.archetypes, before);
  });

  it('refuses bad options, sources and cues', async () => {
    for (const [options, code] of [
      [{ dim: 0 }, 'RANGE'], [{ dim: 1 }, 'RANGE'], [{}, 'TYPE'], [{ weights: 'best' }, 'RANGE'], [{ weights: [1] }, 'TYPE'],
      [{ weights: Float64Array.of(0, 0) }, 'RANGE'], [{ weights: Float64Array.of(1, -1) }, 'RANGE'], [{ weights: Float64Array.of(NaN) }, 'NONFINITE'],
      [{ falseAlarm: 0 }, 'RANGE'], [{ unmixing: 'pca' }, 'RANGE'], [{ controller: 'pid' }, 'RANGE'], [{ plasticity: 1.1 }, 'RANGE'],
      [{ plasticity: NaN }, 'RANGE'], [{ smoothing: 0 }, 'RANGE'], [{ replicate: 1 }, 'TYPE'], [{ forgetAfter: -1 }, 'RANGE'],
      [{ maxArchetypes: 0 }, 'RANGE'], [{ seed: 0.5 }, 'RANGE'], [{ memoryBudget: 0 }, 'RANGE'], [{ sketchRank: 0 }, 'RANGE'],
      [{ sketch: 'fd' }, 'RANGE'], [{ metadata: { 'engram.x': '1' } }, 'RANGE'],
    ] as const) {
      const base = 'dim' in options || Object.keys(options).length === 0 ? {} : { dim };
      expect(() => new FederatedMemory({ ...base, ...options } as unknown as { dim: number }), JSON.stringify(options))
        .to.throw(EngramError).with.property('code', `ERR_ENGRAM_${code}`);
    }
    using memory = new FederatedMemory({ dim });
    for (const source of [undefined, 7, 'messages', {}, new Uint8Array(3)]) {
      await expectRejection(memory.round(source as unknown as Message[]), 'ERR_ENGRAM_TYPE');
    }
    await expectRejection(memory.retrieve(new Float32Array(dim + 1)), 'ERR_ENGRAM_SHAPE');
    await expectRejection(memory.retrieve(new Float32Array(dim).fill(NaN)), 'ERR_ENGRAM_NONFINITE');
    await expectRejection(memory.retrieve([] as unknown as Int8Array), 'ERR_ENGRAM_TYPE');
    await expectRejection(memory.retrieve(new Int8Array(dim), { beta: 0 }), 'ERR_ENGRAM_RANGE');
    await expectRejection(memory.retrieve(new Int8Array(dim), { dynamics: 'other' as 'hebbian' }), 'ERR_ENGRAM_RANGE');
  });

  it('is no more once disposed', async () => {
    const memory = new FederatedMemory({ dim });
    const running = memory.round(messages);
    memory.dispose();
    expect((await running).detected).to.equal(3);
    expect(memory.nativeBytes).to.equal(0);
    expect(() => memory.count).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_DISPOSED');
    await expectRejection(memory.round(messages), 'ERR_ENGRAM_DISPOSED');
    await expectRejection(memory.retrieve(new Int8Array(dim)), 'ERR_ENGRAM_DISPOSED');
  });
});

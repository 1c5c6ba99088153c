/** Secure sums: the total is right whoever drops out, and nothing that breaks the protocol is answered. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { type Messages, SecureSumClient, SecureSumServer } from '../../dist/esm/secure-sum/index.js';
import { expectClose, expectRejection } from '../support/expectations.js';
import { seeded } from '../support/random.js';

const length = 37;

/** What client c has: numbers up to its bound. */
function inputsOf(bounds: readonly number[], seed: number): Float32Array[] {
  const random = seeded(seed);
  return bounds.map((bound) => Float32Array.from({ length }, () => bound * (2 * random.uniform() - 1)));
}

function clientsOf(bounds: readonly number[], inputs: readonly Float32Array[], threshold = 2): SecureSumClient[] {
  return bounds.map((bound, at) => new SecureSumClient({ bound, threshold, input: () => inputs[at]! }));
}

type Answered = (client: number, step: number) => boolean;
const everyone: Answered = () => true;

/** Delivers one step's messages. */
async function deliver(
  server: SecureSumServer,
  clients: readonly SecureSumClient[],
  messages: Messages,
  answers: (client: number) => boolean = () => true,
): Promise<void> {
  for (const [client, message] of messages) {
    const answer = await clients[client]!.answer(message);
    if (answers(client)) server.receive(client, answer);
  }
}

/** Runs a sum; `answered` says which client's answer reaches the server in which step (0 to 3). */
async function run(server: SecureSumServer, clients: readonly SecureSumClient[], answered = everyone): Promise<void> {
  let messages = server.start();
  for (let step = 0; step < 4; ++step) {
    await deliver(server, clients, messages, (client) => answered(client, step));
    messages = await server.next();
  }
  expect(messages.size).to.equal(0);
}

function sumOf(inputs: readonly Float32Array[], clients: readonly number[]): Float64Array {
  return Float64Array.from({ length }, (_, at) => clients.reduce((sum, client) => sum + inputs[client]![at]!, 0));
}

/** Up to step `last` (exclusive), everybody there; the messages of that step. */
async function upTo(last: number, bounds = [1, 1, 1, 1]) {
  const inputs = inputsOf(bounds, 5);
  const clients = clientsOf(bounds, inputs);
  const server = new SecureSumServer({ bounds, length });
  let messages = server.start();
  for (let step = 0; step < last; ++step) {
    await deliver(server, clients, messages);
    messages = await server.next();
  }
  return { inputs, clients, server, messages };
}

function edited(message: Uint8Array, edit: (copy: Uint8Array) => void): Uint8Array {
  const copy = Uint8Array.from(message);
  edit(copy);
  return copy;
}

const HEADER = 20; // version, kind, session, sender

describe('secure sums', () => {
  it('are the sums, to half a unit of fixed point for each client', async () => {
    for (const bounds of [[1, 1], [3, 0.01, 200], [1, 1, 1, 1, 1, 1, 1], [5, 0]]) {
      const inputs = inputsOf(bounds, bounds.length);
      const server = new SecureSumServer({ bounds, length });
      await run(server, clientsOf(bounds, inputs));
      const all = [...bounds.keys()];
      expect(server.survivors).to.deep.equal(all);
      expectClose(server.sum, sumOf(inputs, all), bounds.length / 2 / server.scale);
      expect(1 / server.scale).to.be.below((bounds.reduce((a, b) => a + b) / 2 ** 31) * 1.000001);
    }
  });

  it('survive clients that drop out at any step', async () => {
    const bounds = [1, 2, 3, 4, 5, 6, 7];
    const inputs = inputsOf(bounds, 2);
    for (let step = 0; step < 4; ++step) {
      for (const gone of [[0], [6], [2, 5]]) {
        const server = new SecureSumServer({ bounds, length });
        let messages = server.start();
        const clients = clientsOf(bounds, inputs);
        for (let now = 0; now < 4; ++now) {
          for (const client of gone) if (now >= step) messages.delete(client);
          await deliver(server, clients, messages);
          messages = await server.next();
        }
        // Who is missing only when the masks are taken off has its input in the sum.
        const alive = [...bounds.keys()].filter((client) => step === 3 || !gone.includes(client));
        expect(server.survivors).to.deep.equal(alive);
        expectClose(server.sum, sumOf(inputs, alive), bounds.length / server.scale);
      }
    }
  });

  it('survive one client after the other', async () => {
    const bounds = Array.from({ length: 12 }, () => 1);
    const inputs = inputsOf(bounds, 3);
    const server = new SecureSumServer({ bounds, length, threshold: 7 });
    const clients = clientsOf(bounds, inputs);
    let messages = server.start();
    for (let step = 0; step < 4; ++step) {
      messages.delete(3 * step);
      await deliver(server, clients, messages);
      messages = await server.next();
    }
    expect(server.survivors).to.deep.equal([1, 2, 4, 5, 7, 8, 9, 10, 11]);
    expectClose(server.sum, sumOf(inputs, server.survivors), 12 / server.scale);
  });

  it('do not overflow where all inputs are at their bounds', async () => {
    for (const sign of [1, -1]) {
      const bounds = Array.from({ length: 24 }, (_, at) => 0.37 * (at + 1));
      const inputs = bounds.map((bound) => new Float32Array(length).fill(sign * Math.fround(bound - 1e-6 * bound)));
      const server = new SecureSumServer({ bounds, length });
      await run(server, clientsOf(bounds, inputs));
      expectClose(server.sum, sumOf(inputs, [...bounds.keys()]), 24 / server.scale);
      expect(Math.abs(server.sum[0]! * server.scale)).to.be.greaterThan(2 ** 31 * 0.99999);
      expect(Math.sign(server.sum[0]!)).to.equal(sign);
    }
  });

  it('hide inputs: what is sent is spread evenly, and is another thing each time', async () => {
    const bounds = [1, 1, 1];
    const long = 20_000;
    const sent: Uint32Array[] = [];
    for (let time = 0; time < 2; ++time) {
      const clients = bounds.map((bound) => new SecureSumClient({ bound, input: () => new Float32Array(long) }));
      const server = new SecureSumServer({ bounds, length: long });
      let messages = server.start();
      for (let step = 0; step < 2; ++step) {
        await deliver(server, clients, messages);
        messages = await server.next();
      }
      const answer = await clients[1]!.answer(messages.get(1)!);
      sent.push(new Uint32Array(answer.slice(HEADER).buffer));
    }
    for (const words of sent) {
      // Pearson's statistic of 256 bins has mean 255 and deviation 22.6.
      const bins = new Float64Array(256);
      words.forEach((word) => ++bins[word >>> 24]!);
      const statistic = bins.reduce((sum, count) => sum + (count - long / 256) ** 2 / (long / 256), 0);
      expect(statistic).to.be.below(255 + 6 * 22.6);
    }
    expect(sent[0]!.filter((word, at) => word === sent[1]![at]).length).to.be.below(3);
  });

  it('need the threshold of clients, at every step', async () => {
    for (let step = 0; step < 4; ++step) {
      const { server, clients, messages } = await upTo(step);
      expect(server.threshold).to.equal(3);
      await deliver(server, clients, messages, (client) => client < 2);
      const error = await expectRejection(server.next(), 'ERR_ENGRAM_RANGE');
      expect(error.message).to.include('at least 3 clients');
      expect(() => server.sum).to.throw().with.property('code', 'ERR_ENGRAM_RANGE');
    }
  });

  it('refuse a threshold of half the clients, or below what a client wants to be among', async () => {
    expect(() => new SecureSumServer({ bounds: [1, 1, 1, 1], length, threshold: 2 })).to.throw().with.property('code', 'ERR_ENGRAM_RANGE');
    const server = new SecureSumServer({ bounds: [1, 1, 1], length });
    const [opening] = server.start().values();
    const client = new SecureSumClient({ bound: 1, threshold: 3, input: () => new Float32Array(length) });
    await expectRejection(client.answer(opening!), 'ERR_ENGRAM_RANGE');
    // threshold and clients, as the message has them
    const half = edited(opening!, (bytes) => bytes.set([4, 0, 2, 0], HEADER + 2));
    await expectRejection(new SecureSumClient({ bound: 1, input: () => new Float32Array(length) }).answer(half), 'ERR_ENGRAM_FORMAT');
  });

  it('never show both shares of a client', async () => {
    const { clients, messages } = await upTo(3);
    const message = messages.get(0)!;
    // alive: 4 clients, dropped: none
    expect([...message.slice(HEADER)]).to.deep.equal([4, 0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 0]);
    const asking = (alive: number[], dropped: number[]): Uint8Array => {
      const words = [alive.length, ...alive, dropped.length, ...dropped];
      return Uint8Array.from([...message.slice(0, HEADER), ...words.flatMap((word) => [word, 0])]);
    };
    for (const [alive, dropped] of [
      [[0, 1, 2, 3], [3]], // both
      [[0, 1, 2], []], // nothing of client 3
      [[1, 2, 3], [0]], // the client itself
      [[0, 1], [2, 3]], // too few
      [[0, 1, 2, 3, 4], []], // a stranger
      [[0, 2, 1, 3], []], // not in order
      [[0, 1, 2, 3, 3], []], // twice
    ] as [number[], number[]][]) {
      await expectRejection(clients[0]!.answer(asking(alive, dropped)), 'ERR_ENGRAM_FORMAT');
    }
    await clients[0]!.answer(asking([0, 1, 2], [3]));
    await expectRejection(clients[0]!.answer(asking([0, 1, 2, 3], [])), 'ERR_ENGRAM_FORMAT');
    await expectRejection(clients[0]!.answer(message), 'ERR_ENGRAM_FORMAT');
  });

  it('refuse messages of another version, kind, session or sender, cut off or too long', async () => {
    for (let step = 0; step < 4; ++step) {
      const { server, clients, messages } = await upTo(step);
      const other = await upTo(step);
      const message = messages.get(1)!;
      const answer = await clients[1]!.answer(message);
      const wrong = (good: Uint8Array, foreign: Uint8Array): Uint8Array[] => [
        foreign,
        good.slice(0, -1),
        good.slice(0, 7),
        new Uint8Array(0),
        Uint8Array.from([...good, 0]),
        edited(good, (bytes) => ++bytes[0]!),
        edited(good, (bytes) => (bytes[1] = 99)),
        edited(good, (bytes) => (bytes[1] = (bytes[1]! + 2) % 8)),
        edited(good, (bytes) => ++bytes[5]!),
        edited(good, (bytes) => (bytes[18]! ^= 1)),
      ];
      for (const bytes of wrong(answer, await other.clients[1]!.answer(other.messages.get(1)!))) {
        expect(() => server.receive(1, bytes)).to.throw().with.property('code', 'ERR_ENGRAM_FORMAT');
      }
      server.receive(1, answer);
      expect(() => server.receive(1, answer)).to.throw().with.property('code', 'ERR_ENGRAM_FORMAT');
      expect(() => server.receive(0, answer)).to.throw().with.property('code', 'ERR_ENGRAM_FORMAT');
      expect(() => server.receive(4, answer)).to.throw().with.property('code', 'ERR_ENGRAM_RANGE');
      const foreign = step === 0 ? [] : [other.messages.get(2)!];
      for (const bytes of [...foreign, ...wrong(messages.get(2)!, answer).slice(step === 0 ? 1 : 0)]) {
        // A first message may name any session, and the sender's place in it is fixed.
        if (step === 0 && bytes.length === messages.get(2)!.length && bytes[5] !== messages.get(2)![5]) continue;
        await expectRejection(clients[2]!.answer(bytes), 'ERR_ENGRAM_FORMAT');
      }
      // None of it has changed anything.
      server.receive(2, await clients[2]!.answer(messages.get(2)!));
    }
  });

  it('refuse a roster that is not what the clients said, and shares that were tampered with', async () => {
    const roster = await upTo(1);
    const message = roster.messages.get(2)!;
    const entry = (client: number): number => HEADER + 2 + client * 66;
    const bad = [
      edited(message, (bytes) => (bytes[entry(2) + 5]! ^= 1)), // its own key
      edited(message, (bytes) => bytes.copyWithin(entry(1) + 2, entry(0) + 2, entry(0) + 34)), // one key twice
      edited(message, (bytes) => bytes.fill(0, entry(1) + 2, entry(1) + 34)), // the point at infinity
      edited(message, (bytes) => (bytes[entry(3)] = 9)), // a stranger
      Uint8Array.from([...message.slice(0, HEADER), 2, 0, ...message.slice(entry(2))]), // too few
    ];
    for (const bytes of bad) await expectRejection(roster.clients[2]!.answer(bytes), 'ERR_ENGRAM_FORMAT');

    const sealed = await upTo(2);
    for (const at of [0, 1, 2]) {
      const touched = edited(sealed.messages.get(3)!, (bytes) => (bytes[HEADER + 2 + at * 88 + 40]! ^= 1));
      await expectRejection(sealed.clients[3]!.answer(touched), 'ERR_ENGRAM_FORMAT');
    }
    // Shares of client 0 for client 3 in the place of those of client 1.
    const swapped = edited(sealed.messages.get(3)!, (bytes) => bytes.copyWithin(HEADER + 4 + 88, HEADER + 4, HEADER + 2 + 88));
    await expectRejection(sealed.clients[3]!.answer(swapped), 'ERR_ENGRAM_FORMAT');
  });

  it('notice shares that do not make up the secret, of clients alive or dropped', async () => {
    for (const share of [0, 3]) {
      const { server, clients, messages } = await upTo(2);
      messages.delete(3);
      await deliver(server, clients, messages);
      for (const [client, message] of await server.next()) {
        const answer = await clients[client]!.answer(message);
        const flipped = edited(answer, (bytes) => (bytes[HEADER + 2 + share * 36 + 3 + 10]! ^= 1));
        server.receive(client, client === 1 ? flipped : answer);
      }
      await expectRejection(server.next(), 'ERR_ENGRAM_FORMAT');
    }
  });

  it('refuse inputs that are not what was announced', async () => {
    const bad: [Float32Array, string][] = [
      [new Float32Array(length + 1), 'ERR_ENGRAM_SHAPE'],
      [new Float32Array(length).fill(1.01), 'ERR_ENGRAM_RANGE'],
      [new Float32Array(length).fill(NaN), 'ERR_ENGRAM_NONFINITE'],
      [new Float32Array(length).fill(-Infinity), 'ERR_ENGRAM_NONFINITE'],
    ];
    for (const [input, code] of bad) {
      const bounds = [1, 1, 1];
      const clients = clientsOf(bounds, [input, input, input]);
      const server = new SecureSumServer({ bounds, length });
      await expectRejection(run(server, clients), code);
    }
    // A scale at which the input would not fit.
    const [opening] = new SecureSumServer({ bounds: [1, 1], length }).start().values();
    await expectRejection(new SecureSumClient({ bound: 3, input: () => new Float32Array(length) }).answer(opening!), 'ERR_ENGRAM_RANGE');
  });

  it('refuse options that make no sense', () => {
    const input = (): Float32Array => new Float32Array(length);
    const refused = (code: string, make: () => unknown): void => {
      expect(make).to.throw().with.property('code', code);
    };
    refused('ERR_ENGRAM_RANGE', () => new SecureSumServer({ bounds: [1], length }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumServer({ bounds: Array.from({ length: 256 }, () => 1), length }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumServer({ bounds: [0, 0], length }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumServer({ bounds: [1, -1], length }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumServer({ bounds: [1, NaN], length }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumServer({ bounds: [1, 1], length: 0 }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumServer({ bounds: [1, 1], length, threshold: 3 }));
    refused('ERR_ENGRAM_TYPE', () => new SecureSumServer({ bounds: 3 as any, length }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumClient({ input, bound: -1 }));
    refused('ERR_ENGRAM_RANGE', () => new SecureSumClient({ input, bound: 1, threshold: 1 }));
    refused('ERR_ENGRAM_TYPE', () => new SecureSumClient({ bound: 1 } as any));
  });

  it('answer garbage with an error of their own', async () => {
    const random = seeded(9);
    for (let step = 0; step < 4; ++step) {
      const { server, clients, messages } = await upTo(step);
      const good = messages.get(0)!;
      for (let time = 0; time < 60; ++time) {
        const garbage = edited(good, (bytes) => bytes.set(randomBytes(4), Math.min(random.below(bytes.length), bytes.length - 4)));
        const bytes = random.below(2) === 0 ? garbage : Uint8Array.from(randomBytes(random.below(200)));
        // A first message of another session, or a scale a little different, is a good one.
        await clients[0]!.answer(bytes).catch((error: unknown) => expect(error).to.have.property('name', 'EngramError'));
        try {
          server.receive(0, bytes);
        } catch (error) {
          expect(error).to.have.property('name', 'EngramError');
        }
      }
    }
  });
});

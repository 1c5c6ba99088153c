/**
 * The server's part in a secure sum: it passes keys and sealed shares on, adds masked inputs, and takes out of the sum, with
 * the shares that enough clients show, the own masks of those who are there and the pairwise masks of those who are not.
 */
import { randomBytes } from 'node:crypto';
import { combine } from 'shamir-secret-sharing';
import { breathe } from '../breathe.js';
import { badArgument, EngramError } from '../errors.js';
import { integer, optionsObject } from '../options.js';
import { MOST_SUM_CLIENTS } from './client.js';
import {
  type Introduction,
  readInput,
  readKeys,
  readSealed,
  readUnmasking,
  type Sealed,
  SERVER,
  SESSION_LENGTH,
  type Unmasking,
  writeOpening,
  writeRoster,
  writeSealed,
  writeSurvivors,
} from './messages.js';
import { accumulate, fromRing, scaleOf } from './ring.js';
import { commitmentTo, keyPairFromSeed, maskOf, ownMaskKey, pairMaskKey } from './secrets.js';

/** Messages to be delivered, by the clients' numbers. */
export type Messages = Map<number, Uint8Array>;

export interface SecureSumServerOptions {
  /** The largest magnitude that each client's numbers can have: one for each client, 2 to 255 of them. */
  bounds: readonly number[];
  /** How many numbers each client contributes, 1 or more. */
  length: number;
  /** Fewest clients that the sum is of, above half of all and at least 2; by default two thirds. */
  threshold?: number;
}

/** The default threshold: two thirds, above one half. */
export const usualThreshold = (clients: number): number => Math.max(2, Math.ceil((2 * clients) / 3));

const STEPS = ['keys', 'shares', 'input', 'unmasking', 'over'] as const;

/**
 * One secure sum. `start()` gives the first messages; their answers go to `receive`, and `next()`, when all have come or no
 * more are waited for, gives the messages of the next step; after the fourth it gives none, and `sum` is there.
 */
export class SecureSumServer {
  readonly #bounds: readonly number[];
  readonly #length: number;
  readonly #threshold: number;
  readonly #scale: number;
  readonly #session = Uint8Array.from(randomBytes(SESSION_LENGTH));
  #step: (typeof STEPS)[number] = 'keys';
  readonly #keys = new Map<number, Introduction>();
  readonly #shares = new Map<number, Sealed[]>();
  readonly #inputs = new Map<number, Uint32Array>();
  readonly #unmaskings = new Map<number, Unmasking[]>();
  #sum: Float64Array | undefined;

  /** @throws {EngramError} `ERR_ENGRAM_TYPE`, `ERR_ENGRAM_RANGE`. */
  constructor(options: SecureSumServerOptions) {
    const op = 'SecureSumServer';
    const { bounds, length, threshold } = optionsObject(op, options);
    if (!isList(bounds)) throw badArgument('ERR_ENGRAM_TYPE', op, 'bounds', bounds, 'a list of numbers');
    const clients = integer(op, 'bounds.length', bounds.length, 2, MOST_SUM_CLIENTS);
    const total = bounds.reduce((sum, bound) => sum + bound, 0);
    if (!bounds.every((bound) => bound >= 0) || !(total > 0 && Number.isFinite(total))) {
      throw badArgument('ERR_ENGRAM_RANGE', op, 'bounds', bounds, 'finite numbers of at least 0, not all of them 0');
    }
    this.#bounds = [...bounds];
    this.#length = integer(op, 'length', length, 1, 2 ** 30);
    const least = Math.max(2, Math.floor(clients / 2) + 1);
    this.#threshold = integer(op, 'threshold', threshold ?? usualThreshold(clients), least, clients);
    this.#scale = scaleOf(bounds);
  }

  /** Units of fixed point in 1: an input is off by at most half a unit in each number. */
  get scale(): number {
    return this.#scale;
  }

  get threshold(): number {
    return this.#threshold;
  }

  /** Whether all inputs that will be in the sum have come: only their masks are still to be taken off, or nothing is. */
  get hasInputs(): boolean {
    return this.#step === 'unmasking' || this.#step === 'over';
  }

  /** The numbers of the clients whose inputs are in the sum, rising; before the inputs have come, of those still there. */
  get survivors(): number[] {
    const last = [this.#inputs, this.#shares, this.#keys].find((answers) => answers.size > 0);
    return rising(last ?? new Map(this.#bounds.entries()));
  }

  /** The sum over the survivors. @throws {EngramError} `ERR_ENGRAM_RANGE` before the last step is over. */
  get sum(): Float64Array {
    if (this.#sum !== undefined) return this.#sum;
    throw badArgument('ERR_ENGRAM_RANGE', 'SecureSumServer.sum', 'step', this.#step, "'over'");
  }

  /** The first messages, for all clients. */
  start(): Messages {
    const { length: clients } = this.#bounds;
    const opening = { clients, threshold: this.#threshold, length: this.#length, scale: this.#scale };
    const messageTo = (client: number): Uint8Array => writeOpening(this.#session, { ...opening, client });
    return new Map(this.#bounds.map((_, client) => [client, messageTo(client)]));
  }

  /**
   * Takes a client's answer to the message of this step. An answer that is refused changes nothing: the client can answer
   * again, or count as dropped.
   * @throws {EngramError} `ERR_ENGRAM_FORMAT`: not an answer of this client that is due now, or its second.
   */
  receive(client: number, answer: Uint8Array): void {
    const op = 'SecureSumServer.receive';
    integer(op, 'client', client, 0, this.#bounds.length - 1);
    const session = this.#session;
    if (this.#step === 'keys') {
      once(op, this.#keys, client, undefined, () => readKeys(op, answer, session, client));
    } else if (this.#step === 'shares') {
      once(op, this.#shares, client, this.#keys, () => this.#readShares(op, answer, client));
    } else if (this.#step === 'input') {
      once(op, this.#inputs, client, this.#shares, () => readInput(op, answer, session, client, this.#length));
    } else if (this.#step === 'unmasking') {
      once(op, this.#unmaskings, client, this.#inputs, () => this.#readUnmasking(op, answer, client));
    } else {
      throw new EngramError('ERR_ENGRAM_FORMAT', op, 'the sum is over; expected no more answers');
    }
  }

  #readShares(op: string, answer: Uint8Array, client: number): Sealed[] {
    const list = readSealed(op, answer, 'shares', this.#session, client);
    const others = rising(this.#keys).filter((other) => other !== client);
    if (list.length !== others.length || list.some((one, at) => one.client !== others[at])) {
      throw new EngramError('ERR_ENGRAM_FORMAT', op, `client ${client} did not share with exactly those on the roster`);
    }
    return list;
  }

  #readUnmasking(op: string, answer: Uint8Array, client: number): Unmasking[] {
    const list = readUnmasking(op, answer, this.#session, client);
    const asked = rising(this.#shares);
    const wrong = list.some((one, at) => one.client !== asked[at] || one.alive !== this.#inputs.has(one.client));
    if (list.length === asked.length && !wrong) return list;
    throw new EngramError('ERR_ENGRAM_FORMAT', op, `client ${client} did not show exactly the shares it was asked for`);
  }

  /**
   * Ends this step with the answers that came: the messages of the next one, for those still there; none after the last.
   * @throws {EngramError} `ERR_ENGRAM_RANGE`: fewer than `threshold` clients are left, and nothing can be learned;
   * `ERR_ENGRAM_FORMAT`: shares that do not fit together.
   */
  async next(): Promise<Messages> {
    const op = 'SecureSumServer.next';
    const answers = { keys: this.#keys, shares: this.#shares, input: this.#inputs, unmasking: this.#unmaskings };
    if (this.#step === 'over') return new Map();
    const { size } = answers[this.#step];
    if (size < this.#threshold) {
      throw badArgument('ERR_ENGRAM_RANGE', op, 'clients', size, `answers of at least ${this.#threshold} clients`);
    }
    const step = this.#step;
    if (step === 'unmasking') await this.#unmask(op);
    this.#step = STEPS[STEPS.indexOf(step) + 1]!;
    if (step === 'keys') return this.#toAll(this.#keys, writeRoster(this.#session, this.#roster()));
    if (step === 'shares') return this.#sealedMessages();
    if (step === 'input') return this.#toAll(this.#inputs, writeSurvivors(this.#session, this.#survivors()));
    return new Map();
  }

  #toAll(clients: ReadonlyMap<number, unknown>, message: Uint8Array): Messages {
    return new Map(rising(clients).map((client) => [client, message]));
  }

  #roster(): Introduction[] {
    return rising(this.#keys).map((client) => this.#keys.get(client)!);
  }

  #sealedMessages(): Messages {
    const sharers = rising(this.#shares);
    const messageTo = (to: number): Uint8Array => {
      const list = sharers.filter((from) => from !== to).map((from) => {
        const { bytes } = this.#shares.get(from)!.find(({ client }) => client === to)!;
        return { client: from, bytes };
      });
      return writeSealed('sealed', this.#session, SERVER, list);
    };
    return new Map(sharers.map((to) => [to, messageTo(to)]));
  }

  #survivors(): { alive: number[]; dropped: number[] } {
    const dropped = rising(this.#shares).filter((client) => !this.#inputs.has(client));
    return { alive: rising(this.#inputs), dropped };
  }

  async #unmask(op: string): Promise<void> {
    const { alive, dropped } = this.#survivors();
    const sum = new Uint32Array(this.#length);
    for (const client of alive) {
      const seed = await this.#secretOf(op, client, (secret) => {
        return equal(commitmentTo(secret, this.#session), this.#keys.get(client)!.commitment);
      });
      await breathe();
      accumulate(sum, this.#inputs.get(client)!, 1);
      accumulate(sum, maskOf(ownMaskKey(seed, this.#session), sum.length), -1);
    }
    for (const client of dropped) {
      const seed = await this.#secretOf(op, client, (secret) => {
        return equal(keyPairFromSeed(secret).publicKey, this.#keys.get(client)!.masking);
      });
      for (const other of alive) {
        await breathe();
        const key = pairMaskKey(op, keyPairFromSeed(seed), this.#keys.get(other)!.masking, this.#session);
        accumulate(sum, maskOf(key, sum.length), client > other ? -1 : 1); // as `other` had it, taken out
      }
    }
    this.#sum = fromRing(sum, this.#scale);
  }

  /** What the clients who answered show shares of. */
  async #secretOf(op: string, client: number, isRight: (secret: Uint8Array) => boolean): Promise<Uint8Array> {
    const at = rising(this.#shares).indexOf(client);
    const shares = [...this.#unmaskings.values()].slice(0, this.#threshold).map((list) => list[at]!.share);
    const secret = await combine(shares).catch(() => undefined);
    if (secret !== undefined && isRight(secret)) return secret;
    throw new EngramError('ERR_ENGRAM_FORMAT', op, `the shares of client ${client}'s secret do not make it up`);
  }
}

const isList = (value: unknown): value is readonly number[] => Array.isArray(value);

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** The clients who answered. */
function rising(answers: ReadonlyMap<number, unknown>): number[] {
  return [...answers.keys()].sort((a, b) => a - b);
}

/** Keeps what `read` gives of a client who is still there and has not answered yet. */
function once<T>(
  op: string,
  answers: Map<number, T>,
  client: number,
  before: ReadonlyMap<number, unknown> | undefined,
  read: () => T,
): void {
  if (before?.has(client) === false) {
    throw new EngramError('ERR_ENGRAM_FORMAT', op, `client ${client} dropped in an earlier step`);
  }
  if (answers.has(client)) throw new EngramError('ERR_ENGRAM_FORMAT', op, `client ${client} has answered before`);
  answers.set(client, read());
}

/**
 * A client's part in a secure sum.
 *
 * What it sends as its input is x + PRG(own) + sum over v above u of PRG(s_uv) - sum over v below u of PRG(s_uv), modulo
 * 2^32, with s_uv agreed between u and v. The pairwise masks cancel in the sum of all. Of the private key of its s_uv and of
 * the seed of its own mask, every client holds a share. Is it missing in the end, the others show their shares of its key,
 * and its masks can be taken out; is it there, they show their shares of its own mask. Nobody ever shows both, so that an
 * input that came late stays hidden (Bonawitz et al. 2017, figure 4, for a server that follows the protocol).
 */
import { randomBytes } from 'node:crypto';
import { split } from 'shamir-secret-sharing';
import { breathe } from '../breathe.js';
import { badArgument, EngramError } from '../errors.js';
import { integer, number, optionsObject } from '../options.js';
import {
  peek,
  type PublicKeys,
  readOpening,
  readRoster,
  readSealed,
  readShares,
  readSurvivors,
  SERVER,
  type Shares,
  type Kind,
  type Opening,
  type Survivors,
  type Unmasking,
  writeInput,
  writeKeys,
  writeSealed,
  writeShares,
  writeUnmasking,
} from './messages.js';
import { accumulate, toRing } from './ring.js';
import {
  agree,
  commitmentTo,
  KEY_LENGTH,
  type KeyPair,
  maskOf,
  newKeyPair,
  ownMaskKey,
  pairMaskKey,
  privateSeed,
  seal,
  unseal,
} from './secrets.js';
import { Reader } from './wire.js';

/** Most clients of one sum, which is what sharing secrets over bytes allows. Larger federations sum in a tree. */
export const MOST_SUM_CLIENTS = 255;

export interface SecureSumClientOptions {
  /** The numbers to be summed; asked for once, when the others have been agreed with. */
  input: () => Float32Array | Promise<Float32Array>;
  /** The largest magnitude that `input` can have, 0 or more; it is public. */
  bound: number;
  /** Fewest clients whose inputs the sum may be of, 2 (the default) to 255: a smaller crowd is refused. */
  threshold?: number;
}

/** What is known of a sum once it was opened. */
interface Session extends Opening {
  readonly id: Uint8Array;
  readonly sealing: KeyPair;
  readonly masking: KeyPair;
  /** Seed of the mask that is its own. */
  readonly seed: Uint8Array;
  roster: Map<number, PublicKeys>;
  /** What it holds of the others' secrets and its own, by owner; those who shared. */
  held: Map<number, Shares>;
}

/**
 * Takes part in one secure sum: answers each message of {@link SecureSumServer} by one of its own. A message that is not
 * valid changes nothing; every kind is answered once.
 */
export class SecureSumClient {
  readonly #input: SecureSumClientOptions['input'];
  readonly #bound: number;
  readonly #threshold: number;
  #expects: Kind | undefined = 'open';
  #session: Session | undefined;

  /** @throws {EngramError} `ERR_ENGRAM_TYPE`, `ERR_ENGRAM_RANGE`. */
  constructor(options: SecureSumClientOptions) {
    const op = 'SecureSumClient';
    const given = optionsObject(op, options);
    if (typeof given.input !== 'function') throw badArgument('ERR_ENGRAM_TYPE', op, 'input', given.input, 'a function');
    this.#input = given.input;
    this.#bound = number(op, 'bound', given.bound, (bound) => bound >= 0, 'a number of at least 0');
    this.#threshold = integer(op, 'threshold', given.threshold ?? 2, 2, MOST_SUM_CLIENTS);
  }

  /**
   * The answer to a message of the server.
   * @throws {EngramError} `ERR_ENGRAM_FORMAT`: not a message of this sum that is due now, or one that breaks its rules;
   * `ERR_ENGRAM_RANGE`: a crowd that is too small, or an input above its bound; `ERR_ENGRAM_SHAPE`: an input of the wrong
   * length; `ERR_ENGRAM_NONFINITE`.
   */
  async answer(message: Uint8Array): Promise<Uint8Array> {
    const op = 'SecureSumClient.answer';
    const { kind } = peek(op, message);
    const expected = this.#expects;
    if (kind !== expected) {
      const due = expected === undefined ? 'no message, this part is over or busy' : `'${expected}'`;
      throw new EngramError('ERR_ENGRAM_FORMAT', op, `the message is '${kind}'; expected ${due}`);
    }
    this.#expects = undefined;
    try {
      const [answer, next] = await this.#handle(op, message, kind);
      this.#expects = next;
      if (next === undefined) this.#session = undefined;
      return answer;
    } catch (error) {
      this.#expects = expected;
      throw error;
    }
  }

  async #handle(op: string, message: Uint8Array, kind: Kind): Promise<[answer: Uint8Array, next: Kind | undefined]> {
    if (kind === 'open') return [this.#open(op, message), 'roster'];
    const session = this.#session!;
    if (kind === 'roster') return [await share(op, session, message), 'sealed'];
    if (kind === 'sealed') return [await this.#mask(op, session, message), 'survivors'];
    return [unmask(op, session, message), undefined];
  }

  #open(op: string, message: Uint8Array): Uint8Array {
    const { session: id } = peek(op, message);
    const opening = readOpening(op, message, id);
    checkOpening(op, message, opening, this.#threshold);
    if (!(opening.scale > 0) || !(opening.scale * this.#bound < 2 ** 31)) {
      throw badArgument('ERR_ENGRAM_RANGE', op, 'scale', opening.scale, `one at which ${this.#bound} is below 2^31`);
    }
    const sealing = newKeyPair();
    const masking = newKeyPair();
    const seed = Uint8Array.from(randomBytes(KEY_LENGTH));
    this.#session = { ...opening, id, sealing, masking, seed, roster: new Map(), held: new Map() };
    const publicKeys = { sealing: sealing.publicKey, masking: masking.publicKey };
    return writeKeys(id, { client: opening.client, ...publicKeys, commitment: commitmentTo(seed, id) });
  }

  /** The masked input. */
  async #mask(op: string, session: Session, message: Uint8Array): Promise<Uint8Array> {
    const held = unsealAll(op, session, message);
    const input = await this.#input();
    if (input.length !== session.length) {
      throw badArgument('ERR_ENGRAM_SHAPE', op, 'input', input, `${session.length} numbers`);
    }
    const masked = toRing(op, input, session.scale, this.#bound);
    accumulate(masked, maskOf(ownMaskKey(session.seed, session.id), masked.length), 1);
    for (const other of held.keys()) {
      if (other === session.client) continue;
      await breathe();
      const key = pairMaskKey(op, session.masking, session.roster.get(other)!.masking, session.id);
      accumulate(masked, maskOf(key, masked.length), other > session.client ? 1 : -1);
    }
    session.held = held;
    return writeInput(session.id, session.client, masked);
  }
}

function checkOpening(op: string, message: Uint8Array, opening: Opening, least: number): void {
  const { client, clients, threshold } = opening;
  const reader = new Reader(op, message);
  if (clients > MOST_SUM_CLIENTS) reader.fail(`opens a sum of ${clients} clients; expected at most ${MOST_SUM_CLIENTS}`);
  if (client >= clients) reader.fail(`gives the number ${client} among ${clients} clients`);
  if (threshold > clients) reader.fail(`has a threshold of ${threshold} for ${clients} clients`);
  // Above one half: two sets of clients who unmask have a member in common, which answers once.
  if (2 * threshold <= clients) reader.fail(`has a threshold of ${threshold} for ${clients} clients; expected more than half`);
  if (threshold < least) {
    throw badArgument('ERR_ENGRAM_RANGE', op, 'threshold', threshold, `at least ${least} clients to be summed`);
  }
}

/** Purpose of the key that seals what `from` sends `to`: another one in each direction. */
const sealingPurpose = (from: number, to: number): string => `shares from ${from} to ${to}`;

/** Checks the roster, and makes the shares of this client's secrets for everybody on it. */
async function share(op: string, session: Session, message: Uint8Array): Promise<Uint8Array> {
  const { client, threshold, id, sealing, masking, seed } = session;
  const roster = readRoster(op, message, id);
  checkRoster(op, session, message, roster);
  const own = await split(seed, roster.length, threshold);
  const pairwise = await split(privateSeed(masking), roster.length, threshold);
  const sealed = [];
  for (const [at, { client: to, sealing: key }] of roster.entries()) {
    const shares = { from: client, to, own: own[at]!, pairwise: pairwise[at]! };
    if (to === client) {
      session.held.set(client, shares);
    } else {
      const bytes = seal(agree(op, sealing, key, id, sealingPurpose(client, to)), writeShares(shares));
      sealed.push({ client: to, bytes });
    }
  }
  session.roster = new Map(roster.map((keys) => [keys.client, keys]));
  return writeSealed('shares', id, client, sealed);
}

function checkRoster(op: string, session: Session, message: Uint8Array, roster: readonly PublicKeys[]): void {
  const reader = new Reader(op, message);
  if (roster.length < session.threshold) reader.fail(`has ${roster.length} clients; expected at least ${session.threshold}`);
  if (roster.at(-1)!.client >= session.clients) reader.fail(`names client ${roster.at(-1)!.client} of ${session.clients}`);
  const own = roster.find(({ client }) => client === session.client);
  const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;
  if (!same(own?.sealing, session.sealing.publicKey) || !same(own?.masking, session.masking.publicKey)) {
    reader.fail("does not have this client's own keys");
  }
  const keys = roster.flatMap(({ sealing, masking }) => [sealing, masking]).map((key) => Buffer.from(key).toString('hex'));
  if (new Set(keys).size !== keys.length) reader.fail('has the same public key twice');
}

/** The shares of everybody who shared, this client included. */
function unsealAll(op: string, session: Session, message: Uint8Array): Map<number, Shares> {
  const { client, id, sealing, roster, threshold } = session;
  const list = readSealed(op, message, 'sealed', id, SERVER);
  const reader = new Reader(op, message);
  const held = new Map([[client, session.held.get(client)!]]);
  for (const { client: from, bytes } of list) {
    const keys = roster.get(from);
    if (keys === undefined || from === client) return reader.fail(`has shares of client ${from}, who is not another on the roster`);
    const key = agree(op, sealing, keys.sealing, id, sealingPurpose(from, client));
    held.set(from, readShares(op, unseal(op, key, bytes), from, client));
  }
  if (held.size < threshold) reader.fail(`has shares of ${held.size} clients; expected at least ${threshold}`);
  return held;
}

/** For each client one of its two shares. */
function unmask(op: string, session: Session, message: Uint8Array): Uint8Array {
  const survivors = readSurvivors(op, message, session.id);
  checkSurvivors(op, session, message, survivors);
  const alive = new Set(survivors.alive);
  const list: Unmasking[] = [...session.held]
    .sort(([a], [b]) => a - b)
    .map(([client, { own, pairwise }]) => ({
      client,
      alive: alive.has(client),
      share: alive.has(client) ? own : pairwise,
    }));
  return writeUnmasking(session.id, session.client, list);
}

function checkSurvivors(op: string, session: Session, message: Uint8Array, { alive, dropped }: Survivors): void {
  const reader = new Reader(op, message);
  const both = alive.find((client) => dropped.includes(client));
  if (both !== undefined) reader.fail(`says of client ${both} that it is alive and that it dropped`);
  if (alive.length < session.threshold) {
    reader.fail(`asks to unmask a sum of ${alive.length} clients; expected at least ${session.threshold}`);
  }
  if (!alive.includes(session.client)) reader.fail('says that this client dropped');
  const named = [...alive, ...dropped];
  if (named.length !== session.held.size || named.some((client) => !session.held.has(client))) {
    reader.fail('does not name exactly the clients who shared');
  }
}

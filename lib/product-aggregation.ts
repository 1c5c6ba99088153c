/** The server's side of aggregated products: an operator that many clients make up, known by sums of their products. */
import { randomBytes } from 'node:crypto';
import { checkedSummary, type ClientSummary } from './client-summary.js';
import { badArgument, describe, EngramError, type EngramErrorCode } from './errors.js';
import { checkProduct, type LinearOperator } from './linear-operator.js';
import { boolean, choice, integer, number, optionsObject } from './options.js';
import { type Block, readProduct, ROUND_LENGTH, writeOpen, writeProduct, writeSum } from './product-messages.js';
import { productBound } from './product-responder.js';
import { MOST_SUM_CLIENTS, SecureSumServer } from './secure-sum/index.js';

/** One message for one client. */
export interface ProductQuery {
  /** Its name. */
  client: string;
  /** To be given to its `ProductClient.answer`. */
  message: Uint8Array;
  /** Aborted when the answer is no longer waited for. */
  signal: AbortSignal;
}

export interface ProductAggregationOptions {
  /** Length of examples, 1 or more. */
  dim: number;
  /** The summaries that the clients announced, untrusted. One that is not valid leaves its client out, see `rejected`. */
  clients: readonly ClientSummary[];
  /** How clients count: alike (default), by their `sampleCount`, or a number of at least 0 for each of `clients`. */
  weights?: 'equal' | 'size' | Float64Array;
  /** Delivers a message by any transport and gives the client's answer. When it rejects, the client is lost. */
  exchange: (query: ProductQuery) => Promise<Uint8Array>;
  /** Only sums of products are learned (default). `false`: clients answer by their products, in a quarter of the messages. */
  secure?: boolean;
  /** Fewest clients to go on with: two thirds of all and at least 2 by default; 1 by default where not `secure`. */
  leastClients?: number;
  /** How long an answer is waited for, in milliseconds, above 0; 60,000 by default. */
  timeout?: number;
}

/** A client that takes no part, or no longer. */
export interface LostClient {
  /** Its place in the `clients` given. */
  position: number;
  client: string;
  code: EngramErrorCode;
  reason: string;
}

/** Thrown by a product in which clients were lost: the operator is that of the others now. */
export class ClientsLostError extends EngramError {
  constructor(
    op: string,
    /** Those lost in this product. */
    readonly lost: readonly LostClient[],
  ) {
    const names = lost.map(({ client, reason }) => `${describe(client)} (${reason})`).join(', ');
    super('ERR_ENGRAM_IO', op, `lost ${names}; what was begun with them must begin again with the others`, { detail: lost });
  }
}

/** A client that takes part. */
interface Member {
  readonly position: number;
  readonly summary: ClientSummary;
  /** Of weights of all who were there at first, that sum to 1. */
  readonly weight: number;
}

/**
 * sum_c a_c N J_c of one round as an operator. Each product is one pass over the clients, who answer with a_c N J_c times a
 * block; only the sum of the answers is learned (`secure`), by Bonawitz et al. 2017 with fresh keys in every pass, for a
 * server that follows the protocol.
 *
 * When clients drop out, the survivors' product is still recovered, but a Krylov space must not mix two operators. So `apply`
 * throws a {@link ClientsLostError}, and the aggregation is from then on the operator of the survivors, with their weights
 * scaled to sum to 1: the computation begins again, which `restarting` does, and if it begins with the block that it was lost
 * in, that pass is not repeated. Clients see no change: their weights and noise stay those of the round. Two sums over one
 * block, with a client and without it, tell its product with that block, no more; where that is too much, end the round.
 */
export class ProductAggregation implements LinearOperator {
  readonly dim: number;
  readonly secure: boolean;
  readonly #exchange: ProductAggregationOptions['exchange'];
  readonly #timeout: number;
  readonly #leastClients: number;
  readonly #round = Uint8Array.from(randomBytes(ROUND_LENGTH));
  readonly #lost: LostClient[] = [];
  #members: readonly Member[];
  #passes = 0;
  #resolution = 0;
  #recovered: { block: Float32Array; product: Float32Array } | undefined;

  /**
   * @throws {EngramError} `ERR_ENGRAM_RANGE`: a number outside its range, or too few clients whose summaries are valid;
   * `ERR_ENGRAM_SHAPE`: weights of another number than clients; `ERR_ENGRAM_TYPE`.
   */
  constructor(options: ProductAggregationOptions) {
    const op = 'ProductAggregation';
    const given = optionsObject(op, options);
    this.dim = integer(op, 'dim', given.dim, 1, 2 ** 31 - 1);
    if (typeof given.exchange !== 'function') {
      throw badArgument('ERR_ENGRAM_TYPE', op, 'exchange', given.exchange, 'a function');
    }
    this.#exchange = given.exchange;
    this.secure = given.secure === undefined || boolean(op, 'secure', given.secure);
    this.#timeout = number(op, 'timeout', given.timeout ?? 60_000, (value) => value > 0 && value < 2 ** 31, 'milliseconds above 0');
    this.#members = this.#accept(op, given.clients, given.weights);
    const usual = this.secure ? Math.max(2, Math.ceil((2 * this.#members.length) / 3)) : 1;
    this.#leastClients = integer(op, 'leastClients', given.leastClients ?? usual, this.secure ? 2 : 1, MOST_CLIENTS);
    this.#checkCrowd(op);
  }

  /** Those who take part, in the order given. */
  get clients(): readonly ClientSummary[] {
    return this.#members.map(({ summary }) => summary);
  }

  /** Their weights, sum 1. */
  get weights(): Float64Array {
    const total = this.#totalWeight();
    return Float64Array.from(this.#members, ({ weight }) => weight / total);
  }

  /** Their places in the list given. */
  get positions(): number[] {
    return this.#members.map(({ position }) => position);
  }

  /** Those who do not take part: their summaries were not valid, or they were lost. */
  get rejected(): readonly LostClient[] {
    return [...this.#lost];
  }

  /** Deviation of an entry of the symmetric noise that the clients add for privacy, in this operator; 0: none. */
  get symmetricNoise(): number {
    const variance = this.#members.reduce((sum, { summary }) => sum + summary.noise ** 2, 0);
    return Math.sqrt(variance) / this.#totalWeight();
  }

  /** Passes over the clients so far. */
  get passes(): number {
    return this.#passes;
  }

  /**
   * How long the error by fixed point is, typically, in the product with a unit vector: no residual can be told from 0 below
   * it. 0 where not `secure`, and before the first pass.
   */
  get resolution(): number {
    return this.#resolution;
  }

  /**
   * The product with a block of dim x columns numbers, row by row: one pass, four messages to each client (one where not
   * `secure`).
   * @throws {ClientsLostError} when clients were lost: see above; `ERR_ENGRAM_RANGE`: too few are left; `ERR_ENGRAM_SHAPE`,
   * `ERR_ENGRAM_TYPE`, `ERR_ENGRAM_NONFINITE`.
   */
  async apply(block: Float32Array, columns: number): Promise<Float32Array> {
    const op = 'ProductAggregation.apply';
    integer(op, 'columns', columns, 1, 2 ** 31 - 1);
    checkProduct(op, 'block', block, this.dim, columns);
    const recovered = this.#recovered;
    this.#recovered = undefined;
    if (recovered?.block.length === block.length && recovered.block.every((entry, at) => entry === block[at])) {
      return recovered.product;
    }
    const asked = block.slice();
    const lengths = columnLengths(op, asked, columns);
    const unit = asked.map((entry, at) => (entry === 0 ? 0 : entry / lengths[at % columns]!));
    const lostBefore = this.#lost.length;
    const sum = await this.#pass(op, { columns, block: unit });
    ++this.#passes;
    const total = this.#totalWeight();
    const product = Float32Array.from(sum, (entry, at) => (entry * lengths[at % columns]!) / total);
    const lost = this.#lost.slice(lostBefore);
    if (lost.length === 0) return product;
    this.#recovered = { block: asked, product };
    throw new ClientsLostError(op, lost);
  }

  /** Runs a computation with this operator, and again from its beginning whenever clients are lost in it. */
  async restarting<T>(compute: () => Promise<T>): Promise<T> {
    for (;;) {
      const lost = this.#lost.length;
      try {
        return await compute();
      } catch (error) {
        // Each time there is a client less.
        if (this.#lost.length === lost || this.#members.length < this.#leastClients) throw error;
      }
    }
  }

  #totalWeight(): number {
    return this.#members.reduce((sum, { weight }) => sum + weight, 0);
  }

  #accept(op: string, summaries: unknown, weights: ProductAggregationOptions['weights']): Member[] {
    if (!Array.isArray(summaries)) throw badArgument('ERR_ENGRAM_TYPE', op, 'clients', summaries, 'a list of summaries');
    const names = new Set<string>();
    const accepted: { position: number; summary: ClientSummary }[] = [];
    summaries.forEach((given: unknown, position) => {
      try {
        const summary = checkedSummary(op, given, this.dim);
        if (names.has(summary.client)) {
          throw badArgument('ERR_ENGRAM_RANGE', op, 'client', summary.client, 'a name that no other client has');
        }
        names.add(summary.client);
        accepted.push({ position, summary });
      } catch (error) {
        this.#lose(position, (given as Partial<ClientSummary> | null)?.client, error);
      }
    });
    const raw = rawWeights(op, weights, summaries.length, accepted);
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    return accepted
      .map((member, at) => ({ ...member, weight: raw[at]! / total }))
      .filter(({ weight }) => weight > 0);
  }

  #checkCrowd(op: string): void {
    const { length } = this.#members;
    const most = this.secure ? MOST_SUM_CLIENTS : MOST_CLIENTS;
    if (length < this.#leastClients || length > most) {
      const reasons = this.#lost.map(({ client, reason }) => `${describe(client)}: ${reason}`).join('; ');
      const expected = `from ${this.#leastClients} to ${most} clients${reasons === '' ? '' : ` (without ${reasons})`}`;
      throw badArgument('ERR_ENGRAM_RANGE', op, 'clients', length, expected);
    }
  }

  #lose(position: number, client: unknown, error: unknown): void {
    const code = error instanceof EngramError ? error.code : 'ERR_ENGRAM_IO';
    const reason = error instanceof Error ? error.message : describe(error);
    this.#lost.push({ position, client: typeof client === 'string' ? client : '', code, reason });
  }

  /** The sum of the answers of those still there at its end. */
  async #pass(op: string, block: Omit<Block, 'weight'>): Promise<Float64Array> {
    this.#checkCrowd(op);
    return this.secure ? this.#secureSum(op, block) : this.#plainSum(op, block);
  }

  async #plainSum(op: string, block: Omit<Block, 'weight'>): Promise<Float64Array> {
    const sum = new Float64Array(block.block.length);
    const products = new Map<Member, Float32Array>();
    const messageTo = ({ weight }: Member): Uint8Array => writeProduct(this.#round, { weight, ...block });
    const failures = await this.#ask(this.#members.map((member) => [member, messageTo(member)]), (member, answer) => {
      products.set(member, readProduct(op, answer, sum.length));
    });
    this.#drop(failures);
    this.#checkCrowd(op);
    for (const member of this.#members) products.get(member)!.forEach((entry, at) => (sum[at]! += entry));
    return sum;
  }

  async #secureSum(op: string, block: Omit<Block, 'weight'>): Promise<Float64Array> {
    const members = this.#members;
    const server = new SecureSumServer({
      bounds: members.map(({ summary, weight }) => productBound(summary, weight)),
      length: block.block.length,
      threshold: Math.max(this.#leastClients, Math.floor(members.length / 2) + 1),
    });
    const openings = [...server.start()].map(([at, opening]): [Member, Uint8Array] => {
      const member = members[at]!;
      return [member, writeOpen(this.#round, { weight: member.weight, ...block }, opening)];
    });
    for (let messages = openings; messages.length > 0; ) {
      const failures = await this.#ask(messages, (member, answer) => server.receive(members.indexOf(member), answer));
      // Who is missing when masks are taken off has its part in the sum; if it stays away, the next pass will tell.
      if (!server.hasInputs) this.#drop(failures);
      this.#checkCrowd(op);
      messages = [...(await server.next())].map(([at, message]) => [members[at]!, writeSum(this.#round, message)]);
    }
    this.#resolution = Math.sqrt((this.dim * members.length) / 12) / server.scale / this.#totalWeight();
    return server.sum;
  }

  /** Sends messages side by side; why clients gave no valid answer in time. */
  async #ask(
    messages: readonly (readonly [Member, Uint8Array])[],
    take: (member: Member, answer: Uint8Array) => void,
  ): Promise<ReadonlyMap<Member, unknown>> {
    const failures = new Map<Member, unknown>();
    const askOne = async ([member, message]: readonly [Member, Uint8Array]): Promise<void> => {
      try {
        const query = { client: member.summary.client, message };
        take(member, await within(this.#timeout, (signal) => this.#exchange({ ...query, signal })));
      } catch (error) {
        failures.set(member, error);
      }
    };
    await Promise.all(messages.map(askOne));
    return failures;
  }

  /** Goes on without these. */
  #drop(failures: ReadonlyMap<Member, unknown>): void {
    for (const member of this.#members) {
      if (failures.has(member)) this.#lose(member.position, member.summary.client, failures.get(member));
    }
    this.#members = this.#members.filter((member) => !failures.has(member));
  }
}

const MOST_CLIENTS = 1_000_000;

function rawWeights(
  op: string,
  weights: ProductAggregationOptions['weights'],
  count: number,
  accepted: readonly { position: number; summary: ClientSummary }[],
): number[] {
  if (!(weights instanceof Float64Array)) {
    const rule = weights === undefined ? 'equal' : choice(op, 'weights', weights, ['equal', 'size'] as const);
    return accepted.map(({ summary }) => (rule === 'size' ? summary.sampleCount : 1));
  }
  if (weights.length !== count) throw badArgument('ERR_ENGRAM_SHAPE', op, 'weights', weights, `${count} numbers`);
  const isGood = (weight: number): boolean => Number.isFinite(weight) && weight >= 0;
  if (weights.every(isGood)) return accepted.map(({ position }) => weights[position]!);
  throw badArgument('ERR_ENGRAM_RANGE', op, 'weights', weights, 'finite numbers of at least 0');
}

/** Lengths of the columns. */
function columnLengths(op: string, block: Float32Array, columns: number): Float64Array {
  const squares = new Float64Array(columns);
  block.forEach((entry, at) => (squares[at % columns]! += entry * entry));
  if (squares.every(Number.isFinite)) return squares.map(Math.sqrt);
  throw badArgument('ERR_ENGRAM_NONFINITE', op, 'block', block, 'finite numbers');
}

/** What `run` gives within this time. */
async function within<T>(milliseconds: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const late = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error));
  });
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  try {
    return await Promise.race([run(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

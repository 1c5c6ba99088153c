/** A client that keeps its examples, and answers by products with its operator only. */
import { types } from 'node:util';
import type { Ownership } from './arrays.js';
import type { ClientSummary } from './client-summary.js';
import type { GaussianMechanism } from './differential-privacy.js';
import { badArgument } from './errors.js';
import { checkedExamples, type Examples, ownExamples } from './examples.js';
import { HebbianOperator } from './hebbian-operator.js';
import { checkProduct } from './linear-operator.js';
import { boolean, integer, number, optionsObject, text } from './options.js';
import { ProductResponder } from './product-responder.js';
import { SecondMoment } from './second-moment.js';
import { MOST_SUM_CLIENTS } from './secure-sum/index.js';
import { checkNoiseDim } from './symmetric-noise.js';

/** How a client takes part in making sums differentially private. */
export interface ClientPrivacy {
  /** Of {@link gaussianMechanism}: the noise that the sum is to have. */
  mechanism: Pick<GaussianMechanism, 'sigma' | 'sensitivity' | 'rounds'>;
  /**
   * Fewest clients that a sum is of, 1 to 255: each adds noise of variance sigma^2 / survivors, so that the sum has the noise
   * it needs whoever drops out. This client refuses sums of fewer.
   */
  survivors: number;
}

export interface ProductClientOptions {
  /** Length of examples, N. */
  dim: number;
  /** The client's name, 1 to 256 characters. */
  client: string;
  /** Answer only in secure sums (default). */
  secure?: boolean;
  /** Fewest clients a secure sum may be of, 2 (default) to 255. */
  leastClients?: number;
  /** Adds noise. All rows must then have a squared length of at most dim, as those of +-1 have. */
  privacy?: ClientPrivacy;
  /** What becomes of `examples`; see {@link Ownership}. */
  ownership?: Ownership;
}

/**
 * Holds one client's examples for the passes of a {@link ProductAggregation}: announces its `summary`, and answers messages.
 * A new round may be asked of it whenever the last one is over; it is known by its messages.
 *
 * Its operator is N J_c = X^T X / M_c, scaled to the trace N that examples of +-1 have, so that all clients speak of the same
 * scale. With `privacy` real examples are not scaled (what they would be scaled by depends on them), and the tells
 * nothing that was reckoned from them but their number: noiseVariance 1, quality 0, trace and bound as large as they may be.
 */
export class ProductClient {
  readonly #responder: ProductResponder;

  private constructor(responder: ProductResponder) {
    this.#responder = responder;
  }

  /**
   * @param examples sampleCount x dim numbers, finite; +-1 or real.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `ERR_ENGRAM_NONFINITE`, `ERR_ENGRAM_TYPE`; `ERR_ENGRAM_RANGE`: an option out of
   * its range, no examples or all zero, rows too long or dim above 8192 for `privacy`.
   */
  static async create(examples: Float32Array | Int8Array, options: ProductClientOptions): Promise<ProductClient> {
    const op = 'ProductClient.create';
    const given = optionsObject(op, options);
    const dim = integer(op, 'dim', given.dim, 1, 2 ** 31 - 1);
    const privacy = given.privacy === undefined ? undefined : checkedPrivacy(op, given.privacy);
    const least = integer(op, 'leastClients', given.leastClients ?? 2, 2, MOST_SUM_CLIENTS);
    const secure = given.secure === undefined || boolean(op, 'secure', given.secure);
    const client = text(op, 'client', given.client);
    checkedExamples(op, 'examples', examples, dim);
    const rows = ownExamples(op, examples, given.ownership);
    const { summary, scale } =
      privacy === undefined
        ? await announcement(rows, dim, client)
        : privateAnnouncement(op, rows, dim, client, privacy);
    const { sampleCount } = summary;
    // Nobody else has the rows that are not shared.
    const ownership = types.isSharedArrayBuffer(rows.buffer) ? 'share' : 'transfer';
    const operator = SecondMoment.from(rows, { dim, scale, ownership });
    return new ProductClient(
      new ProductResponder(operator, summary, {
        secure,
        leastClients: Math.max(least, privacy?.survivors ?? 1),
        rounds: privacy?.mechanism.rounds ?? Infinity,
        // S = a_c N / M_c at most, but for rounding.
        mostWeight: privacy === undefined ? 1 : ((privacy.mechanism.sensitivity * sampleCount) / dim) * (1 + 1e-9),
      }),
    );
  }

  /** What the server is told. */
  get summary(): ClientSummary {
    return { ...this.#responder.summary };
  }

  /**
   * The answer to a message of a {@link ProductAggregation}. A message that breaks the rules changes nothing.
   * @throws {EngramError} `ERR_ENGRAM_FORMAT`: not a message, or none that is due; `ERR_ENGRAM_RANGE`: it asks for what this
   * client does not give: a product that is not part of a secure sum, a sum of too few, another weight than before in the
   * round, a weight or a round beyond what its privacy was reckoned for.
   */
  answer(message: Uint8Array): Promise<Uint8Array> {
    return this.#responder.answer('ProductClient.answer', message);
  }

  /**
   * weight * N J_c block for the client's own use, without noise. It must not leave the client.
   * @param block dim x columns numbers, row by row.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `ERR_ENGRAM_NONFINITE`, `ERR_ENGRAM_TYPE`.
   */
  async product(block: Float32Array, columns: number, weight = 1): Promise<Float32Array> {
    const op = 'ProductClient.product';
    checkProduct(op, 'block', block, this.#responder.summary.dim, integer(op, 'columns', columns, 1, 2 ** 31 - 1));
    number(op, 'weight', weight, () => true, 'a finite number');
    return Float32Array.from(await this.#responder.operator.apply(block, columns), (entry) => weight * entry);
  }
}

/** What a client tells of itself, and the scale of its operator. */
interface Announcement {
  summary: ClientSummary;
  scale: number;
}

async function announcement(examples: Examples, dim: number, client: string): Promise<Announcement> {
  // The operator stays here, so that nothing can leak from it.
  const told = await HebbianOperator.fromExamples(examples, { dim, allowLeak: true });
  const { sampleCount, trace, noiseVariance, quality } = told;
  const scale = dim / trace / sampleCount;
  const bound = Math.sqrt(scale * largestSquare(examples, dim) * dim);
  return { summary: { client, dim, sampleCount, trace: dim, noiseVariance, quality, bound, noise: 0 }, scale };
}

function privateAnnouncement(
  op: string,
  examples: Examples,
  dim: number,
  client: string,
  { mechanism, survivors }: ClientPrivacy,
): Announcement {
  checkNoiseDim(op, dim);
  checkLengths(op, examples, dim);
  const sampleCount = examples.length / dim;
  const noise = mechanism.sigma / Math.sqrt(survivors);
  return {
    summary: { client, dim, sampleCount, trace: dim, noiseVariance: 1, quality: 0, bound: dim, noise },
    scale: 1 / sampleCount,
  };
}

function checkedPrivacy(op: string, given: ClientPrivacy): ClientPrivacy {
  const { mechanism, survivors } = optionsObject(op, given);
  if (typeof mechanism !== 'object' || mechanism === null) {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'privacy.mechanism', mechanism, 'what gaussianMechanism returned');
  }
  const positive = (argument: string, value: unknown): number =>
    number(op, `privacy.mechanism.${argument}`, value, (one) => one > 0, 'a number above 0');
  return {
    mechanism: {
      sigma: positive('sigma', mechanism.sigma),
      sensitivity: positive('sensitivity', mechanism.sensitivity),
      rounds: integer(op, 'privacy.mechanism.rounds', mechanism.rounds, 1, 1_000_000),
    },
    survivors: integer(op, 'privacy.survivors', survivors, 1, MOST_SUM_CLIENTS),
  };
}

/** Rows of finite numbers, whose squared lengths are at most dim, but for rounding. */
function checkLengths(op: string, examples: Examples, dim: number): void {
  for (let row = 0; row * dim < examples.length; ++row) {
    let square = 0;
    for (let at = row * dim; at < (row + 1) * dim; ++at) square += examples[at]! ** 2;
    if (square <= dim * (1 + 1e-6)) continue;
    const code = Number.isFinite(square) ? 'ERR_ENGRAM_RANGE' : 'ERR_ENGRAM_NONFINITE';
    const expected = `a squared length of at most ${dim}, which privacy is reckoned for`;
    throw badArgument(code, op, `examples row ${row}, squared length`, square, expected);
  }
}

/** max_n of sum_i x_in^2. */
function largestSquare(examples: Examples, dim: number): number {
  const squares = new Float64Array(dim);
  for (let at = 0; at < examples.length; ++at) squares[at % dim]! += examples[at]! ** 2;
  return squares.reduce((most, one) => Math.max(most, one));
}

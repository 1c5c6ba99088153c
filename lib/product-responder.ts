/** A client's side of aggregated products, for any operator: it answers messages, and sees that its rules are kept. */
import type { ClientSummary } from './client-summary.js';
import { badArgument, EngramError } from './errors.js';
import type { LinearOperator } from './linear-operator.js';
import { type Block, type ProductMessage, readMessage } from './product-messages.js';
import { SecureSumClient } from './secure-sum/index.js';
import { Writer } from './secure-sum/wire.js';
import { noiseBound, SymmetricNoise } from './symmetric-noise.js';

/** Rounding of Float32 products and of the lengths of columns may pass the exact bound by far less than this. */
const MARGIN = 1.001;

/** The largest entry of weight * N J_c q + G_c q with |q| = 1. */
export function productBound({ dim, bound, noise }: ClientSummary, weight: number): number {
  return MARGIN * (weight * bound + noiseBound(dim, noise));
}

export interface ResponderRules {
  /** Answers only in secure sums. */
  secure: boolean;
  /** Fewest clients that a sum must be of. */
  leastClients: number;
  /** Rounds that it takes part in. */
  rounds: number;
  /** Largest weight that it can have. */
  mostWeight: number;
}

/** What the rounds so far have left. */
interface Round {
  readonly id: string;
  /** Of the first product: another one would show the operator without its noise, in a difference. */
  readonly weight: number;
  readonly noise: Promise<SymmetricNoise> | undefined;
}

export class ProductResponder {
  #round: Round | undefined;
  #rounds = 0;
  #sum: { round: string; client: SecureSumClient } | undefined;

  constructor(
    readonly operator: LinearOperator,
    readonly summary: ClientSummary,
    readonly rules: ResponderRules,
  ) {}

  /** weight * N J_c block, with this round's noise where there is some. */
  async product(op: string, round: string, { weight, columns, block }: Block): Promise<Float32Array> {
    const { noise } = this.#enter(op, round, weight);
    const product = Float32Array.from(await this.operator.apply(block, columns), (entry) => weight * entry);
    if (noise !== undefined) {
      const drawn = await noise;
      (await drawn.apply(block, columns)).forEach((entry, at) => (product[at]! += entry));
    }
    return product;
  }

  async answer(op: string, bytes: Uint8Array): Promise<Uint8Array> {
    const message = readMessage(op, bytes, this.summary.dim);
    if (message.kind === 'sum') return this.#continue(op, message.round, message.message);
    if (message.kind === 'open') return this.#open(op, message);
    if (this.rules.secure) {
      throw new EngramError('ERR_ENGRAM_RANGE', op, 'this client takes part in secure sums only; its product was asked for');
    }
    return new Writer().words(await this.product(op, message.round, message)).finish();
  }

  async #open(op: string, message: Extract<ProductMessage, { kind: 'open' }>): Promise<Uint8Array> {
    const { round, weight } = message;
    this.#enter(op, round, weight);
    const client = new SecureSumClient({
      bound: productBound(this.summary, weight),
      threshold: Math.max(2, this.rules.leastClients),
      input: () => this.product(op, round, message),
    });
    const answer = await client.answer(message.opening);
    this.#sum = { round, client };
    return answer;
  }

  #continue(op: string, round: string, message: Uint8Array): Promise<Uint8Array> {
    if (this.#sum?.round === round) return this.#sum.client.answer(message);
    throw new EngramError('ERR_ENGRAM_FORMAT', op, 'the message belongs to a sum that this client has not been asked to join');
  }

  #enter(op: string, id: string, weight: number): Round {
    if (this.#round?.id === id) {
      if (this.#round.weight === weight) return this.#round;
      throw badArgument('ERR_ENGRAM_RANGE', op, 'weight', weight, `${this.#round.weight}, as before in this round`);
    }
    const { rounds, mostWeight } = this.rules;
    if (this.#rounds >= rounds) {
      throw new EngramError('ERR_ENGRAM_RANGE', op, `this is round ${rounds + 1} of ${rounds} that privacy allows`);
    }
    if (weight > mostWeight) {
      throw badArgument('ERR_ENGRAM_RANGE', op, 'weight', weight, `at most ${mostWeight}, which privacy was reckoned for`);
    }
    ++this.#rounds;
    const { dim, noise: sigma } = this.summary;
    const noise = sigma > 0 ? SymmetricNoise.draw(op, dim, sigma) : undefined;
    noise?.catch(() => undefined); // told to whoever asks for a product
    this.#round = { id, weight, noise };
    return this.#round;
  }
}

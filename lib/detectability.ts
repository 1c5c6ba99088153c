/** What a federation will be able to detect, asked before any data is collected. */
import { binding } from './binding.js';
import { synchronous } from './call.js';
import { gaussianMechanism, type GaussianMechanismOptions } from './differential-privacy.js';
import { badArgument } from './errors.js';
import { choice, number, optionsObject } from './options.js';

const WEIGHT_RULES = ['equal', 'size', 'maximin'] as const; // in the order of the native enumeration

/**
 * A federation as it is planned. Each of K hidden archetypes is a vector of `dim` independent signs; an example is one of
 * them with every sign kept with probability (1 + quality) / 2. Where `samples`, `quality` or `exposure` is given once,
 * it holds for every client.
 */
export interface DetectabilityOptions {
  /** Length of the archetypes, N, 1 or more. */
  dim: number;
  /** Examples of each client, 1 or more. */
  samples: number | readonly number[];
  /** Quality r of each client's examples, above 0 and at most 1. */
  quality: number | readonly number[];
  /** Shares of a client's examples that are from each archetype: K numbers, 0 or more, that sum to 1 at most. */
  exposure: readonly number[] | readonly (readonly number[])[];
  /**
   * How clients count in the sum: alike (`'equal'`, default), by their `samples` (`'size'`), such that the worst archetype
   * does best (`'maximin'`), or a number for each, 0 or more.
   */
  weights?: 'equal' | 'size' | 'maximin' | readonly number[];
  /**
   * Symmetric noise in the sum for differential privacy, as `gaussianMechanism` reckons it for these clients and weights.
   * More examples are then worth more: the noise shrinks as they grow. `'maximin'` weights are chosen as without it.
   */
  privacy?: Pick<GaussianMechanismOptions, 'epsilon' | 'delta' | 'rounds'>;
}

/** The answer, archetype by archetype, in the limit of large `dim` and `samples`. */
export interface Detectability {
  /** The largest eigenvalue of the noise alone, on the scale where the operator's diagonal is 1. */
  edge: number;
  /** Where the archetype's eigenvalue will stand; at the edge when it is not detectable. */
  eigenvalues: number[];
  /** Squared overlap of that eigenvector with the archetype; 0 when it is not detectable. */
  subspaceOverlap: number[];
  /** Overlap of the recovered signs with the archetype, erf(sqrt(g / 2 (1 - g))) with g the subspace overlap. */
  archetypeOverlap: number[];
  /** Whether an eigenvalue leaves the noise. */
  detectable: boolean[];
  /** Further examples in the whole federation until one would, all clients growing alike; Infinity where nobody sees it. */
  extraSamplesNeeded: number[];
  /** The weights of the clients, sum 1. */
  clientWeights: number[];
}

/**
 * Predicts what the sum of the clients' Hebbian operators will show of each archetype: the spiked-covariance theory for
 * unequal clients, which for one client is detectable iff pi sqrt(N M) r^2 / (1 - r^2) > 1 (Baik, Ben Arous & Peche 2005).
 * @throws {EngramError} `ERR_ENGRAM_SHAPE`: lists whose lengths do not fit; `ERR_ENGRAM_RANGE`: a number outside the range
 * given above; `ERR_ENGRAM_TYPE`.
 */
export function detectability(options: DetectabilityOptions): Detectability {
  const op = 'detectability';
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const dim = number(op, 'dim', given.dim, (value) => value >= 1, 'a number of at least 1');
    const clients = clientCount(op, given);
    const exposures = exposureRows(op, given.exposure, clients);
    const [rule, weights] = weightsOf(op, given.weights, clients);
    const [edge, eigenvalues, subspaceOverlap, archetypeOverlap, detectable, extraSamplesNeeded, clientWeights] =
      binding.detectability(
        dim,
        perClient(op, 'samples', given.samples, clients),
        perClient(op, 'quality', given.quality, clients),
        exposures[0]!.length,
        Float64Array.from(exposures.flat()),
        rule,
        weights,
        privacyNoise(op, given.privacy),
      );
    return {
      edge,
      eigenvalues: [...eigenvalues],
      subspaceOverlap: [...subspaceOverlap],
      archetypeOverlap: [...archetypeOverlap],
      detectable,
      extraSamplesNeeded: [...extraSamplesNeeded],
      clientWeights: [...clientWeights],
    };
  });
}

const isRows = (exposure: DetectabilityOptions['exposure']): exposure is readonly (readonly number[])[] =>
  Array.isArray(exposure[0]);

/** The length of whatever was given for each client; 1 when nothing was. */
function clientCount(op: string, { samples, quality, exposure, weights }: DetectabilityOptions): number {
  if (!Array.isArray(exposure) || exposure.length === 0) {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'exposure', exposure, 'a list of shares, or one such list for each client');
  }
  const lists = [samples, quality, isRows(exposure) ? exposure : undefined, weights].filter((one) => Array.isArray(one));
  return lists[0]?.length ?? 1;
}

function numbers(op: string, argument: string, list: unknown, length: number, meaning: string): number[] {
  if (!Array.isArray(list)) throw badArgument('ERR_ENGRAM_TYPE', op, argument, list, `${length} numbers, ${meaning}`);
  if (list.length !== length) {
    throw badArgument('ERR_ENGRAM_SHAPE', op, argument, list, `${length} numbers, ${meaning}`);
  }
  return list.map((value, at) => number(op, `${argument}[${at}]`, value, () => true, 'a finite number'));
}

function perClient(op: string, argument: string, given: number | readonly number[], clients: number): Float64Array {
  const list: unknown = typeof given === 'number' ? Array.from({ length: clients }, () => given) : given;
  return Float64Array.from(numbers(op, argument, list, clients, 'one for each client'));
}

function exposureRows(op: string, exposure: DetectabilityOptions['exposure'], clients: number): number[][] {
  const rows: readonly (readonly number[])[] = isRows(exposure)
    ? exposure
    : Array.from({ length: clients }, () => exposure);
  if (rows.length !== clients) {
    throw badArgument('ERR_ENGRAM_SHAPE', op, 'exposure', exposure, `${clients} lists, one for each client`);
  }
  const archetypes = rows[0]?.length ?? 0;
  if (archetypes === 0) throw badArgument('ERR_ENGRAM_SHAPE', op, 'exposure', exposure, 'shares of at least one archetype');
  return rows.map((row, client) => numbers(op, `exposure[${client}]`, row, archetypes, 'one for each archetype'));
}

/** Deviation of the noise that a sensitivity of 1 needs. */
function privacyNoise(op: string, privacy: DetectabilityOptions['privacy']): number {
  if (privacy === undefined) return 0;
  if (typeof privacy !== 'object' || privacy === null) {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'privacy', privacy, 'an object of epsilon, delta and rounds');
  }
  return gaussianMechanism({ ...privacy, dim: 1, samples: 1 }).sigma;
}

function weightsOf(
  op: string,
  weights: DetectabilityOptions['weights'],
  clients: number,
): [rule: number, weights: Float64Array | undefined] {
  if (weights === undefined) return [0, undefined];
  if (Array.isArray(weights)) {
    return [0, Float64Array.from(numbers(op, 'weights', weights, clients, 'one for each client'))];
  }
  return [WEIGHT_RULES.indexOf(choice(op, 'weights', weights, WEIGHT_RULES)), undefined];
}

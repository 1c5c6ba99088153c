/**
 * The Gaussian mechanism for sums of second moments: how much noise hides one example, and what it costs.
 *
 * W = sum_c a_c X_c^T X_c / M_c with examples of |x|^2 <= N. Replacing one example of client c by any other moves W by
 * D = (a_c / M_c) (x x^T - y y^T), at most sqrt(2) S long in Frobenius norm with the sensitivity S = max_c a_c N / M_c (at
 * most S where an example is left out, its place in M_c being kept). The noise is a symmetric Gaussian matrix, of deviation
 * sigma off the diagonal and sqrt(2) sigma on it, the density of which is a function of the Frobenius norm,
 * exp(-|G|^2 / (4 sigma^2)): D costs rho = |D|^2 / (4 sigma^2) <= S^2 / (2 sigma^2) of zero-concentrated differential privacy
 * (Bun & Steinke 2016), which rounds add up and which gives (epsilon, delta) with epsilon = rho + 2 sqrt(rho ln(1 / delta)).
 * Its edge in the spectrum is 2 sigma sqrt(N): archetypes below it are private from everybody.
 */
import { badArgument } from './errors.js';
import { choice, integer, number, optionsObject } from './options.js';

export interface GaussianMechanismOptions {
  /** The privacy to be kept by all rounds together: probabilities change by a factor of at most e^epsilon, above 0, ... */
  epsilon: number;
  /** ... but for this probability, above 0 and below 1; well below 1 / examples. */
  delta: number;
  /** Length of examples, N, 1 or more. */
  dim: number;
  /** Examples of each client, 1 or more; or of the whole federation, where each of them counts alike. */
  samples: number | readonly number[];
  /** How clients with a list of `samples` count: alike (default), by size, or a number for each. Only ratios matter. */
  weights?: 'equal' | 'size' | readonly number[];
  /** Rounds in which an example may be used, 1 (default) or more. */
  rounds?: number;
}

/** A mechanism, as {@link gaussianMechanism} makes it and `ProductClient` takes it. */
export interface GaussianMechanism {
  readonly epsilon: number;
  readonly delta: number;
  /** Zero-concentrated differential privacy of all rounds together. */
  readonly rho: number;
  /** S = max a_c N / M_c, of weights a_c that sum to 1. */
  readonly sensitivity: number;
  readonly rounds: number;
  /** Deviation of an entry of the symmetric noise in the sum, on the scale where the operator's diagonal is 1. */
  readonly sigma: number;
  /** Where the spectrum of the noise ends: 2 sigma sqrt(dim). */
  readonly edge: number;
}

export interface PrivacyLossOptions {
  /** Deviation of an entry of the noise, above 0. */
  sigma: number;
  /** S, above 0. */
  sensitivity: number;
  /** Above 0 and below 1. */
  delta: number;
  /** 1 (default) or more. */
  rounds?: number;
}

const positive = (value: number): boolean => value > 0;

function deltaOf(op: string, delta: unknown): number {
  return number(op, 'delta', delta, (value) => value > 0 && value < 1, 'a number above 0 and below 1');
}

const MOST_ROUNDS = 1_000_000;

function roundsOf(op: string, rounds: unknown): number {
  return rounds === undefined ? 1 : integer(op, 'rounds', rounds, 1, MOST_ROUNDS);
}

/**
 * The least Gaussian noise that keeps the examples private: each may be replaced by any other of |x|^2 <= dim, and what is
 * learned from the noisy sums of all rounds hardly changes.
 * @throws {EngramError} `ERR_ENGRAM_RANGE`: a number outside the range given above; `ERR_ENGRAM_SHAPE`: lists of different
 * lengths; `ERR_ENGRAM_TYPE`.
 */
export function gaussianMechanism(options: GaussianMechanismOptions): GaussianMechanism {
  const op = 'gaussianMechanism';
  const given = optionsObject(op, options);
  const epsilon = number(op, 'epsilon', given.epsilon, positive, 'a number above 0');
  const delta = deltaOf(op, given.delta);
  const dim = number(op, 'dim', given.dim, (value) => value >= 1, 'a number of at least 1');
  const rounds = roundsOf(op, given.rounds);
  const sensitivity = dim * largestShare(op, given.samples, given.weights);
  // (sqrt(L + epsilon) - sqrt(L))^2 without cancellation, L = ln(1 / delta).
  const log = -Math.log(delta);
  const rho = (epsilon / (Math.sqrt(log + epsilon) + Math.sqrt(log))) ** 2;
  const sigma = sensitivity * Math.sqrt(rounds / (2 * rho));
  return { epsilon, delta, rho, sensitivity, rounds, sigma, edge: 2 * sigma * Math.sqrt(dim) };
}

/**
 * What noise of this deviation costs: the accountant's way back.
 * @throws {EngramError} `ERR_ENGRAM_RANGE`, `ERR_ENGRAM_TYPE`.
 */
export function privacyLoss(options: PrivacyLossOptions): { rho: number; epsilon: number } {
  const op = 'privacyLoss';
  const given = optionsObject(op, options);
  const sigma = number(op, 'sigma', given.sigma, positive, 'a number above 0');
  const sensitivity = number(op, 'sensitivity', given.sensitivity, positive, 'a number above 0');
  const log = -Math.log(deltaOf(op, given.delta));
  const rho = (roundsOf(op, given.rounds) * (sensitivity / sigma) ** 2) / 2;
  return { rho, epsilon: rho + 2 * Math.sqrt(rho * log) };
}

/** max a_c / M_c. */
function largestShare(
  op: string,
  samples: GaussianMechanismOptions['samples'],
  weights: GaussianMechanismOptions['weights'],
): number {
  const expected = 'a number of at least 1';
  const checked = (argument: string, value: unknown): number => number(op, argument, value, (one) => one >= 1, expected);
  if (!isList(samples)) return 1 / checked('samples', samples);
  if (samples.length === 0) throw badArgument('ERR_ENGRAM_SHAPE', op, 'samples', samples, 'a number for each client');
  samples.forEach((count, client) => checked(`samples[${client}]`, count));
  const raw = rawWeights(op, samples, weights);
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return Math.max(...raw.map((weight, client) => weight / total / samples[client]!));
}

const isList = (value: unknown): value is readonly number[] => Array.isArray(value);

function rawWeights(
  op: string,
  samples: readonly number[],
  weights: GaussianMechanismOptions['weights'],
): readonly number[] {
  if (!isList(weights)) {
    const rule = weights === undefined ? 'equal' : choice(op, 'weights', weights, ['equal', 'size'] as const);
    return rule === 'size' ? samples : samples.map(() => 1);
  }
  if (weights.length !== samples.length) {
    throw badArgument('ERR_ENGRAM_SHAPE', op, 'weights', weights, `${samples.length} numbers, one for each client`);
  }
  weights.forEach((weight, client) => {
    number(op, `weights[${client}]`, weight, (one) => one >= 0, 'a number of at least 0');
  });
  if (weights.some(positive)) return weights;
  throw badArgument('ERR_ENGRAM_RANGE', op, 'weights', weights, 'at least one number above 0');
}

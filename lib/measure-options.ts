/** Options of memories of measures, and their checks. */
import { checkedFloats, checkLength, type Ownership } from './arrays.js';
import type { CallOptions } from './call.js';
import type { ImageOptions } from './clouds.js';
import { badArgument } from './errors.js';
import type { MemoryOptions } from './memory-options.js';
import type { NativeSolve } from './native.js';
import { boolean, choice, integer, MOST_UINT32, number } from './options.js';

/**
 * The entropic regularisation: a number in units of the cost, or `relative` to the mean cost between two points drawn
 * from all stored clouds alike. The smaller, the closer to the unregularised transport cost and the more iterations.
 */
export type Epsilon = number | { relative: number };

/** The transport between clouds. */
export interface TransportOptions {
  epsilon: Epsilon;
  /** kappa in the cost kappa |x - y|^2 of moving mass from x to y, > 0; default 0.5. */
  costScale?: number;
}

export interface MeasureOptions extends TransportOptions, MemoryOptions {
  /** Count: log p_k of each stored cloud, finite. Default 0: no cloud is preferred, and the energy has no 1 / count. */
  logPrior?: Float32Array;
}

export interface MeasureFromOptions extends MeasureOptions {
  /** Coordinates of a point. */
  dim: number;
  /** Of the points; weights and offsets are copied. Points that are shared must not change any more. */
  ownership?: Ownership;
}

/** Options of a memory of images. */
export interface MeasureImagesOptions extends MeasureOptions, ImageOptions {}

export interface SinkhornOptions extends CallOptions {
  /** A transport problem has converged when the L1 residual of its marginals is at most this; default 1e-6, 0: never. */
  tolerance?: number;
  /** Most iterations of a transport problem; default 1000. */
  maxIterations?: number;
  /**
   * `'kernel'` keeps the Gibbs kernel of a pair of clouds, `'log'` streams log-sum-exps and needs memory linear in
   * the points, `'newton'` solves the semi-dual by Newton's method; `'auto'` (default) chooses by size and difficulty.
   */
  solver?: 'auto' | 'kernel' | 'log' | 'newton';
  /** Of Gibbs kernels; potentials and results are Float64 always. Default `'float32'`. */
  precision?: 'float32' | 'float64';
  /** True: a problem that does not converge is `ERR_ENGRAM_NOT_CONVERGED`. Default false: `converged` says it. */
  strict?: boolean;
}

export interface MeasureEnergyOptions extends SinkhornOptions {
  /** Inverse temperature, > 0, in units of one over the cost. */
  beta: number;
}

export interface FlowOptions extends MeasureEnergyOptions {
  /** Most steps of the flow; default 50. */
  steps?: number;
  /**
   * `'auto'` (default): by backtracking, so that the energy never rises. `'bound'`: the points' step is the inverse of a
   * bound of the divergence's curvature, epsilon / (2k (epsilon + 2k D^2)) with k the cost scale and D the diameter of
   * the cloud, short and safe; the weights' by backtracking. Numbers, both > 0, are taken exactly as given:
   * x -= points * grad V(x) and a ~ a exp(-weights * V), V the first variation of the energy.
   */
  stepSize?: 'auto' | 'bound' | { points: number; weights: number };
  /** A flow ends when the norm of the energy's gradient is below this; default 1e-4, 0: never. */
  flowTolerance?: number;
  /** Change of the Gibbs weights (total variation) that skipping far clouds may make; default 1e-12, 0: none is skipped. */
  prune?: number;
  /** True: returns a stored cloud itself where its Gibbs weight leaves no doubt. Default false. */
  snap?: boolean;
  /** True: the result has the whole path of each cloud. Default false. */
  trace?: boolean;
}

/** Options of {@link sinkhornDivergence}. */
export interface SinkhornDivergenceOptions extends SinkhornOptions, TransportOptions {
  /** Coordinates of a point. */
  dim: number;
}

const SOLVERS = ['auto', 'kernel', 'log', 'newton'] as const; // in the order of the native enumerations
const PRECISIONS = ['float32', 'float64'] as const;

const isPositive = (value: number): boolean => value > 0;
const isNotNegative = (value: number): boolean => value >= 0;

function positive(op: string, argument: string, value: unknown): number {
  return number(op, argument, value, isPositive, 'a finite number above 0');
}

function notNegative(op: string, argument: string, value: unknown): number {
  return number(op, argument, value, isNotNegative, 'a finite number, 0 or more');
}

/** epsilon, whether it is relative, and the cost's scale. */
export function checkedTransport(op: string, options: TransportOptions): [number, boolean, number] {
  const { epsilon, costScale = 0.5 } = options;
  const isRelative = typeof epsilon === 'object' && epsilon !== null;
  if (!isRelative && typeof epsilon !== 'number') {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'epsilon', epsilon, 'a finite number above 0, or { relative } with one');
  }
  const size = isRelative ? positive(op, 'epsilon.relative', epsilon.relative) : positive(op, 'epsilon', epsilon);
  return [size, isRelative, positive(op, 'costScale', costScale)];
}

/** One number for each of `count` clouds; the native side looks at them. */
export function checkedLogPrior(op: string, value: Float32Array | undefined, count: number): Float32Array | undefined {
  if (value === undefined) return undefined;
  const logPrior = checkedFloats(op, 'logPrior', value);
  checkLength(op, 'logPrior', logPrior, count, 'one for each cloud');
  return logPrior;
}

export function checkedSolve(op: string, options: SinkhornOptions): NativeSolve {
  const { tolerance = 1e-6, maxIterations = 1000, solver = 'auto', precision = 'float32', strict = false } = options;
  return [
    notNegative(op, 'tolerance', tolerance),
    integer(op, 'maxIterations', maxIterations, 1, MOST_UINT32),
    SOLVERS.indexOf(choice(op, 'solver', solver, SOLVERS)),
    PRECISIONS.indexOf(choice(op, 'precision', precision, PRECISIONS)),
    boolean(op, 'strict', strict),
  ];
}

export function checkedBeta(op: string, options: MeasureEnergyOptions): number {
  return positive(op, 'beta', options.beta);
}

/** beta, steps, step rule (0 'auto', 1 'bound', 2 given) and both step sizes, flowTolerance, prune, snap, trace. */
export function checkedFlow(
  op: string,
  options: FlowOptions,
): [number, number, number, number, number, number, number, boolean, boolean] {
  const { steps = 50, flowTolerance = 1e-4, prune = 1e-12, snap = false, trace = false } = options;
  return [
    checkedBeta(op, options),
    integer(op, 'steps', steps, 1, MOST_UINT32),
    ...checkedStepSize(op, options.stepSize),
    notNegative(op, 'flowTolerance', flowTolerance),
    notNegative(op, 'prune', prune),
    boolean(op, 'snap', snap),
    boolean(op, 'trace', trace),
  ];
}

function checkedStepSize(op: string, stepSize: FlowOptions['stepSize']): [rule: number, points: number, weights: number] {
  if (stepSize === undefined || stepSize === 'auto') return [0, 0, 0];
  if (stepSize === 'bound') return [1, 0, 0];
  if (typeof stepSize !== 'object' || stepSize === null) {
    const code = typeof stepSize === 'string' ? 'ERR_ENGRAM_RANGE' : 'ERR_ENGRAM_TYPE';
    throw badArgument(code, op, 'stepSize', stepSize, "'auto', 'bound', or { points, weights } with numbers above 0");
  }
  return [
    2,
    positive(op, 'stepSize.points', stepSize.points),
    positive(op, 'stepSize.weights', stepSize.weights),
  ];
}

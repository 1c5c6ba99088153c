/** Options of memories of archetypes, and their checks. */
import { types } from 'node:util';
import type { CallOptions } from './call.js';
import { badArgument } from './errors.js';
import { checkedFalseAlarm } from './false-alarm.js';
import { checkedDim, type MemoryOptions } from './memory-options.js';
import type { NativeFederated, NativeRecall } from './native.js';
import { boolean, choice, integer, MOST_UINT32, number } from './options.js';

// In the order of the native enumerations.
const WEIGHT_RULES = ['equal', 'size', 'maximin'] as const;
const UNMIXINGS = ['ica', 'signProjection', 'lam'] as const;
const CONTROLLERS = ['fixed', 'entropy', 'trust', 'spectral'] as const;
const SKETCHES = ['svd', 'frequentDirections'] as const;

export interface FederatedOptions extends Omit<MemoryOptions, 'device'> {
  /** Entries of an archetype, N, 2 to 2^31 - 1. */
  dim: number;
  /**
   * How clients count in the sum: alike (`'equal'`, default), by their examples (`'size'`), such that the worst archetype does
   * best (`'maximin'`), or a number of at least 0 for each position in a round.
   */
  weights?: 'equal' | 'size' | 'maximin' | Float64Array;
  /** Probability that a round of pure noise shows an archetype, 1e-6 to 0.5. Default 0.05. */
  falseAlarm?: number;
  /**
   * How archetypes are told apart: independent components, with sign projection where they do not suffice (`'ica'`, default),
   * only `'signProjection'`, or the paper's layered dynamics (`'lam'`).
   */
  unmixing?: 'ica' | 'signProjection' | 'lam';
  /** Who decides how much new data change the memory. Default `'fixed'`, by `plasticity`. */
  controller?: 'fixed' | 'entropy' | 'trust' | 'spectral';
  /** w of the controller `'fixed'`: 0 nothing changes, 1 only new data count. Default 0.5. */
  plasticity?: number;
  /** alpha of the other controllers, above 0 to 1: w becomes alpha w_new + (1 - alpha) w. Default 0.4. */
  smoothing?: number;
  /** Detect only what two halves of the clients agree on. Default false. */
  replicate?: boolean;
  /** Rounds without fresh evidence after which an archetype is forgotten; 0 (default): never. */
  forgetAfter?: number;
  /** Most archetypes, 1 or more. Default 256. */
  maxArchetypes?: number;
  /** Of all that is random, 0 to 2^53 - 1. Default 1. */
  seed?: number;
  /** Bytes of messages that are held at a time; beyond it they are merged into a sketch. Default 256 MiB. */
  memoryBudget?: number;
  /** Eigenpairs of that sketch, 1 or more. Default 256. */
  sketchRank?: number;
  /** The sketch: truncated incremental decomposition (`'svd'`, default), or with a bound, `'frequentDirections'`. */
  sketch?: 'svd' | 'frequentDirections';
}

export function checkedFederated(op: string, given: FederatedOptions): NativeFederated {
  const share = (argument: string, value: unknown, least: (x: number) => boolean, words: string): number =>
    number(op, argument, value, (x) => least(x) && x <= 1, words);
  const [rule, weights] = checkedWeights(op, given.weights);
  const { plasticity = 0.5, smoothing = 0.4, replicate = false } = given;
  return [
    checkedDim(op, 'dim', given.dim),
    rule,
    weights,
    checkedFalseAlarm(op, given.falseAlarm),
    UNMIXINGS.indexOf(choice(op, 'unmixing', given.unmixing ?? 'ica', UNMIXINGS)),
    CONTROLLERS.indexOf(choice(op, 'controller', given.controller ?? 'fixed', CONTROLLERS)),
    share('plasticity', plasticity, (x) => x >= 0, 'a number from 0 to 1'),
    share('smoothing', smoothing, (x) => x > 0, 'a number above 0, at most 1'),
    boolean(op, 'replicate', replicate),
    integer(op, 'forgetAfter', given.forgetAfter ?? 0, 0, MOST_UINT32),
    integer(op, 'maxArchetypes', given.maxArchetypes ?? 256, 1, MOST_UINT32),
    integer(op, 'seed', given.seed ?? 1, 0, Number.MAX_SAFE_INTEGER),
    integer(op, 'memoryBudget', given.memoryBudget ?? 2 ** 28, 1, Number.MAX_SAFE_INTEGER),
    integer(op, 'sketchRank', given.sketchRank ?? 256, 1, MOST_UINT32),
    SKETCHES.indexOf(choice(op, 'sketch', given.sketch ?? 'svd', SKETCHES)),
  ];
}

function checkedWeights(op: string, weights: unknown): [rule: number, given: Float64Array | undefined] {
  if (types.isFloat64Array(weights)) return [0, weights];
  if (weights !== undefined && typeof weights !== 'string') {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'weights', weights, `${WEIGHT_RULES.join(', ')} or a Float64Array`);
  }
  return [WEIGHT_RULES.indexOf(choice(op, 'weights', weights ?? 'equal', WEIGHT_RULES)), undefined];
}

export interface RecallOptions extends CallOptions {
  /**
   * Signs of the Hebbian field (`'hebbian'`, default) or of that of the pseudo-inverse, under which every archetype is a
   * fixed point (`'pseudoInverse'`), or Hebbian Glauber dynamics (`'glauber'`).
   */
  dynamics?: 'hebbian' | 'pseudoInverse' | 'glauber';
  /** Inverse temperature of `'glauber'`, above 0. Default 3. */
  beta?: number;
  /** Most updates, 0 or more. Default 30. */
  steps?: number;
  /** Of `'glauber'`, 0 to 2^53 - 1. Default 1. */
  seed?: number;
}

const DYNAMICS = ['hebbian', 'pseudoInverse', 'glauber'] as const;

export function checkedRecall(op: string, cues: Float32Array, given: RecallOptions): NativeRecall {
  const { dynamics = 'hebbian', beta = 3, steps = 30, seed = 1 } = given;
  const rule = choice(op, 'dynamics', dynamics, DYNAMICS);
  const inverseTemperature = number(op, 'beta', beta, (value) => value > 0, 'a number above 0');
  return [
    cues,
    rule === 'pseudoInverse' ? 1 : 0,
    rule === 'glauber' ? inverseTemperature : Infinity,
    integer(op, 'steps', steps, 0, MOST_UINT32),
    integer(op, 'seed', seed, 0, Number.MAX_SAFE_INTEGER),
  ];
}

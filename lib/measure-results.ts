/** What a memory of measures answers. */
import { allocateBytes, allocateDoubles, allocateFloats, allocateWords } from './arrays.js';
import type { Clouds } from './clouds.js';
import type { NativeRetrieval, NativeTrace } from './native.js';

/** Debiased Sinkhorn divergences of `rows` queries to `columns` clouds, row by row. */
export interface Divergence {
  /** S = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2 (Feydy et al. 2019), in units of the cost. */
  values: Float64Array;
  /** Certified: the exact divergence is at most this far from the value. */
  errorBound: Float64Array;
  /** Of the pair's transport problem. */
  iterations: Uint32Array;
  /** L1 residual of the pair's marginals. */
  residual: Float32Array;
  /** 1 where the residual met the tolerance. */
  converged: Uint8Array;
  rows: number;
  columns: number;
}

/** What one cloud went through; entry 0 is the cue, of `length` entries, one more than the steps taken. */
export interface FlowTrace {
  /** Length. */
  energy: Float64Array;
  /** Length: norm of the energy's gradient, sqrt(G_x + G_a). */
  gradient: Float64Array;
  /** Length: size of the step that led here, 0 for the cue. */
  stepPoints: Float64Array;
  /** Length: the same of the weights. */
  stepWeights: Float64Array;
  /** Length: the stored cloud with the largest Gibbs weight. */
  nearest: Uint32Array;
  /** Length: stored clouds whose divergence was computed. */
  evaluated: Uint32Array;
  /** Length x n x dim: the points of the cloud. */
  points: Float32Array;
  /** Length x n: its weights. */
  weights: Float32Array;
}

/** The answer to Q queries of {@link MeasureMemory.retrieve}. */
export interface MeasureRetrieval {
  /** The recalled clouds; each has as many points as its query, in the same order, unless it snapped to a stored one. */
  clouds: Required<Clouds>;
  /**
   * Q: the stored cloud with the smallest divergence of those evaluated. With a strong `logPrior` a nearer one may have
   * been skipped, as its Gibbs weight was negligible.
   */
  index: Uint32Array;
  /** Q: the divergence to it. */
  divergence: Float64Array;
  /** Q: the energy at the recalled cloud. */
  energy: Float64Array;
  /** Q x count: Gibbs weights, softmax over k of log p_k - beta S_k; 0 for clouds that were skipped. */
  weights: Float64Array;
  /** Q: steps taken. */
  steps: Uint32Array;
  /**
   * Q: 1 where every transport problem converged and the flow reached its tolerance, or what was left to gain was below
   * the certified error of the energy.
   */
  converged: Uint8Array;
  /** Q, where asked for. */
  trace?: FlowTrace[];
  /** Of all queries: divergences computed and skipped, and iterations of all transport problems. */
  work: { pairsEvaluated: number; pairsPruned: number; iterations: number };
}

/** Arrays for native threads to write divergences to. */
export function newDivergence(op: string, rows: number, columns: number): Divergence {
  const count = rows * columns;
  return {
    values: allocateDoubles(op, count),
    errorBound: allocateDoubles(op, count),
    iterations: allocateWords(op, count),
    residual: allocateFloats(op, count),
    converged: allocateBytes(op, count),
    rows,
    columns,
  };
}

/** From the native side's arrays. */
export function retrievalOf(native: NativeRetrieval, isTraced: boolean): MeasureRetrieval {
  const [points, weights, offsets, index, divergence, energy, gibbs, steps, converged, traces, work] = native;
  const [pairsEvaluated, pairsPruned, iterations] = work;
  return {
    clouds: { points, weights, offsets },
    index,
    divergence,
    energy,
    weights: gibbs,
    steps,
    converged,
    ...(isTraced && { trace: traces.map(flowTraceOf) }),
    work: { pairsEvaluated, pairsPruned, iterations },
  };
}

function flowTraceOf(native: NativeTrace): FlowTrace {
  const [energy, gradient, stepPoints, stepWeights, nearest, evaluated, points, weights] = native;
  return { energy, gradient, stepPoints, stepWeights, nearest, evaluated, points, weights };
}

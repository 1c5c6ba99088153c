/**
 * Every operation of the dense memory in Float64, one number at a time: what the fast code is tested
 * against. Written from the definitions (docs of the public API; Ramsauer et al. 2020, "Hopfield
 * Networks is All You Need", eq. 1 to 3), not from the fast code.
 */

/** How a query is compared with a stored item. */
export type Similarity = 'euclidean' | 'cosine' | 'dot';

/** A dense memory as plain data. */
export interface Stored {
  /** count x dim, row-major. */
  readonly keys: ArrayLike<number>;
  readonly dim: number;
  /** count x valueDim; absent in an auto-associative memory. */
  readonly values?: ArrayLike<number> | undefined;
  readonly valueDim?: number | undefined;
  /** Items that take part in nothing. */
  readonly removed?: ReadonlySet<number> | undefined;
}

/** Parameters of a softmax retrieval. */
export interface SoftmaxOptions {
  readonly similarity: Similarity;
  readonly beta: number;
  /** Most updates, default 1. */
  readonly steps?: number | undefined;
  /** A query stops when the max-norm of its change is at most this, default 0. */
  readonly tolerance?: number | undefined;
}

/** What one query's retrieval gives. */
export interface Recalled {
  readonly state: Float64Array;
  readonly readout: Float64Array;
  readonly energy: number;
  readonly steps: number;
  readonly converged: boolean;
}

/** Items with a number each, best first. */
export interface Ranking {
  readonly indices: number[];
  readonly scores: number[];
}

export const countOf = (stored: Stored): number => stored.keys.length / stored.dim;

/** The numbers of the items that were not removed, ascending. */
export function liveItems(stored: Stored): number[] {
  return Array.from({ length: countOf(stored) }, (_, j) => j).filter((j) => !stored.removed?.has(j));
}

/** Row `index` of a matrix `dim` wide, as Float64. */
export function row(matrix: ArrayLike<number>, dim: number, index: number): Float64Array {
  return Float64Array.from({ length: dim }, (_, d) => matrix[index * dim + d]!);
}

/** The inner product. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < a.length; ++d) sum += a[d]! * b[d]!;
  return sum;
}

export const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a));

/** max_j |x_j| over the live items. */
export function largestNorm({ keys, dim, removed }: Stored): number {
  let largest = 0;
  for (let j = 0; j < keys.length / dim; ++j) {
    if (removed?.has(j)) continue;
    let square = 0;
    for (let e = j * dim; e < (j + 1) * dim; ++e) square += keys[e]! * keys[e]!;
    largest = Math.max(largest, square);
  }
  return Math.sqrt(largest);
}

/**
 * s(q, x): the inner product; its cosine, 0 where a vector is zero; or minus half the squared distance.
 * `x` is row `index` of `keys`.
 */
export function similarity(
  kind: Similarity,
  q: ArrayLike<number>,
  keys: ArrayLike<number>,
  index: number,
): number {
  const dim = q.length;
  const start = index * dim;
  let product = 0;
  let squareNorm = 0;
  let squareDistance = 0;
  for (let d = 0; d < dim; ++d) {
    const x = keys[start + d]!;
    const difference = q[d]! - x;
    product += q[d]! * x;
    squareNorm += x * x;
    squareDistance += difference * difference;
  }
  if (kind === 'dot') return product;
  // Subtracted, so that distance 0 scores 0 and not -0.
  if (kind === 'euclidean') return 0 - 0.5 * squareDistance;
  return squareNorm > 0 && norm(q) > 0 ? product / Math.sqrt(squareNorm) / norm(q) : 0;
}

/** s(q, x_j) of every item; -Infinity for removed ones. */
export function scores(stored: Stored, kind: Similarity, q: ArrayLike<number>): Float64Array {
  const result = new Float64Array(countOf(stored)).fill(-Infinity);
  for (const j of liveItems(stored)) result[j] = similarity(kind, q, stored.keys, j);
  return result;
}

/** log sum_j exp(x_j), safe for any finite x. */
export function logSumExp(x: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let j = 0; j < x.length; ++j) largest = Math.max(largest, x[j]!);
  let sum = 0;
  for (let j = 0; j < x.length; ++j) sum += Math.exp(x[j]! - largest);
  return largest + Math.log(sum);
}

/** p_j = softmax_j(beta s(q, x_j)); 0 for removed items. */
export function weights(stored: Stored, kind: Similarity, beta: number, q: ArrayLike<number>): Float64Array {
  const scaled = scores(stored, kind, q).map((s) => beta * s);
  const partition = logSumExp(scaled);
  return scaled.map((s) => Math.exp(s - partition));
}

/** sum_j p_j v_j over the rows of `matrix`, `width` wide. */
export function readout(p: Float64Array, matrix: ArrayLike<number>, width: number): Float64Array {
  const result = new Float64Array(width);
  p.forEach((weight, j) => {
    if (weight === 0) return;
    for (let c = 0; c < width; ++c) result[c]! += weight * matrix[j * width + c]!;
  });
  return result;
}

/**
 * Energy of a softmax memory of M live items at q:
 * dot        -(1/beta) lse(beta <q, x>) + |q|^2 / 2 + (1/beta) log M + max_j |x_j|^2 / 2
 * cosine     the same of unit patterns and a unit query, so both squares are 1
 * euclidean  -(1/beta) lse(-beta |q - x|^2 / 2)
 */
export function energy(stored: Stored, kind: Similarity, beta: number, q: ArrayLike<number>): number {
  const lse = logSumExp(scores(stored, kind, q).map((s) => beta * s));
  if (kind === 'euclidean') return -lse / beta;
  const constants = Math.log(liveItems(stored).length) / beta;
  if (kind === 'cosine') return -lse / beta + constants + 1;
  return -lse / beta + constants + 0.5 * dot(q, q) + 0.5 * largestNorm(stored) ** 2;
}

/**
 * Up to `steps` updates q <- sum_j p_j x_j. With separate values the last of them reads values at the
 * state reached by the others, and that state is the one returned.
 */
export function retrieve(stored: Stored, query: ArrayLike<number>, options: SoftmaxOptions): Recalled {
  const { similarity: kind, beta } = options;
  const hetero = stored.values !== undefined;
  const updates = (options.steps ?? 1) - (hetero ? 1 : 0);
  let state: Float64Array = Float64Array.from(query);
  let taken = 0;
  let converged = false;
  while (taken < updates && !converged) {
    const next = readout(weights(stored, kind, beta, state), stored.keys, stored.dim);
    converged = largestChange(state, next) <= (options.tolerance ?? 0);
    state = next;
    ++taken;
  }
  return {
    state,
    readout: hetero
      ? readout(weights(stored, kind, beta, state), stored.values, stored.valueDim!)
      : state,
    energy: energy(stored, kind, beta, state),
    steps: taken + (hetero ? 1 : 0),
    converged,
  };
}

/** The max-norm of the difference. */
export function largestChange(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let d = 0; d < a.length; ++d) largest = Math.max(largest, Math.abs(a[d]! - b[d]!));
  return largest;
}

/** The k best of `values`, best first, ties by lower index; -Infinity never takes part. */
export function best(values: ArrayLike<number>, k: number): Ranking {
  const indices = Array.from({ length: values.length }, (_, j) => j)
    .filter((j) => values[j]! > -Infinity)
    .sort((a, b) => values[b]! - values[a]! || a - b)
    .slice(0, k);
  return { indices, scores: indices.map((j) => values[j]!) };
}

/** Exact search: the k items most similar to q. */
export function search(stored: Stored, kind: Similarity, q: ArrayLike<number>, k: number): Ranking {
  return best(scores(stored, kind, q), k);
}

/**
 * Calibration over all live items: for each the smallest beta at which it holds `recall` of its own
 * association, then the smallest value that covers 99 % of the items that can reach it.
 */
export function calibrate(stored: Stored, kind: Similarity, recall: number): number {
  const betas = liveItems(stored)
    .map((i) => selfBeta(scores(stored, kind, row(stored.keys, stored.dim, i)), i, recall))
    .filter((beta) => beta < Infinity)
    .sort((a, b) => a - b);
  return betas[Math.ceil(0.99 * betas.length) - 1]!;
}

/** The smallest beta with softmax_i(beta s) >= recall, by bisection; Infinity when i is not the best. */
function selfBeta(s: Float64Array, i: number, recall: number): number {
  const rivals = s.filter((_, j) => j !== i).map((x) => x - s[i]!);
  if (rivals.some((gap) => gap >= 0)) return Infinity;
  const weight = (beta: number): number =>
    1 / (1 + rivals.reduce((sum, gap) => sum + Math.exp(beta * gap), 0));
  let low = 0;
  let high = 1;
  while (weight(high) < recall) high *= 2;
  for (let pass = 0; pass < 60; ++pass) {
    const middle = (low + high) / 2;
    if (weight(middle) < recall) low = middle;
    else high = middle;
  }
  return high;
}

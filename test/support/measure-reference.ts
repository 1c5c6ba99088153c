/**
 * Transport between clouds, and the energy and flow of a memory of measures, in Float64 by plain loops: what the fast
 * code is tested against. Written from the definitions (Feydy et al. 2019, "Interpolating between optimal transport
 * and MMD using Sinkhorn divergences"; Mustafi & Mukherjee 2026), not from the fast code.
 */

/** A cloud as plain numbers; weights sum to 1. */
export interface Cloud {
  readonly points: readonly (readonly number[])[];
  readonly weights: readonly number[];
}

/** The cost costScale |x - y|^2, regularised by epsilon. */
export interface Transport {
  readonly epsilon: number;
  readonly costScale: number;
}

interface Plan {
  readonly f: readonly number[];
  readonly g: readonly number[];
  readonly value: number;
}

/** Iterations stop at this L1 residual of the marginals, or where rounding ends them. */
const RESIDUAL = 1e-13;
const MOST_ITERATIONS = 100_000;

/** Cloud k of a set, in Float64, its weights normalised. */
export function cloudOf(
  { points, weights, offsets }: { points: Float32Array; weights: Float32Array; offsets: Uint32Array },
  k: number,
): Cloud {
  const dim = points.length / weights.length;
  const range = Array.from({ length: offsets[k + 1]! - offsets[k]! }, (_, i) => offsets[k]! + i);
  const total = range.reduce((sum, i) => sum + weights[i]!, 0);
  return {
    points: range.map((i) => [...points.subarray(i * dim, (i + 1) * dim)]),
    weights: range.map((i) => weights[i]! / total),
  };
}

export function cost(x: readonly number[], y: readonly number[], { costScale }: Transport): number {
  return costScale * x.reduce((sum, coordinate, d) => sum + (coordinate - y[d]!) ** 2, 0);
}

export const costs = (x: Cloud, y: Cloud, transport: Transport): number[][] =>
  x.points.map((from) => y.points.map((to) => cost(from, to, transport)));

/** -epsilon log sum_j b_j exp((g_j - c_j) / epsilon), and the softmax itself. */
function softmin(c: readonly number[], b: readonly number[], g: readonly number[], epsilon: number) {
  const exponents = g.map((potential, j) => (b[j]! > 0 ? (potential - c[j]!) / epsilon : -Infinity));
  const most = Math.max(...exponents);
  const masses = exponents.map((exponent, j) => (b[j]! > 0 ? b[j]! * Math.exp(exponent - most) : 0));
  const sum = masses.reduce((total, mass) => total + mass, 0);
  return { value: -epsilon * (most + Math.log(sum)), shares: masses.map((mass) => mass / sum) };
}

const transform = (c: readonly number[][], y: Cloud, g: readonly number[], epsilon: number): number[] =>
  c.map((row) => softmin(row, y.weights, g, epsilon).value);

const mean = (weights: readonly number[], values: readonly number[]): number =>
  weights.reduce((sum, weight, i) => sum + weight * values[i]!, 0);

const residualOf = (b: readonly number[], g: readonly number[], next: readonly number[], epsilon: number): number =>
  mean(b, g.map((potential, j) => Math.abs(Math.expm1((potential - next[j]!) / epsilon))));

function goalOf(c: readonly number[][], epsilon: number): number {
  return RESIDUAL + (2 ** -50 * Math.max(...c.flat())) / epsilon;
}

/** Alternating soft c-transforms; throws where they are too slow to tell the answer. */
export function solve(x: Cloud, y: Cloud, transport: Transport): Plan {
  const { epsilon } = transport;
  const there = costs(x, y, transport);
  const back = costs(y, x, transport);
  const goal = goalOf(there, epsilon);
  let g: readonly number[] = y.weights.map(() => 0);
  for (let k = 0; k < MOST_ITERATIONS; ++k) {
    const f = transform(there, y, g, epsilon);
    const next = transform(back, x, f, epsilon);
    if (residualOf(y.weights, g, next, epsilon) <= goal) return { f, g, value: mean(x.weights, f) + mean(y.weights, g) };
    g = next;
  }
  throw new Error(`the reference has not converged at epsilon ${epsilon}`);
}

/** The problem of a cloud with itself, by averaged updates. */
export function solveSelf(x: Cloud, transport: Transport): Plan {
  const { epsilon } = transport;
  const c = costs(x, x, transport);
  const goal = goalOf(c, epsilon);
  let f: readonly number[] = x.weights.map(() => 0);
  for (let k = 0; k < MOST_ITERATIONS; ++k) {
    const next = transform(c, x, f, epsilon);
    const residual = residualOf(x.weights, f, next, epsilon);
    f = f.map((potential, i) => (potential + next[i]!) / 2);
    if (residual > goal) continue;
    f = transform(c, x, f, epsilon); // for points without mass, which are no part of the fixed point
    return { f, g: f, value: 2 * mean(x.weights, f) };
  }
  throw new Error(`the reference has not converged at epsilon ${epsilon}`);
}

/** OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2. */
export function divergence(x: Cloud, y: Cloud, transport: Transport): number {
  return solve(x, y, transport).value - (solveSelf(x, transport).value + solveSelf(y, transport).value) / 2;
}

/** The energy at a cloud, and what drives its flow. */
export interface Field {
  /** -(1 / beta) log sum_k exp(-beta S_k). */
  readonly energy: number;
  readonly divergences: readonly number[];
  /** Gibbs weights of the stored clouds. */
  readonly gibbs: readonly number[];
  /** First variation of the energy at each point, less its mean. */
  readonly variation: readonly number[];
  /** Its gradient at each point. */
  readonly gradient: readonly (readonly number[])[];
}

const barycentre = (shares: readonly number[], { points }: Cloud, d: number): number =>
  mean(shares, points.map((point) => point[d]!));

/** Energy, Gibbs weights and the fields of the flow. */
export function field(x: Cloud, stored: readonly Cloud[], beta: number, transport: Transport): Field {
  const { epsilon, costScale } = transport;
  const self = solveSelf(x, transport);
  const cross = stored.map((y) => solve(x, y, transport));
  const divergences = cross.map((plan, k) => plan.value - (self.value + solveSelf(stored[k]!, transport).value) / 2);
  const least = Math.min(...divergences);
  const terms = divergences.map((s) => Math.exp(-beta * (s - least)));
  const total = terms.reduce((sum, term) => sum + term, 0);
  const gibbs = terms.map((term) => term / total);
  const raw = x.points.map((_, i) => mean(gibbs, cross.map(({ f }) => f[i]!)) - self.f[i]!);
  const average = mean(x.weights, raw);
  const gradient = x.points.map((point) => {
    const sharesOf = (y: Cloud, g: readonly number[]) =>
      softmin(y.points.map((to) => cost(point, to, transport)), y.weights, g, epsilon).shares;
    const own = sharesOf(x, self.g);
    const others = stored.map((y, k) => sharesOf(y, cross[k]!.g));
    return point.map((_, d) => {
      const target = mean(gibbs, stored.map((y, k) => barycentre(others[k]!, y, d)));
      return 2 * costScale * (barycentre(own, x, d) - target);
    });
  });
  return { energy: least - Math.log(total) / beta, divergences, gibbs, variation: raw.map((v) => v - average), gradient };
}

/** One simultaneous step of the flow. */
export function step(x: Cloud, { gradient, variation }: Field, points: number, weights: number): Cloud {
  const grown = x.weights.map((weight, i) => weight * Math.exp(-weights * variation[i]!));
  const total = grown.reduce((sum, weight) => sum + weight, 0);
  return {
    points: x.points.map((point, i) => point.map((coordinate, d) => coordinate - points * gradient[i]![d]!)),
    weights: grown.map((weight) => weight / total),
  };
}

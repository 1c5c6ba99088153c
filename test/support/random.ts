/** Seeded random numbers: the same data on every machine, so a failure can be repeated. */

/** A source of random numbers. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
}

/** A generator that yields the same sequence for the same seed (mulberry32; normals by Box-Muller). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    below: (bound) => Math.floor(uniform() * bound),
  };
}

/** rows x dim standard normals times `scale`. */
export function gaussian(random: Random, rows: number, dim: number, scale = 1): Float32Array {
  return Float32Array.from({ length: rows * dim }, () => scale * random.normal());
}

/** rows x dim integers in [-limit, limit]: sums of their products are exact in Float32 while small. */
export function integers(random: Random, rows: number, dim: number, limit: number): Float32Array {
  return Float32Array.from({ length: rows * dim }, () => random.below(2 * limit + 1) - limit);
}

/** Copies of rows of `from` (rows x dim) chosen at random, each with normal noise added. */
export function noisyRows(
  random: Random,
  from: Float32Array,
  dim: number,
  rows: number,
  noise: number,
): Float32Array {
  const stored = from.length / dim;
  const result = new Float32Array(rows * dim);
  for (let i = 0; i < rows; ++i) {
    const row = random.below(stored) * dim;
    for (let d = 0; d < dim; ++d) result[i * dim + d] = from[row + d]! + noise * random.normal();
  }
  return result;
}

/** The same numbers in a buffer of their own, starting `offset` elements after its beginning. */
export function misaligned(
  values: Float32Array,
  offset: number,
  Buffer: typeof SharedArrayBuffer | typeof ArrayBuffer = ArrayBuffer,
): Float32Array {
  const bytes = Float32Array.BYTES_PER_ELEMENT;
  const view = new Float32Array(new Buffer((values.length + offset) * bytes), offset * bytes);
  view.set(values);
  return view;
}

// Two Euclidean Hopfield memories, the alternatives to a memory of measures. Both are dense memories with a
// softmax over -(beta/2) |query - item|^2, iterated as often as the flow may step.
import { concatenate, sizeOf, unpack } from './clouds.mjs';
import { DenseMemory, softmax } from './engram.mjs';

/**
 * @typedef {import('./clouds.mjs').Cloud} Cloud
 * @typedef {{ dim: number, beta: number, steps: number }} HopfieldOptions
 */

/**
 * H_vec: a cloud of n points is one vector of n x dim numbers, atom after atom, and the softmax is over
 * -beta |X - Y_k|^2 / 2n: right if the cue's atoms come in the stored order. The weights are values, read out
 * at the end. All clouds must have the same number of points.
 * @param {Cloud[]} stored
 * @param {Cloud[]} cues
 * @param {HopfieldOptions} options
 * @returns {Promise<Cloud[]>}
 */
export async function recallVectors(stored, cues, { dim, beta, steps }) {
  const n = sizeOf(stored[0]);
  if ([...stored, ...cues].some((cloud) => sizeOf(cloud) !== n)) {
    throw new RangeError('clouds of different sizes are not vectors of one space');
  }
  const memory = DenseMemory.from(concatenate(stored.map(({ points }) => points)), {
    dim: n * dim,
    values: concatenate(stored.map(({ weights }) => weights)),
    valueDim: n,
  });
  try {
    const queries = concatenate(cues.map(({ points }) => points));
    const recalled = await memory.retrieve(queries, { separation: softmax({ beta: beta / n }), steps });
    const offsets = Uint32Array.from({ length: cues.length + 1 }, (_, i) => i * n);
    return unpack({ points: recalled.patterns, weights: recalled.values, offsets }, dim);
  } finally {
    memory.dispose();
  }
}

/**
 * H_pt: a memory of all stored points; each point of the cue is recalled by itself and keeps its weight.
 * @param {Cloud[]} stored
 * @param {Cloud[]} cues
 * @param {HopfieldOptions} options
 * @returns {Promise<Cloud[]>}
 */
export async function recallPoints(stored, cues, { dim, beta, steps }) {
  const memory = DenseMemory.from(concatenate(stored.map(({ points }) => points)), { dim });
  try {
    const queries = concatenate(cues.map(({ points }) => points));
    const { patterns } = await memory.retrieve(queries, { separation: softmax({ beta }), steps });
    let at = 0;
    return cues.map(({ points, weights }) => ({ points: patterns.subarray(at, (at += points.length)), weights }));
  } finally {
    memory.dispose();
  }
}

// What is done to a stored cloud to make the cue that has to bring it back.
import { sizeOf } from './clouds.mjs';

/**
 * @typedef {import('./clouds.mjs').Cloud} Cloud
 * @typedef {import('./engram.mjs').Random} Random
 * @typedef {object} Damage
 * @property {number} [jitter] standard deviation of the noise on every coordinate (tau)
 * @property {number} [weightNoise] weights are multiplied by exp(weightNoise * N(0, 1)), then normalised
 * @property {number} [kept] how many of the atoms are kept, chosen at random; all by default
 * @property {boolean} [permuted] whether the atoms are put in random order (default); a measure has none, a vector has
 */

/**
 * A damaged copy of a cloud.
 * @param {Random} random
 * @param {Cloud} cloud
 * @param {number} dim
 * @param {Damage} damage
 * @returns {Cloud}
 */
export function damaged(random, cloud, dim, { jitter = 0, weightNoise = 0, kept, permuted = true }) {
  const order = random.sample(kept ?? sizeOf(cloud), sizeOf(cloud));
  if (!permuted) order.sort();
  const points = new Float32Array(order.length * dim);
  order.forEach((from, to) => points.set(cloud.points.subarray(from * dim, (from + 1) * dim), to * dim));
  return {
    points: points.map((x) => x + jitter * random.normal()),
    weights: normalised(Float32Array.from(order, (i) => cloud.weights[i] * Math.exp(weightNoise * random.normal()))),
  };
}

/** Weights that sum to 1. */
export function normalised(/** @type {Float32Array} */ weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/**
 * `count` cues, damaged copies of the stored clouds in turn.
 * @param {Random} random
 * @param {Cloud[]} stored
 * @param {number} dim
 * @param {number} count
 * @param {Damage} damage
 * @returns {{ cues: Cloud[], truth: number[] }} truth: which stored cloud each cue was made of
 */
export function cuesFrom(random, stored, dim, count, damage) {
  const truth = Array.from({ length: count }, (_, i) => i % stored.length);
  return { cues: truth.map((item) => damaged(random, stored[item], dim, damage)), truth };
}

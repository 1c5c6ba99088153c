// The set-ups of the reference table: Gaussian clouds, how they are damaged, and what a prototype of the method
// in Float64 made of them.
import { anisotropicCloud, isotropicCloud } from './clouds.mjs';
import { cuesFrom } from './damage.mjs';
import { Random } from './engram.mjs';

/**
 * @typedef {import('./damage.mjs').Damage} Damage
 * @typedef {import('./recall.mjs').Problem} Problem
 *
 * @typedef {object} CloudSetup
 * @property {number} count stored clouds (M)
 * @property {number} atoms points of each (n)
 * @property {number} dim
 * @property {number} [spread] anisotropic clouds with centroids of this standard deviation; isotropic if absent
 *
 * @typedef {CloudSetup & { epsilon: number, beta: number, damage: Damage }} Setup
 *
 * @typedef {object} Target what the prototype reached on 20 cues
 * @property {number} success share of cues whose result is nearest to the right stored cloud
 * @property {number} start median divergence of the cue to it
 * @property {number} end and of the result
 * @property {number} [vec] success of H_vec
 * @property {number} [pt] success of H_pt
 * @property {number} [ptEnd] and the median divergence of its result
 *
 * @typedef {{ name: string, what: string, setup: Setup, target: Target }} Case
 */

const A = { count: 10, atoms: 20, dim: 2, spread: 3, epsilon: 0.25, beta: 10 };
const B = { ...A, spread: 0 };
const C = { count: 100, atoms: 10, dim: 10, epsilon: 1, beta: 10 };
const D = { count: 100, atoms: 10, dim: 50, epsilon: 5, beta: 5 };

const weightNoise = 0.5;

/** @type {Case[]} */
export const cases = [
  {
    name: 'A1',
    what: 'separate centroids',
    setup: { ...A, damage: { jitter: 0.3, weightNoise } },
    target: { success: 1, start: 0.046, end: 1.2e-4, vec: 0.85, pt: 0.95, ptEnd: 0.153 },
  },
  {
    name: 'A2',
    what: 'the same, more jitter',
    setup: { ...A, damage: { jitter: 1, weightNoise } },
    target: { success: 0.95, start: 0.656, end: 1e-4, vec: 0.75, pt: 0.85, ptEnd: 0.607 },
  },
  {
    name: 'B1',
    what: 'common centroid, beta too small',
    setup: { ...B, damage: { jitter: 0.3, weightNoise } },
    target: { success: 0.4, start: 0.046, end: 0.051, vec: 0.1, pt: 0.2 },
  },
  {
    name: 'B2',
    what: 'common centroid, larger beta',
    setup: { ...B, beta: 50, damage: { jitter: 0.3, weightNoise } },
    target: { success: 1, start: 0.046, end: 8e-5, vec: 0.1, pt: 0.9, ptEnd: 0.08 },
  },
  {
    name: 'C1',
    what: 'isotropic, ten dimensions',
    setup: { ...C, damage: { jitter: 0.5, weightNoise } },
    target: { success: 1, start: 2.11, end: 0.016, vec: 0.15, pt: 1, ptEnd: 1.3 },
  },
  {
    name: 'C2',
    what: 'more jitter',
    setup: { ...C, damage: { jitter: 1, weightNoise } },
    target: { success: 1, start: 5.39, end: 0.037, vec: 0.15, pt: 0.95, ptEnd: 3.4 },
  },
  {
    name: 'C3',
    what: 'still more jitter',
    setup: { ...C, damage: { jitter: 1.5, weightNoise } },
    target: { success: 0.6, start: 10.1, end: 0.19, vec: 0.15, pt: 0.35, ptEnd: 4.9 },
  },
  {
    name: 'D1',
    what: 'isotropic, fifty dimensions',
    setup: { ...D, damage: { jitter: 1, weightNoise } },
    target: { success: 1, start: 30.1, end: 3e-5, vec: 0.3, pt: 1, ptEnd: 6.4 },
  },
  {
    name: 'E1',
    what: 'A1 with 12 of 20 atoms',
    setup: { ...A, damage: { jitter: 0.3, weightNoise, kept: 12 } },
    target: { success: 0.9, start: 0.122, end: 2.2e-4, pt: 0.9, ptEnd: 0.182 },
  },
  {
    name: 'E2',
    what: 'C1 with 6 of 10 atoms',
    setup: { ...C, damage: { jitter: 0.5, weightNoise, kept: 6 } },
    target: { success: 1, start: 3.87, end: 0.9, pt: 1, ptEnd: 3.2 },
  },
  {
    name: 'P0',
    what: 'C1, atoms in order, right weights',
    setup: { ...C, damage: { jitter: 0.5, permuted: false } },
    target: { success: 1, start: 1.18, end: 0.003, vec: 1, pt: 1, ptEnd: 0.34 },
  },
];

/** The case of that name. */
export function caseNamed(/** @type {string} */ name) {
  const found = cases.find((candidate) => candidate.name === name);
  if (!found) throw new RangeError(`no case ${name}`);
  return found;
}

/**
 * Stored clouds as the set-up says.
 * @param {Random} random
 * @param {CloudSetup} setup
 */
export function storedClouds(random, { count, atoms, dim, spread }) {
  return Array.from({ length: count }, () =>
    spread === undefined ? isotropicCloud(random, atoms, dim) : anisotropicCloud(random, atoms, dim, spread),
  );
}

/**
 * Stored clouds and cues of a set-up; the same for the same seed.
 * @param {Setup} setup
 * @param {{ seed: number, queries: number, steps: number }} trial
 * @returns {Problem}
 */
export function problemOf(setup, { seed, queries, steps }) {
  const { dim, epsilon, beta, damage } = setup;
  const random = new Random(seed);
  const stored = storedClouds(random, setup);
  return { dim, epsilon, beta, steps, stored, ...cuesFrom(random, stored, dim, queries, damage) };
}

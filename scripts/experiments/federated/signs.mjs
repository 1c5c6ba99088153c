// Archetypes, and examples of them: signs that were flipped at random.
import { Random } from '../engram.mjs';

/** `count` archetypes of `dim` random signs. @returns {Int8Array[]} */
export function randomArchetypes(/** @type {Random} */ random, /** @type {number} */ count, /** @type {number} */ dim) {
  return Array.from({ length: count }, () => Int8Array.from({ length: dim }, () => (random.next() & 1 ? 1 : -1)));
}

/** The archetypes that `count` examples are drawn from, at random by `exposure`: shares that sum to 1. */
export function drawLabels(
  /** @type {Random} */ random,
  /** @type {ArrayLike<number>} */ exposure,
  /** @type {number} */ count,
) {
  return Uint32Array.from({ length: count }, () => {
    let left = random.uniform();
    let label = 0;
    while (label < exposure.length - 1 && (left -= exposure[label]) >= 0) ++label;
    return label;
  });
}

/** Shares that are all alike. @returns {number[]} */
export const uniform = (/** @type {number} */ count) => new Array(count).fill(1 / count);

/**
 * Examples: each entry is that of the archetype with probability (1 + quality) / 2, else the other sign.
 * @param {Random} random
 * @param {readonly Int8Array[]} archetypes
 * @param {Uint32Array} labels an archetype for each example
 * @param {number} quality
 */
export function flippedExamples(random, archetypes, labels, quality) {
  const dim = archetypes[0].length;
  const examples = new Int8Array(labels.length * dim);
  const threshold = ((1 - quality) / 2) * 2 ** 32;
  let at = 0;
  for (const label of labels) {
    const archetype = archetypes[label];
    for (let i = 0; i < dim; ++i, ++at) examples[at] = random.next() < threshold ? -archetype[i] : archetype[i];
  }
  return examples;
}

/** Examples by exposure and quality: draws the labels too. */
export function drawExamples(
  /** @type {Random} */ random,
  /** @type {readonly Int8Array[]} */ archetypes,
  /** @type {{ exposure: ArrayLike<number>, count: number, quality: number }} */ { exposure, count, quality },
) {
  return flippedExamples(random, archetypes, drawLabels(random, exposure, count), quality);
}

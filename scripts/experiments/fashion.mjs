// Fashion-MNIST as small pictures, pictures as spots of light, and spots as measures.
import { dataFolder, IMAGE_SIDE, openImages, Random } from './engram.mjs';
import { normalised } from './damage.mjs';

/** Width and height of the pictures: the 28 x 28 images, averaged over 2 x 2 pixels. */
export const SIDE = IMAGE_SIDE / 2;

/** Pixels darker than this (white is 1) are background: they are left out of the measure. */
export const THRESHOLD = 0.05;

/**
 * Light at places of the picture, in pixels: the centre of the pixel in column x and row y lies at (x, y).
 * @typedef {{ places: Float32Array, light: Float32Array }} Spots
 *
 * @typedef {{ pictures: Float32Array, labels: Uint32Array, count: number }} PictureSet
 */

/** One picture of many, as a view. */
export const pictureOf = (/** @type {Float32Array} */ pictures, /** @type {number} */ i) =>
  pictures.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2);

/**
 * `perClass` training images of each class, chosen at random, reduced to SIDE x SIDE.
 * @param {Random} random
 * @param {number} perClass
 * @returns {Promise<PictureSet>}
 */
export async function choosePictures(random, perClass) {
  const source = await openImages(dataFolder(), 'train');
  const images = new Float32Array(source.count * source.dim);
  await source.fill(images);
  const taken = new Map();
  const chosen = random.sample(source.count, source.count).filter((i) => {
    const label = source.labels.rows[i];
    taken.set(label, (taken.get(label) ?? 0) + 1);
    return taken.get(label) <= perClass;
  });
  const pictures = new Float32Array(chosen.length * SIDE ** 2);
  chosen.forEach((image, to) => {
    pictureOf(pictures, to).set(halved(images.subarray(image * source.dim, (image + 1) * source.dim)));
  });
  return { pictures, labels: chosen.map((i) => source.labels.rows[i]), count: chosen.length };
}

/** An image of half the side, each pixel the mean of four. */
export function halved(/** @type {Float32Array} */ image) {
  return Float32Array.from({ length: SIDE ** 2 }, (_, at) => {
    const corner = 2 * Math.floor(at / SIDE) * IMAGE_SIDE + 2 * (at % SIDE);
    return (image[corner] + image[corner + 1] + image[corner + IMAGE_SIDE] + image[corner + IMAGE_SIDE + 1]) / 4;
  });
}

/** The pixels of a picture that are not background. @returns {Spots} */
export function spotsOf(/** @type {Float32Array} */ picture) {
  const lit = Array.from(picture.keys()).filter((at) => picture[at] > THRESHOLD);
  return {
    places: Float32Array.from(lit.flatMap((at) => [at % SIDE, Math.floor(at / SIDE)])),
    light: Float32Array.from(lit, (at) => picture[at]),
  };
}

/**
 * The measure of spots: their light is the weight.
 * @returns {import('./clouds.mjs').Cloud}
 */
export const cloudOf = (/** @type {Spots} */ { places, light }) => ({ points: places, weights: normalised(light) });

/**
 * The measure with its mean moved to the origin: what is left when the place of a thing does not matter.
 * @returns {import('./clouds.mjs').Cloud}
 */
export function centred(/** @type {import('./clouds.mjs').Cloud} */ { points, weights }) {
  const centre = [0, 0];
  points.forEach((x, at) => (centre[at % 2] += x * weights[at >> 1]));
  return { points: points.map((x, at) => x - centre[at % 2]), weights };
}

/** The picture of spots: each gives its light to the four pixels around it, by nearness. */
export function pictureFrom(/** @type {Spots} */ { places, light }) {
  const picture = new Float32Array(SIDE ** 2);
  light.forEach((amount, i) => {
    const [x, y] = [places[2 * i], places[2 * i + 1]];
    const [left, top] = [Math.floor(x), Math.floor(y)];
    for (const [column, row] of [[left, top], [left + 1, top], [left, top + 1], [left + 1, top + 1]]) {
      if (column < 0 || row < 0 || column >= SIDE || row >= SIDE) continue;
      picture[row * SIDE + column] += amount * (1 - Math.abs(x - column)) * (1 - Math.abs(y - row));
    }
  });
  return picture;
}

/**
 * @param {Spots} spots
 * @param {(i: number) => boolean} keep
 * @returns {Spots}
 */
function keepSpots({ places, light }, keep) {
  const kept = Array.from(light.keys()).filter(keep);
  return {
    places: Float32Array.from(kept.flatMap((i) => [places[2 * i], places[2 * i + 1]])),
    light: Float32Array.from(kept, (i) => light[i]),
  };
}

/** The lower half of the spots is gone: those below the median row. @returns {Spots} */
export function occluded(/** @type {Spots} */ spots) {
  const rows = spots.places.filter((_, at) => at % 2 === 1).sort();
  const middle = rows[Math.floor(rows.length / 2)];
  return keepSpots(spots, (i) => spots.places[2 * i + 1] < middle);
}

/** Half of the spots is gone, at random. @returns {Spots} */
export function thinned(/** @type {Spots} */ spots, /** @type {Random} */ random) {
  const kept = new Set(random.sample(Math.ceil(spots.light.length / 2), spots.light.length));
  return keepSpots(spots, (i) => kept.has(i));
}

/**
 * All spots are moved by the same `shift` in a random direction, and each by normal noise; both in pixels.
 * @param {Spots} spots
 * @param {Random} random
 * @param {{ shift: number, noise: number }} amounts
 * @returns {Spots}
 */
export function jittered({ places, light }, random, { shift, noise }) {
  const angle = 2 * Math.PI * random.uniform();
  const move = [shift * Math.cos(angle), shift * Math.sin(angle)];
  return { places: places.map((x, at) => x + move[at % 2] + noise * random.normal()), light };
}

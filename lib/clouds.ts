/** Weighted point clouds as callers have them: measures sum_i a_i delta(x_i), one after the other. */
import { allocateFloats, allocateWords, checkedFloats, checkedWords, checkLength, rowCount } from './arrays.js';
import { synchronous } from './call.js';
import { badArgument } from './errors.js';
import type { NativeClouds } from './native.js';
import { integer, MOST_UINT32, number, optionsObject } from './options.js';

/** One or many weighted point clouds. */
export interface Clouds {
  /** N x dim, row-major: the points of all clouds, one cloud after the other. */
  points: Float32Array;
  /** N, finite and not negative, with a positive sum in each cloud: each cloud is scaled to sum 1. Default uniform. */
  weights?: Float32Array;
  /** Count + 1: cloud k has the points [offsets[k], offsets[k + 1]). Rises strictly from 0 to N. Default one cloud. */
  offsets?: Uint32Array;
}

/**
 * Checks clouds but for the values of points and weights, which the native side looks at. The offsets returned
 * are a copy that nobody else can change any more.
 */
export function checkedClouds(op: string, argument: string, clouds: Clouds, dim: number): NativeClouds {
  if (typeof clouds !== 'object' || clouds === null) {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, clouds, 'clouds: { points, weights?, offsets? }');
  }
  const points = checkedFloats(op, `${argument}.points`, clouds.points);
  const count = rowCount(op, `${argument}.points`, points, dim);
  if (count < 1 || count > MOST_UINT32) {
    const expected = `at least one point of dim ${dim}, and at most ${MOST_UINT32}`;
    throw badArgument('ERR_ENGRAM_SHAPE', op, `${argument}.points`, points, expected);
  }
  const weights = clouds.weights === undefined ? undefined : checkedFloats(op, `${argument}.weights`, clouds.weights);
  if (weights !== undefined) checkLength(op, `${argument}.weights`, weights, count, 'one for each point');
  const offsets =
    clouds.offsets === undefined
      ? Uint32Array.of(0, count)
      : checkedOffsets(op, `${argument}.offsets`, clouds.offsets, count);
  return [points, weights, offsets];
}

function checkedOffsets(op: string, argument: string, given: unknown, points: number): Uint32Array {
  const offsets = checkedWords(op, argument, given).slice();
  if (offsets.length < 2) {
    throw badArgument('ERR_ENGRAM_SHAPE', op, argument, offsets, 'at least two: where the first cloud begins and ends');
  }
  if (offsets[0] !== 0) throw badArgument('ERR_ENGRAM_SHAPE', op, `${argument}[0]`, offsets[0], '0');
  for (let k = 1; k < offsets.length; ++k) {
    if (offsets[k]! > offsets[k - 1]!) continue;
    const expected = `more than ${offsets[k - 1]}, the offset before it, as every cloud has a point`;
    throw badArgument('ERR_ENGRAM_SHAPE', op, `${argument}[${k}]`, offsets[k], expected);
  }
  const last = offsets.length - 1;
  if (offsets[last] !== points) {
    throw badArgument('ERR_ENGRAM_SHAPE', op, `${argument}[${last}]`, offsets[last], `${points}, the number of points`);
  }
  return offsets;
}

/** How images are read as measures. */
export interface ImageOptions {
  /** Pixels in a row. */
  width: number;
  /** Rows. */
  height: number;
  /** Pixels with at most this intensity are left out; 0 or more, default 0. */
  threshold?: number;
}

/** Width of the points of images: column and row. */
export const IMAGE_DIM = 2;

/**
 * Images as measures: the centres of the pixels brighter than `threshold` as points (x = column, y = row, in
 * pixels; the first pixel of an image is at (0, 0)), their intensities as weights.
 * @param images count x height x width intensities, row-major; any number of images.
 * @throws {EngramError} `ERR_ENGRAM_RANGE` for an image without such a pixel, or options that are no sizes;
 * `ERR_ENGRAM_NONFINITE`, `_SHAPE`, `_TYPE`, `_OUT_OF_MEMORY`.
 */
export function cloudsFromImages(images: Float32Array, options: ImageOptions): Required<Clouds> {
  const op = 'cloudsFromImages';
  return synchronous(op, () => imageClouds(op, images, optionsObject(op, options)));
}

/** What {@link cloudsFromImages} does, on behalf of `op`. */
export function imageClouds(op: string, images: Float32Array, options: ImageOptions): Required<Clouds> {
  const width = integer(op, 'width', options.width, 1, MOST_UINT32);
  const height = integer(op, 'height', options.height, 1, MOST_UINT32);
  const { threshold = 0 } = options;
  number(op, 'threshold', threshold, (value) => value >= 0, 'a finite number, 0 or more');
  const pixels = width * height;
  const count = rowCount(op, 'images', checkedFloats(op, 'images', images), pixels);
  if (count === 0) {
    throw badArgument('ERR_ENGRAM_SHAPE', op, 'images', images, `at least one image of ${width} x ${height} pixels`);
  }
  const offsets = brightOffsets(op, images, count, width, pixels, threshold);
  const points = allocateFloats(op, offsets[count]! * IMAGE_DIM);
  const weights = allocateFloats(op, offsets[count]!);
  let next = 0;
  for (let i = 0; i < offsets.length - 1; ++i) {
    for (let pixel = 0; pixel < pixels; ++pixel) {
      const intensity = images[i * pixels + pixel]!;
      if (!(intensity > threshold)) continue;
      points[next * IMAGE_DIM] = pixel % width;
      points[next * IMAGE_DIM + 1] = Math.floor(pixel / width);
      weights[next++] = intensity;
    }
  }
  return { points, weights, offsets };
}

/** How many pixels are brighter than the threshold, image after image. */
function brightOffsets(
  op: string,
  images: Float32Array,
  count: number,
  width: number,
  pixels: number,
  threshold: number,
): Uint32Array {
  const offsets = allocateWords(op, count + 1);
  for (let i = 0; i < count; ++i) {
    let bright = offsets[i]!;
    for (let pixel = 0; pixel < pixels; ++pixel) {
      const intensity = images[i * pixels + pixel]!;
      if (intensity > threshold) ++bright;
      if (Number.isFinite(intensity)) continue;
      const place = `image ${i}, row ${Math.floor(pixel / width)}, column ${pixel % width}`;
      throw badArgument('ERR_ENGRAM_NONFINITE', op, place, intensity, 'a finite intensity');
    }
    if (bright === offsets[i]) {
      const expected = `at least one pixel above the threshold ${threshold}`;
      throw badArgument('ERR_ENGRAM_RANGE', op, `image ${i}`, images.subarray(i * pixels, (i + 1) * pixels), expected);
    }
    if (bright > MOST_UINT32) {
      throw badArgument('ERR_ENGRAM_SHAPE', op, 'images', images, `at most ${MOST_UINT32} pixels above the threshold`);
    }
    offsets[i + 1] = bright;
  }
  return offsets;
}

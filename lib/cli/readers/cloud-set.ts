/** Weighted point clouds as files hold them, and many of them as one. */
import type { Clouds } from '../../index.js';

/** How files are read as clouds. */
export interface CloudOptions {
  /** The last column of point lists holds weights. */
  weights?: boolean;
  /** Does the first line of a csv file name its columns? Found out when absent. */
  header?: boolean;
  /** Rows of npy, csv and flat idx files are images of this size. */
  size?: ImageSize;
  /** Pixels of at most this intensity are left out; default 0. */
  threshold?: number;
  /** Most clouds to read of all files together. */
  first?: number;
}

/** In pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** The clouds of one file or of several. */
export interface CloudSet {
  readonly clouds: Required<Clouds>;
  /** Coordinates of a point. */
  readonly dim: number;
  /** True where the points are pixels: column and row, counted from the top. */
  readonly pixels: boolean;
}

export function cloudCount({ clouds }: CloudSet): number {
  return clouds.offsets.length - 1;
}

export function pointCount({ clouds }: CloudSet): number {
  return clouds.weights.length;
}

/** One set of several, which have the same dim. At least one is needed. */
export function joinSets(sets: readonly CloudSet[]): CloudSet {
  const [first] = sets as readonly [CloudSet];
  if (sets.length === 1) return first;
  const total = sets.reduce((sum, set) => sum + pointCount(set), 0);
  const points = new Float32Array(total * first.dim);
  const weights = new Float32Array(total);
  const offsets = new Uint32Array(1 + sets.reduce((sum, set) => sum + cloudCount(set), 0));
  let [point, cloud] = [0, 0];
  for (const { clouds } of sets) {
    points.set(clouds.points, point * first.dim);
    weights.set(clouds.weights, point);
    for (const end of clouds.offsets.subarray(1)) offsets[++cloud] = point + end;
    point += clouds.weights.length;
  }
  return { clouds: { points, weights, offsets }, dim: first.dim, pixels: sets.every(({ pixels }) => pixels) };
}

/** The first clouds of a set; all, where it has no more. */
export function firstClouds(set: CloudSet, count: number): CloudSet {
  if (count >= cloudCount(set)) return set;
  const offsets = set.clouds.offsets.slice(0, count + 1);
  const end = offsets[count] ?? 0;
  const points = set.clouds.points.slice(0, end * set.dim);
  return { ...set, clouds: { points, weights: set.clouds.weights.slice(0, end), offsets } };
}

/** A cloud of a set: its points and weights. */
export function cloudAt({ clouds, dim }: CloudSet, index: number): Required<Omit<Clouds, 'offsets'>> {
  const [begin = 0, end = 0] = clouds.offsets.subarray(index, index + 2);
  return { points: clouds.points.subarray(begin * dim, end * dim), weights: clouds.weights.subarray(begin, end) };
}

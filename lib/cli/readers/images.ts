/** Images as clouds: the positions of their pixels, weighted by intensity. */
import { badFile } from '../failure.js';
import { type CloudOptions, type CloudSet, type ImageSize } from './cloud-set.js';
import { openIdx } from './idx.js';
import { concatenate, type MatrixSource } from './matrix.js';
import { openMatrix } from './open.js';
import { readPng } from './png.js';

/** Told which share of a file is read, 0 to 1; may throw to end the reading. */
export type Watch = (share: number) => void;

/** One image. */
export async function readPngCloud(path: string, options: CloudOptions): Promise<CloudSet> {
  const { width, height, intensities } = await readPng(path);
  return imageSet(path, intensities, { width, height }, options);
}

/** The images of an idx file, such as those of the MNIST family; bytes become intensities of 0 to 1. */
export async function readIdxImages(path: string, options: CloudOptions, watch: Watch): Promise<CloudSet> {
  const source = await openIdx(path);
  const [, height = 0, width = 0] = source.shape;
  const size = options.size ?? (source.shape.length === 3 ? { width, height } : undefined);
  if (size === undefined) {
    throw badFile(path, `holds ${source.shape.join(' x ')} numbers; say with --width and --height what its images are`);
  }
  return readRows(source, size, options, watch, source.rows);
}

/** Each row of a matrix as an image of `size`. */
export async function readImageRows(
  path: string,
  size: ImageSize,
  options: CloudOptions,
  watch: Watch,
): Promise<CloudSet> {
  const { header } = options;
  return readRows(await openMatrix(path, header === undefined ? {} : { header }), size, options, watch);
}

async function readRows(
  source: MatrixSource,
  size: ImageSize,
  options: CloudOptions,
  watch: Watch,
  rows = Infinity,
): Promise<CloudSet> {
  const { path, dim } = source;
  if (dim !== size.width * size.height) {
    throw badFile(path, `has ${dim} numbers per row; images of ${size.width} x ${size.height} have ${size.width * size.height}`);
  }
  const wanted = Math.min(rows, options.first ?? Infinity);
  const batches: Float32Array[] = [];
  let read = 0;
  for await (const batch of source.batches()) {
    batches.push(batch.subarray(0, Math.min(batch.length, (wanted - read) * dim)));
    read += batch.length / dim;
    watch(read / wanted);
    if (read >= wanted) break;
  }
  return imageSet(path, concatenate(batches), size, options);
}

async function imageSet(
  path: string,
  intensities: Float32Array,
  size: ImageSize,
  { threshold = 0 }: CloudOptions,
): Promise<CloudSet> {
  const { imageClouds, IMAGE_DIM } = await import('../../clouds.js');
  return { clouds: imageClouds(path, intensities, { ...size, threshold }), dim: IMAGE_DIM, pixels: true };
}


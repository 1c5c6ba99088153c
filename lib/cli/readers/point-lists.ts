/** Clouds as lists of points: matrices of a row for each point, and engram's own tensors. */
import { badFile } from '../failure.js';
import type { CloudOptions, CloudSet } from './cloud-set.js';
import { openCsv } from './csv.js';
import { type MatrixSource, readWhole } from './matrix.js';
import { floatsOf, readTensor, type Tensor } from './tensor.js';

/** Numbers with the shape they have in their file. */
interface Shaped {
  readonly shape: readonly number[];
  readonly numbers: Float32Array;
}

/** One cloud: a point to a line. */
export async function readCsvPoints(path: string, options: CloudOptions): Promise<CloudSet> {
  const { header } = options;
  const source: MatrixSource = await openCsv(path, header === undefined ? {} : { header });
  const numbers = await readWhole(source);
  return pointLists(path, { shape: [numbers.length / source.dim, source.dim], numbers }, options);
}

/** One cloud in an array n x dim, or several of the same size in one of count x n x dim. */
export async function readTensorPoints(path: string, options: CloudOptions): Promise<CloudSet> {
  const { shape, numbers } = await readTensor(path, undefined);
  return pointLists(path, { shape, numbers: floatsOf(numbers) }, options);
}

function pointLists(path: string, { shape, numbers }: Shaped, options: CloudOptions): CloudSet {
  if ((shape.length !== 2 && shape.length !== 3) || numbers.length === 0) {
    const needed = 'points are n x dim, clouds of the same size count x n x dim';
    throw badFile(path, `holds an array of shape [${shape.join(', ')}]; ${needed}`);
  }
  const [columns = 0, size = 0, count = 1] = shape.toReversed();
  refuseNonFinite(path, numbers, columns);
  const offsets = Uint32Array.from({ length: count + 1 }, (_, k) => k * size);
  const rows = options.weights === true ? withWeights(path, numbers, columns) : uniform(numbers, columns);
  return { clouds: { points: rows.points, weights: rows.weights, offsets }, dim: rows.dim, pixels: false };
}

interface Rows {
  readonly points: Float32Array;
  readonly weights: Float32Array;
  readonly dim: number;
}

/** All points alike: the library scales the weights of each cloud to sum 1. */
function uniform(points: Float32Array, dim: number): Rows {
  return { points, weights: new Float32Array(points.length / dim).fill(1), dim };
}

/** The last column apart from the others. */
function withWeights(path: string, numbers: Float32Array, columns: number): Rows {
  const dim = columns - 1;
  if (dim === 0) throw badFile(path, 'has one column; with --weights there are coordinates beside the weights');
  const weights = new Float32Array(numbers.length / columns);
  const points = new Float32Array(weights.length * dim);
  for (let row = 0; row < weights.length; ++row) {
    const weight = numbers[row * columns + dim] ?? 0;
    if (weight < 0) throw badFile(path, `row ${row}: the weight ${weight} is negative`);
    weights[row] = weight;
    points.set(numbers.subarray(row * columns, row * columns + dim), row * dim);
  }
  return { points, weights, dim };
}

function refuseNonFinite(path: string, numbers: Float32Array, columns: number): void {
  const at = numbers.findIndex((number) => !Number.isFinite(number));
  if (at < 0) return;
  const [row, column] = [Math.floor(at / columns), at % columns];
  throw badFile(path, `row ${row}, column ${column}: ${numbers[at]} is no finite Float32`);
}

const MOST_UINT32 = 0xffff_ffff;

/**
 * The tensors that a memory of measures is saved as: `points` N x dim, and where there are any `weights` N and
 * `offsets` count + 1.
 */
export async function readStoredClouds(path: string, tensors: ReadonlySet<string>): Promise<CloudSet> {
  const { shape, numbers } = await readTensor(path, 'points');
  const [size = 0, dim = 0] = shape;
  if (shape.length !== 2 || numbers.length === 0) {
    throw badFile(path, `tensor points is of shape [${shape.join(', ')}]; needed is n x dim`);
  }
  const clouds = {
    points: floatsOf(numbers),
    weights: tensors.has('weights') ? await readWeights(path) : new Float32Array(size).fill(1),
    offsets: tensors.has('offsets') ? await readOffsets(path) : Uint32Array.of(0, size),
  };
  const { checkedClouds } = await import('../../clouds.js');
  checkedClouds(path, 'clouds', clouds, dim);
  return { clouds, dim, pixels: false };
}

async function readWeights(path: string): Promise<Float32Array> {
  return floatsOf((await readTensor(path, 'weights')).numbers);
}

async function readOffsets(path: string): Promise<Uint32Array> {
  const { numbers, integer }: Tensor = await readTensor(path, 'offsets');
  const offsets = Array.from(numbers as ArrayLike<number | bigint>, Number);
  const wrong = offsets.find((offset) => offset < 0 || offset > MOST_UINT32);
  if (!integer || wrong !== undefined) {
    throw badFile(path, `tensor offsets holds ${wrong ?? 'fractions'}; needed are whole numbers of 0 to ${MOST_UINT32}`);
  }
  return Uint32Array.from(offsets);
}

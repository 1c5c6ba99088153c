/** Matrices in .npy and safetensors files. The formats are parsed by the native side, which trusts no byte. */
import { badFile, Failure } from '../failure.js';
import { loadBinding } from '../command.js';
import { type Labels, type MatrixSource, rowsPerBatch } from './matrix.js';

type Numbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor as it lies in the file. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly numbers: Numbers;
  readonly integer: boolean;
}

const VIEWS: Readonly<Record<string, (bytes: ArrayBuffer) => Numbers>> = {
  BOOL: (bytes) => new Uint8Array(bytes),
  U8: (bytes) => new Uint8Array(bytes),
  I8: (bytes) => new Int8Array(bytes),
  I16: (bytes) => new Int16Array(bytes),
  U16: (bytes) => new Uint16Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  U32: (bytes) => new Uint32Array(bytes),
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => new Float64Array(bytes),
  I64: (bytes) => new BigInt64Array(bytes),
  U64: (bytes) => new BigUint64Array(bytes),
};

/** The matrix in a .npy or safetensors file; numbers of any type become Float32. */
export async function openTensor(path: string, name: string | undefined, scale = 1): Promise<MatrixSource> {
  const { shape, numbers } = await readTensor(path, name);
  const [rows = 0, ...row] = shape;
  const dim = row.reduce((product, size) => product * size, 1);
  if (shape.length < 2 || rows * dim === 0) {
    throw badFile(path, `holds an array of shape [${shape.join(', ')}]; a matrix of at least one row is needed`);
  }
  return { path, dim, batches: () => tensorBatches(numbers, dim, scale) };
}

/** The classes in a list of whole numbers. */
export async function readTensorLabels(path: string, name: string | undefined): Promise<Labels> {
  const { shape, numbers, integer } = await readTensor(path, name);
  if (shape.length !== 1 || !integer) {
    throw badFile(path, `holds an array of shape [${shape.join(', ')}]; labels are one list of whole numbers`);
  }
  const labels = Array.from(numbers as ArrayLike<number | bigint>, BigInt);
  const classes = [...new Set(labels)].sort((a, b) => (a < b ? -1 : 1));
  const position = new Map(classes.map((label, at) => [label, at]));
  return { classes: classes.map(String), rows: Uint32Array.from(labels, (label) => position.get(label) ?? 0) };
}

/** The array of a .npy file; the tensor of a safetensors file, `patterns`, or the only one, where none is named. */
export async function readTensor(path: string, name: string | undefined): Promise<Tensor> {
  const binding = await loadBinding();
  const [dtype, shape, bytes] = binding.readTensor(path, name ?? '');
  const view = VIEWS[dtype];
  if (view === undefined) {
    throw new Failure(`${path}: holds numbers of type ${dtype}; supported are ${Object.keys(VIEWS).join(', ')}`);
  }
  return { shape, numbers: view(bytes.buffer as ArrayBuffer), integer: !dtype.startsWith('F') };
}

/** Numbers of any type as Float32; the same array where they are already. */
export function floatsOf(numbers: Numbers, scale = 1): Float32Array {
  if (numbers instanceof Float32Array && scale === 1) return numbers;
  return Float32Array.from(numbers as ArrayLike<number | bigint>, (number) => Number(number) * scale);
}

// eslint-disable-next-line @typescript-eslint/require-await -- readers yield batches asynchronously; these are at hand
async function* tensorBatches(numbers: Numbers, dim: number, scale: number): AsyncGenerator<Float32Array> {
  const most = rowsPerBatch(dim) * dim;
  for (let at = 0; at < numbers.length; at += most) {
    yield floatsOf(numbers.subarray(at, at + most), scale);
  }
}

/**
 * The idx format of the MNIST family, plain or packed with gzip: two zero bytes, the element type, the
 * number of dimensions, the dimensions as big-endian 32-bit numbers, the elements as big-endian numbers.
 * http://yann.lecun.com/exdb/mnist (section "The IDX file format")
 */
import { badFile } from '../failure.js';
import { ByteReader } from './bytes.js';
import { type Labels, type MatrixSource, rowsPerBatch } from './matrix.js';

interface ElementType {
  readonly bytes: number;
  readonly integer: boolean;
  readonly read: (view: DataView, at: number) => number;
}

const UNSIGNED_BYTE = 0x08;

const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map([
  [UNSIGNED_BYTE, { bytes: 1, integer: true, read: (view, at) => view.getUint8(at) }],
  [0x09, { bytes: 1, integer: true, read: (view, at) => view.getInt8(at) }],
  [0x0b, { bytes: 2, integer: true, read: (view, at) => view.getInt16(at) }],
  [0x0c, { bytes: 4, integer: true, read: (view, at) => view.getInt32(at) }],
  [0x0d, { bytes: 4, integer: false, read: (view, at) => view.getFloat32(at) }],
  [0x0e, { bytes: 8, integer: false, read: (view, at) => view.getFloat64(at) }],
] satisfies [number, ElementType][]);

interface Header {
  readonly type: number;
  readonly element: ElementType;
  /** rows x dim. */
  readonly shape: readonly number[];
  readonly rows: number;
  readonly dim: number;
}

/** The matrix of an idx file. */
export interface IdxSource extends MatrixSource {
  readonly rows: number;
  /** All dimensions as the file has them: rows, and those of a row. */
  readonly shape: readonly number[];
}

/** The matrix of an idx file: the first dimension counts rows, the others are a row's elements. */
export async function openIdx(path: string, scale?: number): Promise<IdxSource> {
  const header = await withReader(path, (reader) => readHeader(path, reader));
  if (header.shape.length < 2) {
    throw badFile(path, `holds a list of ${header.rows} numbers; patterns need at least two dimensions`);
  }
  const factor = scale ?? (header.type === UNSIGNED_BYTE ? 1 / 255 : 1);
  const { dim, rows, shape } = header;
  return { path, dim, rows, shape, batches: () => idxBatches(path, factor) };
}

/** The classes in an idx file of one dimension, e.g. `train-labels-idx1-ubyte.gz`. */
export async function readIdxLabels(path: string): Promise<Labels> {
  return withReader(path, async (reader) => {
    const { element, shape, rows } = await readHeader(path, reader);
    if (shape.length !== 1 || !element.integer) {
      throw badFile(path, `holds ${shape.join(' x ')} numbers; labels are one list of whole numbers`);
    }
    const view = viewOf(await reader.exactly(rows * element.bytes, 'its labels'));
    await refuseTrailing(path, reader);
    const numbers = Int32Array.from({ length: rows }, (_, row) => element.read(view, row * element.bytes));
    const classes = [...new Set(numbers)].sort((a, b) => a - b);
    const position = new Map(classes.map((number, at) => [number, at]));
    const positions = Uint32Array.from(numbers, (number) => position.get(number) ?? 0);
    return { classes: classes.map(String), rows: positions };
  });
}

async function* idxBatches(path: string, factor: number): AsyncGenerator<Float32Array> {
  const reader = new ByteReader(path);
  try {
    const { element, rows, dim } = await readHeader(path, reader);
    const most = rowsPerBatch(dim);
    for (let row = 0; row < rows; row += most) {
      const length = Math.min(most, rows - row) * dim;
      yield decode(await reader.exactly(length * element.bytes, `row ${row} and those after it`), element, factor);
    }
    await refuseTrailing(path, reader);
  } finally {
    await reader.close();
  }
}

async function withReader<T>(path: string, work: (reader: ByteReader) => Promise<T>): Promise<T> {
  const reader = new ByteReader(path);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

async function readHeader(path: string, reader: ByteReader): Promise<Header> {
  const magic = await reader.exactly(4, 'its header');
  const [zero, alsoZero, type = 0, dimensions = 0] = magic;
  const element = ELEMENT_TYPES.get(type);
  if (zero !== 0 || alsoZero !== 0 || element === undefined || dimensions === 0) {
    throw badFile(path, `is no idx file: it starts with ${magic.toString('hex')}, expected e.g. 00000803`);
  }
  const sizes = viewOf(await reader.exactly(4 * dimensions, 'its header'));
  const shape = Array.from({ length: dimensions }, (_, at) => sizes.getUint32(4 * at));
  const [rows = 0, ...row] = shape;
  const dim = row.reduce((product, size) => product * size, 1);
  if (rows * dim === 0 || dim > 0xffff_ffff) {
    throw badFile(path, `declares ${shape.join(' x ')} numbers; each dimension must be at least 1`);
  }
  return { type, element, shape, rows, dim };
}

async function refuseTrailing(path: string, reader: ByteReader): Promise<void> {
  if ((await reader.upTo(1)).length > 0) throw badFile(path, 'goes on after the last number its header declares');
}

function decode(bytes: Buffer, element: ElementType, factor: number): Float32Array {
  const numbers = new Float32Array(bytes.length / element.bytes);
  const view = viewOf(bytes);
  for (let i = 0; i < numbers.length; ++i) numbers[i] = element.read(view, i * element.bytes) * factor;
  return numbers;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Files of clouds and images, laid out byte by byte from each format's definition. */
import { PNG } from 'pngjs';
import { alignedHeader, bytesOf, npyBytes, safetensorsBytes } from './files.js';

/** A .npy file of Float32 numbers. */
export function floatNpy(shape: readonly number[], numbers: readonly number[]): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  return npyBytes(header, bytesOf(Float32Array.from(numbers)));
}

/** A PNG of colours: red, green, blue and alpha, 0 to 255, for each pixel. */
export function png(width: number, height: number, colours: readonly number[]): Buffer {
  const picture = new PNG({ width, height });
  picture.data.set(colours);
  return PNG.sync.write(picture);
}

/** An idx file of unsigned bytes. */
export function byteIdx(shape: readonly number[], data: Uint8Array | readonly number[]): Buffer {
  const sizes = Buffer.alloc(4 * shape.length);
  shape.forEach((size, at) => sizes.writeUInt32BE(size, 4 * at));
  return Buffer.concat([Buffer.from([0, 0, 8, shape.length]), sizes, Buffer.from(data)]);
}

const DTYPES = new Map<unknown, string>([
  [Float32Array, 'F32'],
  [Float64Array, 'F64'],
  [Uint32Array, 'U32'],
  [BigInt64Array, 'I64'],
]);

export interface TensorOf {
  readonly shape: readonly number[];
  readonly numbers: Float32Array | Float64Array | Uint32Array | BigInt64Array;
}

/** A safetensors file; tensors of wider elements first keep all aligned. */
export function tensorFile(tensors: Readonly<Record<string, TensorOf>>): Buffer {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { shape, numbers }]) => {
    const data_offsets = [end, (end += numbers.byteLength)];
    return [name, { dtype: DTYPES.get(numbers.constructor), shape, data_offsets }];
  });
  const parts = Object.values(tensors).map(({ numbers }) => new Uint8Array(numbers.buffer));
  return safetensorsBytes(alignedHeader(JSON.stringify(Object.fromEntries(entries))), Buffer.concat(parts));
}

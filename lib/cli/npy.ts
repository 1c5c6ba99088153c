/** Results as .npy files for NumPy. */
import { loadBinding } from './command.js';

/** Writes a matrix of `columns` numbers per row, whole or not at all. */
export async function saveNpy(path: string, numbers: Float32Array | Uint32Array, columns: number): Promise<void> {
  const binding = await loadBinding();
  const dtype = numbers instanceof Float32Array ? 'F32' : 'U32';
  const shape = Float64Array.of(numbers.length / columns, columns);
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  binding.writeNpy(path, dtype, shape, bytes);
}

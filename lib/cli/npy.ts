/** Results as .npy files for NumPy. */
import { loadBinding } from './command.js';

type Numbers = Float32Array | Float64Array | Uint32Array | Int8Array;

/** The element type as safetensors spells it. */
function dtypeOf(numbers: Numbers): string {
  if (numbers instanceof Uint32Array) return 'U32';
  return numbers instanceof Int8Array ? 'I8' : `F${8 * numbers.BYTES_PER_ELEMENT}`;
}

/** Writes a matrix of `columns` numbers per row, whole or not at all. */
export async function saveNpy(path: string, numbers: Numbers, columns: number): Promise<void> {
  const binding = await loadBinding();
  const shape = Float64Array.of(numbers.length / columns, columns);
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  binding.writeNpy(path, dtypeOf(numbers), shape, bytes);
}

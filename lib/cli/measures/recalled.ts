/** Recalled clouds as files. */
import { mkdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Clouds, MeasureMemory } from '../../index.js';
import { loadLibrary } from '../command.js';
import { UsageError } from '../failure.js';
import { saveNpy } from '../npy.js';
import { cloudAt, cloudCount, type CloudSet } from '../readers/cloud-set.js';

const SAFETENSORS = '.safetensors';

/** Refuses names that say another format than the two that are written. */
export function checkOutput(path: string): void {
  if (['', SAFETENSORS].includes(extname(path))) return;
  const expected = `expected a name that ends with ${SAFETENSORS}, or a folder`;
  throw new UsageError(`measures retrieve: --output is ${JSON.stringify(path)}; ${expected}`);
}

/** Writes one file that is itself a memory, like the one asked; or a folder with an npy file for each cloud. */
export async function writeRecalled(path: string, clouds: Required<Clouds>, memory: MeasureMemory): Promise<void> {
  if (path.endsWith(SAFETENSORS)) await saveMemory(path, clouds, memory);
  else await saveFolder(path, { clouds, dim: memory.dim, pixels: false });
}

async function saveMemory(path: string, clouds: Required<Clouds>, like: MeasureMemory): Promise<void> {
  const { MeasureMemory } = await loadLibrary();
  const { dim, epsilon, costScale, metadata } = like;
  const { coordinates } = metadata;
  using recalled = MeasureMemory.from(clouds, {
    ...{ dim, epsilon, costScale },
    metadata: coordinates === undefined ? {} : { coordinates },
    device: 'cpu', // it is only saved
  });
  await recalled.save(path);
}

/** Matrices of n x (dim + 1), the weight in the last column; named so that their order is that of the queries. */
async function saveFolder(folder: string, set: CloudSet): Promise<void> {
  await mkdir(folder, { recursive: true });
  const count = cloudCount(set);
  const digits = String(count - 1).length;
  for (let query = 0; query < count; ++query) {
    const name = `recalled-${String(query).padStart(digits, '0')}.npy`;
    await saveNpy(join(folder, name), weightedRows(set, query), set.dim + 1);
  }
}

function weightedRows(set: CloudSet, index: number): Float32Array {
  const { dim } = set;
  const { points, weights } = cloudAt(set, index);
  const rows = new Float32Array(weights.length * (dim + 1));
  weights.forEach((weight, i) => {
    rows.set(points.subarray(i * dim, (i + 1) * dim), i * (dim + 1));
    rows[i * (dim + 1) + dim] = weight;
  });
  return rows;
}

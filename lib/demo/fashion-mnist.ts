/** Fashion-MNIST: 60,000 + 10,000 grey images of clothes, 28 x 28, ten classes (Xiao et al. 2017, MIT licence). */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Failure } from '../cli/failure.js';
import { openIdx, readIdxLabels } from '../cli/readers/idx.js';
import type { Labels } from '../cli/readers/matrix.js';

const DEBIAN_FOLDER = '/usr/share/datasets/fashion-mnist';

/** Width and height of an image. */
export const IMAGE_SIDE = 28;

/** A part of the data: images with numbers in [0, 1], and their classes. */
export interface ImageSet {
  readonly count: number;
  readonly dim: number;
  readonly labels: Labels;
  /** Writes all images, row by row. */
  fill(images: Float32Array): Promise<void>;
}

/** The folder of the data. `given` goes before ENGRAM_FASHION_MNIST, and that before the Debian package's. */
export function dataFolder(given?: string): string {
  const folder = given ?? process.env.ENGRAM_FASHION_MNIST ?? DEBIAN_FOLDER;
  const missing = ['train', 't10k'].flatMap(filesOf).filter((name) => !existsSync(path.join(folder, name)));
  if (missing.length === 0) return folder;
  throw new Failure(
    `${folder} lacks ${missing.join(', ')}; install the Debian package (apt-get install dataset-fashion-mnist), ` +
      'or name a folder with these files by --data or ENGRAM_FASHION_MNIST',
  );
}

/** One of the two parts: `train` or `t10k` (test). */
export async function openImages(folder: string, part: 'train' | 't10k'): Promise<ImageSet> {
  const [imageFile = '', labelFile = ''] = filesOf(part).map((name) => path.join(folder, name));
  const source = await openIdx(imageFile);
  const labels = await readIdxLabels(labelFile);
  if (source.dim !== IMAGE_SIDE ** 2 || labels.rows.length !== source.rows) {
    const found = `${source.rows} images of ${source.dim} pixels and ${labels.rows.length} labels`;
    throw new Failure(`${folder}: holds ${found}; Fashion-MNIST has 784 pixels and a label for each image`);
  }
  return {
    count: source.rows,
    dim: source.dim,
    labels,
    fill: async (images) => {
      let at = 0;
      for await (const batch of source.batches()) {
        images.set(batch, at);
        at += batch.length;
      }
    },
  };
}

function filesOf(part: string): string[] {
  return [`${part}-images-idx3-ubyte.gz`, `${part}-labels-idx1-ubyte.gz`];
}

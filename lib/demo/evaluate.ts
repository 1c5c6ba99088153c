/** How well, and how fast, a memory answers its cues. */
import type { DenseMemory, RetrieveOptions, Separation, Similarity } from '../index.js';
import type { Cues } from './cues.js';

/** A recalled pixel is right when it rounds to the stored one of 256 grey levels. */
export const HALF_A_GREY_LEVEL = 0.5 / 255;

/** How the memory is asked. */
export interface Question extends Pick<RetrieveOptions, 'signal' | 'onProgress'> {
  readonly similarity: Similarity;
  readonly separation: Separation;
}

/** What became of one set of cues under one similarity. Rates are shares of the cues. */
export interface Outcome {
  readonly similarity: Similarity;
  readonly cues: number;
  /** Recalled images that equal the stored one in every pixel, to half a grey level. Stored images only. */
  readonly exact?: number;
  /** Cues whose own image has the largest association of all. Stored images only. */
  readonly source?: number;
  /** Cues whose class has the largest readout. */
  readonly label: number;
  readonly seconds: number;
  /** Multiplications and additions that retrieval takes by its definition. */
  readonly operations: number;
  /** For the first cues: the recalled images, and whether each is right. */
  readonly shown: { readonly images: Float32Array; readonly right: readonly boolean[] };
}

/** Asks a hetero-associative memory (images, classes) for damaged stored images. */
export async function recallStored(
  memory: DenseMemory,
  cues: Cues,
  truth: NonNullable<Cues['truth']>,
  question: Question,
  shown: number,
): Promise<Outcome> {
  const start = performance.now();
  // One update over the images, then the readout of the class at the recalled image.
  const { patterns, values } = await memory.retrieve(cues.images, { ...question, steps: 2, energy: false });
  const seconds = (performance.now() - start) / 1000;
  const { offsets, indices } = await memory.association(cues.images, { ...question, top: 1 });
  const exact = each(cues.count, (row) => isSame(patterns, truth.images, row * memory.dim, memory.dim));
  const source = each(cues.count, (row) => indices[offsets[row]!] === truth.items[row]);
  return {
    similarity: question.similarity,
    cues: cues.count,
    exact: share(exact),
    source: share(source),
    label: share(rightLabels(values, memory.valueDim, cues)),
    seconds,
    operations: operations(memory, cues.count, 1) + operations(memory, cues.count, 0),
    shown: { images: patterns.slice(0, shown * memory.dim), right: exact.slice(0, shown) },
  };
}

/** Asks it for the classes of images that it has never seen. */
export async function classifyUnseen(
  memory: DenseMemory,
  cues: Cues,
  question: Question,
  shown: number,
): Promise<Outcome> {
  const start = performance.now();
  const { values } = await memory.retrieve(cues.images, { ...question, energy: false });
  const seconds = (performance.now() - start) / 1000;
  const right = rightLabels(values, memory.valueDim, cues);
  const first = cues.images.subarray(0, shown * memory.dim);
  const { patterns } = await memory.retrieve(first, { ...question, steps: 2, energy: false });
  return {
    similarity: question.similarity,
    cues: cues.count,
    label: share(right),
    seconds,
    operations: operations(memory, cues.count, 0),
    shown: { images: patterns, right: right.slice(0, shown) },
  };
}

/** Seconds of one query alone, the median of several. */
export async function timeSingleQuery(memory: DenseMemory, cues: Cues, question: Question): Promise<number> {
  const { similarity, separation, signal } = question;
  const options = { similarity, separation, energy: false, ...(signal && { signal }) };
  const times: number[] = [];
  for (let row = 0; row < Math.min(cues.count, 31); ++row) {
    const query = cues.images.subarray(row * memory.dim, (row + 1) * memory.dim);
    const start = performance.now();
    await memory.retrieve(query, options);
    times.push((performance.now() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] ?? 0;
}

/** One pass: the scores of all items for each query, and the readout of the images or of the classes. */
function operations({ count, dim, valueDim }: DenseMemory, queries: number, reads: 0 | 1): number {
  const width = reads === 1 ? dim : valueDim;
  return 2 * queries * count * (dim + width);
}

function rightLabels(values: Float32Array, classes: number, { count, labels }: Cues): boolean[] {
  return each(count, (row) => indexOfLargest(values.subarray(row * classes, (row + 1) * classes)) === labels[row]);
}

function indexOfLargest(numbers: Float32Array): number {
  return numbers.reduce((best, value, at) => (value > numbers[best]! ? at : best), 0);
}

function isSame(recalled: Float32Array, stored: Float32Array, start: number, length: number): boolean {
  for (let at = start; at < start + length; ++at) {
    if (!(Math.abs(recalled[at]! - stored[at]!) <= HALF_A_GREY_LEVEL)) return false;
  }
  return true;
}

function each(count: number, test: (row: number) => boolean): boolean[] {
  return Array.from({ length: count }, (_, row) => test(row));
}

function share(hits: readonly boolean[]): number {
  return hits.filter(Boolean).length / hits.length;
}

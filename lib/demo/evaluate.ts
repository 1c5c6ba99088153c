/** How well, and how fast, a memory answers its cues. */
import type { DenseMemory, RetrieveOptions, Separation, Similarity } from '../index.js';
import type { Cues } from './cues.js';

/** A recalled pixel is right when it rounds to the stored one of 256 grey levels. */
export const HALF_A_GREY_LEVEL = 0.5 / 255;

/** How the memory is asked. */
export interface Question extends Pick<RetrieveOptions, 'signal' | 'onProgress'> {
  readonly similarity: Similarity;
  /** Undefined: the memory at its sharpest, beta without bound, which answers with the nearest item. */
  readonly separation: Separation | undefined;
}

/** What the memory reads out for each cue. */
interface Answer {
  readonly images: Float32Array;
  readonly classes: Float32Array;
  readonly seconds: number;
  /** Multiplications and additions that it takes by its definition. */
  readonly operations: number;
}

/** What became of one set of cues under one similarity. Rates are shares of the cues. */
export interface Outcome {
  readonly similarity: Similarity;
  /** False: answered with the nearest items. */
  readonly soft: boolean;
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
  // One update over the images, then the readout of the class at the recalled image.
  const answer = await ask(memory, cues.images, question, 2);
  // The nearest item has the largest association, whatever beta is.
  const nearest = await memory.search(cues.images, { ...searchOptions(question), k: 1 });
  const exact = each(cues.count, (row) => isSame(answer.images, truth.images, row * memory.dim, memory.dim));
  return {
    ...outcomeOf(memory, cues, question, answer),
    exact: share(exact),
    source: share(each(cues.count, (row) => nearest.indices[row] === truth.items[row])),
    shown: { images: answer.images.slice(0, shown * memory.dim), right: exact.slice(0, shown) },
  };
}

/** Asks it for the classes of images that it has never seen. */
export async function classifyUnseen(
  memory: DenseMemory,
  cues: Cues,
  question: Question,
  shown: number,
): Promise<Outcome> {
  const answer = await ask(memory, cues.images, question, 1);
  const first = await ask(memory, cues.images.subarray(0, shown * memory.dim), question, 2);
  const right = rightLabels(answer.classes, memory.valueDim, cues).slice(0, shown);
  return { ...outcomeOf(memory, cues, question, answer), shown: { images: first.images, right } };
}

async function ask(memory: DenseMemory, cues: Float32Array, question: Question, steps: 1 | 2): Promise<Answer> {
  const { separation } = question;
  const queries = cues.length / memory.dim;
  const start = performance.now();
  if (separation === undefined) {
    const { indices } = await memory.search(cues, { ...searchOptions(question), k: 1 });
    const seconds = (performance.now() - start) / 1000;
    const images = rowsOf(memory.patterns, memory.dim, indices);
    const classes = rowsOf(memory.values, memory.valueDim, indices);
    return { images, classes, seconds, operations: 2 * queries * memory.count * memory.dim };
  }
  const { patterns, values } = await memory.retrieve(cues, { ...question, separation, steps, energy: false });
  const seconds = (performance.now() - start) / 1000;
  return { images: patterns, classes: values, seconds, operations: retrievalOperations(memory, queries, steps) };
}

function searchOptions({ similarity, signal }: Question) {
  return { similarity, ...(signal && { signal }) };
}

function outcomeOf(memory: DenseMemory, cues: Cues, { similarity, separation }: Question, answer: Answer) {
  return {
    similarity,
    soft: separation !== undefined,
    cues: cues.count,
    label: share(rightLabels(answer.classes, memory.valueDim, cues)),
    seconds: answer.seconds,
    operations: answer.operations,
  };
}

function rowsOf(matrix: Float32Array, width: number, items: Uint32Array): Float32Array {
  const rows = new Float32Array(items.length * width);
  items.forEach((item, row) => rows.set(matrix.subarray(item * width, (item + 1) * width), row * width));
  return rows;
}

/** Seconds of one query alone, the median of several. */
export async function timeSingleQuery(memory: DenseMemory, cues: Cues, question: Question): Promise<number> {
  const times: number[] = [];
  for (let row = 0; row < Math.min(cues.count, 31); ++row) {
    const query = cues.images.subarray(row * memory.dim, (row + 1) * memory.dim);
    const start = performance.now();
    await ask(memory, query, question, 1);
    times.push((performance.now() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] ?? 0;
}

/** Each pass scores all items for each query; the updates read out images, the last pass reads out classes. */
function retrievalOperations({ count, dim, valueDim }: DenseMemory, queries: number, steps: number): number {
  return 2 * queries * count * ((steps - 1) * (dim + dim) + (dim + valueDim));
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

import { choice } from './options.js';

/**
 * How alike a query q and an item x are: `'euclidean'` = -|q - x|^2 / 2, `'cosine'` = <q, x> / (|q| |x|)
 * (0 with a zero vector), `'dot'` = <q, x>.
 */
export type Similarity = 'euclidean' | 'cosine' | 'dot';

/** In the order of the native enumeration. */
const SIMILARITIES: readonly Similarity[] = ['euclidean', 'cosine', 'dot'];

/** The checked similarity; Euclidean when absent. */
export function checkedSimilarity(op: string, value: Similarity | undefined): Similarity {
  return value === undefined ? 'euclidean' : choice(op, 'similarity', value, SIMILARITIES);
}

/** The number by which the native side knows it. */
export function similarityNumber(similarity: Similarity): number {
  return SIMILARITIES.indexOf(similarity);
}

export function similarityOf(number: number): Similarity {
  return SIMILARITIES[number] as Similarity;
}

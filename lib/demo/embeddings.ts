/** The second set: sentence embeddings of 778 pages of documentation, by the model all-MiniLM-L6-v2. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Context } from '../cli/command.js';
import { Failure } from '../cli/failure.js';
import { DenseMemory, softmax } from '../index.js';
import { packageRoot } from '../package.cjs';
import type { Random } from './random.js';

const PACKAGE = '@sap-ux/fiori-docs-embeddings';

/** A document that is like the one asked about. */
export interface Neighbour {
  readonly title: string;
  /** Cosine with the query document. */
  readonly cosine: number;
  /** Share of the association. */
  readonly weight: number;
}

/** The documents nearest to one document. */
export interface Neighbours {
  readonly title: string;
  readonly documents: number;
  readonly beta: number;
  readonly neighbours: readonly Neighbour[];
  /** Milliseconds of the exact search, and of the association. */
  readonly milliseconds: { readonly search: number; readonly association: number };
}

/** Exact search and soft retrieval for a document chosen at random; undefined where the package is not installed. */
export async function findNeighbours(random: Random, k: number, { signal }: Context): Promise<Neighbours | undefined> {
  const folder = dataFolder();
  if (folder === undefined) return undefined;
  const { vectors, dim, titles } = await readDocuments(folder);
  const document = random.below(titles.length);
  const query = vectors.slice(document * dim, (document + 1) * dim);
  const memory = DenseMemory.from(vectors, { dim, ownership: 'transfer', name: PACKAGE });
  try {
    // A document is nearest to itself: what else is near shows once it is forgotten.
    memory.remove([document]);
    const { beta } = await memory.calibrate({ similarity: 'cosine', signal });
    const question = { similarity: 'cosine', separation: softmax({ beta }), signal } as const;
    const [hits, search] = await timed(() => memory.search(query, { similarity: 'cosine', k, signal }));
    const [{ indices, weights }, association] = await timed(() => memory.association(query, { ...question, top: k }));
    const weightOf = new Map(Array.from(indices, (item, at) => [item, weights[at]!]));
    const neighbours = Array.from(hits.indices, (item, at) => ({
      title: titles[item] ?? '',
      cosine: hits.scores[at]!,
      weight: weightOf.get(item) ?? 0,
    }));
    const milliseconds = { search, association };
    return { title: titles[document] ?? '', documents: titles.length, beta, neighbours, milliseconds };
  } finally {
    memory.dispose();
  }
}

/** The package's folder of data; undefined where it is not installed (it is a development dependency). */
function dataFolder(): string | undefined {
  const folders = createRequire(path.join(packageRoot, 'package.json')).resolve.paths(PACKAGE) ?? [];
  return folders.map((folder) => path.join(folder, PACKAGE, 'data', 'embeddings')).find((folder) => existsSync(folder));
}

interface Documents {
  readonly vectors: Float32Array;
  readonly dim: number;
  readonly titles: readonly string[];
}

/** Float32 vectors in one file, their texts as lines of JSON in another, in the same order. */
async function readDocuments(folder: string): Promise<Documents> {
  const [bytes, facts, records] = await Promise.all([
    readFile(path.join(folder, 'embeddings.bin')),
    readFile(path.join(folder, 'metadata.json'), 'utf8'),
    readFile(path.join(folder, 'records.jsonl'), 'utf8'),
  ]);
  const { dimensions: dim } = JSON.parse(facts) as { dimensions: number };
  const titles = records
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { title: string }).title);
  if (bytes.length !== titles.length * dim * 4) {
    throw new Failure(`${folder}: ${bytes.length} bytes of vectors do not fit ${titles.length} documents x ${dim}`);
  }
  return { vectors: new Float32Array(Uint8Array.from(bytes).buffer), dim, titles };
}

async function timed<T>(work: () => Promise<T>): Promise<[T, milliseconds: number]> {
  const start = performance.now();
  const result = await work();
  return [result, performance.now() - start];
}

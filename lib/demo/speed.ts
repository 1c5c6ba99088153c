/** Speeds beside what this machine could do at best. */
import { loadBinding } from '../cli/command.js';
import { type DenseMemory, devices, type Similarity } from '../index.js';
import type { Outcome } from './evaluate.js';

/** What the machine can do with all threads that engram uses. */
export interface Limits {
  readonly threads: number;
  /** Float32 multiply-adds, two operations each; 1e9/s. */
  readonly fmaGflops: number;
  /** Reading memory; 1e9 bytes/s. */
  readonly readGbps: number;
}

/** How fast one similarity is. */
export interface Speed {
  readonly similarity: Similarity;
  readonly soft: boolean;
  readonly queriesPerSecond: number;
  readonly gflops: number;
  readonly gflopsShare: number;
  readonly singleQuerySeconds: number;
  readonly gbps: number;
  readonly gbpsShare: number;
}

/** Measured now, in about a second. */
export async function measureLimits(): Promise<Limits> {
  const binding = await loadBinding();
  const threads = devices().find(({ id }) => id === 'cpu')?.threads ?? 1;
  const [fmaGflops, readGbps] = binding.machineLimits(threads);
  return { threads, fmaGflops, readGbps };
}

/** Of a batch that was asked, and of one query that read the stored images once. */
export function speedOf(batch: Outcome, singleQuerySeconds: number, memory: DenseMemory, limits: Limits): Speed {
  const gflops = batch.operations / batch.seconds / 1e9;
  const gbps = (memory.count * memory.dim * Float32Array.BYTES_PER_ELEMENT) / singleQuerySeconds / 1e9;
  return {
    similarity: batch.similarity,
    soft: batch.soft,
    queriesPerSecond: batch.cues / batch.seconds,
    gflops,
    gflopsShare: gflops / limits.fmaGflops,
    singleQuerySeconds,
    gbps,
    gbpsShare: gbps / limits.readGbps,
  };
}

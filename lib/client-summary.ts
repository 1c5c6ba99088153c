/** What a client tells of itself before products are asked of it. */
import { badArgument } from './errors.js';
import { integer, number, text } from './options.js';

/** All that leaves a client besides its part of sums; plain data, for any transport. */
export interface ClientSummary {
  /** Its name, 1 to 256 characters, no other client's. */
  client: string;
  /** Length of examples. */
  dim: number;
  /** Number of examples, M_c. */
  sampleCount: number;
  /** Trace of its operator; `dim` of those of `ProductClient`, which for examples of +-1 is that of N J_c = X^T X / M_c. */
  trace: number;
  /** Noise of an entry of an example, in [0, 1], relative to trace / dim; 1 where nothing is told. */
  noiseVariance: number;
  /** Quality of its examples, sqrt(1 - noiseVariance), in [0, 1]; 0 where nothing is known. */
  quality: number;
  /**
   * No entry of the product of N J_c with a unit vector is larger. By Cauchy and Schwarz that is
   * sqrt(largest diagonal entry * trace), sqrt(dim) for examples of +-1.
   */
  bound: number;
  /** Deviation of the symmetric noise that it adds to its part of sums, on their scale; 0: none. */
  noise: number;
}

const MOST_SAMPLES = Number.MAX_SAFE_INTEGER;
const isShare = (value: number): boolean => value >= 0 && value <= 1;

/** The summary, checked: it comes from elsewhere. @throws {EngramError} */
export function checkedSummary(op: string, given: unknown, dim: number): ClientSummary {
  if (typeof given !== 'object' || given === null) {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'summary', given, "a client's summary");
  }
  const { client, ...rest } = given as Partial<ClientSummary>;
  const positive = (value: number): boolean => value > 0;
  const trace = number(op, 'trace', rest.trace, positive, 'a number above 0');
  const summary = {
    client: text(op, 'client', client),
    dim: integer(op, 'dim', rest.dim, dim, dim),
    sampleCount: integer(op, 'sampleCount', rest.sampleCount, 1, MOST_SAMPLES),
    trace,
    noiseVariance: number(op, 'noiseVariance', rest.noiseVariance, isShare, 'a number in [0, 1]'),
    quality: number(op, 'quality', rest.quality, isShare, 'a number in [0, 1]'),
    bound: number(op, 'bound', rest.bound, (value) => value > 0 && value <= 1.001 * trace, 'a number above 0, at most the trace'),
    noise: number(op, 'noise', rest.noise, (value) => value >= 0, 'a number of at least 0'),
  };
  if (summary.client.length > 256) throw badArgument('ERR_ENGRAM_RANGE', op, 'client', client, 'at most 256 characters');
  return summary;
}

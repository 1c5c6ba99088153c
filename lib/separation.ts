import type { Calibration } from './calibration.js';
import { badArgument, EngramError } from './errors.js';
import { number, optionsObject } from './options.js';
import type { Similarity } from './similarity.js';

/** How the similarities of all items become weights. Made by {@link softmax}. */
export interface Separation {
  readonly kind: 'softmax';
  /** Inverse temperature, > 0. */
  readonly beta: number;
}

function checkedBeta(op: string, beta: unknown): number {
  // The native side computes with Float32: what rounds to 0 or infinity there is no temperature.
  const fits = (value: number) => Math.fround(value) > 0 && Number.isFinite(Math.fround(value));
  return number(op, 'beta', beta, fits, 'a finite number above 0 (1.4e-45 to 3.4e38)');
}

/**
 * Weights p_j = exp(beta * s_j) / sum_k exp(beta * s_k). The larger `beta`, the more the best item stands out.
 * @throws {EngramError} `ERR_ENGRAM_RANGE` unless `beta` is finite and above 0.
 */
export function softmax(options: { beta: number }): Separation {
  const op = 'softmax';
  const { beta } = optionsObject(op, options);
  return Object.freeze({ kind: 'softmax', beta: checkedBeta(op, beta) });
}

/** The inverse temperature to use: as asked for, else as the memory was calibrated for this similarity. */
export function effectiveBeta(
  op: string,
  separation: Separation | undefined,
  similarity: Similarity,
  calibration: Calibration | undefined,
): number {
  if (separation !== undefined) {
    if (typeof separation !== 'object' || separation === null || separation.kind !== 'softmax') {
      throw badArgument('ERR_ENGRAM_TYPE', op, 'separation', separation, 'what softmax({ beta }) returns');
    }
    return checkedBeta(op, separation.beta);
  }
  if (calibration?.similarity === similarity) return calibration.beta;
  const found = calibration === undefined ? 'was never calibrated' : `is calibrated for '${calibration.similarity}'`;
  const expected = `a separation such as softmax({ beta }), or a memory calibrated for '${similarity}'`;
  throw new EngramError(
    'ERR_ENGRAM_RANGE',
    op,
    `no separation was given and the memory ${found}; pass separation: softmax({ beta }) or call ` +
      `calibrate({ similarity: '${similarity}' }) first`,
    { detail: { argument: 'separation', value: separation, expected } },
  );
}

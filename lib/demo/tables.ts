/** The demo's results as tables, for the terminal and for the report. */
import type { Calibration, Similarity } from '../index.js';
import { formatCount, formatNumber, formatSeconds, formatShare, shorten } from '../cli/format.js';
import type { Neighbours } from './embeddings.js';
import type { Outcome } from './evaluate.js';
import type { Speed } from './speed.js';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** How sharp the memory is under one similarity; undefined where no beta tells its items apart. */
export interface Sharpness {
  readonly similarity: Similarity;
  readonly calibration: Calibration | undefined;
}

/** Outcomes of one set of cues, one for each similarity. */
export interface ConditionResult {
  readonly title: string;
  readonly outcomes: readonly Outcome[];
}

const NONE = '-';

export function sharpnessTable(sharpness: readonly Sharpness[]): Table {
  return {
    head: ['similarity', 'beta', 'stored images told apart', 'median gap'],
    rows: sharpness.map(({ similarity, calibration }) => {
      if (calibration === undefined) return [similarity, 'none suffices', 'none', NONE];
      const { beta, sample, unreachable, gaps } = calibration;
      const apart = `${formatCount(sample - unreachable)} of ${formatCount(sample)}`;
      return [similarity, formatNumber(beta), apart, formatNumber(gaps.median)];
    }),
  };
}

export function recallTable(conditions: readonly ConditionResult[]): Table {
  return {
    head: ['cues', 'similarity', 'number', 'exact recall', 'right source', 'right class'],
    rows: conditions.flatMap(({ title, outcomes }) =>
      outcomes.map(({ similarity, soft, cues, exact, source, label }) => [
        title,
        nameOf(similarity, soft),
        formatCount(cues),
        exact === undefined ? NONE : formatShare(exact),
        source === undefined ? NONE : formatShare(source),
        formatShare(label),
      ]),
    ),
  };
}

export function speedTable(speeds: readonly Speed[]): Table {
  return {
    head: ['similarity', 'batch: queries/s', 'GFLOP/s', 'of peak', 'one query', 'GB/s', 'of peak'],
    rows: speeds.map((speed) => [
      nameOf(speed.similarity, speed.soft),
      formatCount(Math.round(speed.queriesPerSecond)),
      formatNumber(speed.gflops),
      formatShare(speed.gflopsShare),
      formatSeconds(speed.singleQuerySeconds),
      formatNumber(speed.gbps),
      formatShare(speed.gbpsShare),
    ]),
  };
}

function nameOf(similarity: Similarity, soft: boolean): string {
  return soft ? similarity : `${similarity} (nearest)`;
}

export function neighbourTable({ neighbours }: Neighbours): Table {
  return {
    head: ['document', 'cosine (search)', 'weight (association)'],
    rows: neighbours.map(({ title, cosine, weight }) => [shorten(title, 70), cosine.toFixed(3), formatShare(weight)]),
  };
}

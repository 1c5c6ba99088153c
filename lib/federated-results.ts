/** Results of memories of archetypes. */
import type { EngramErrorCode } from './errors.js';
import type { NativeRecalled, NativeRound } from './native.js';

/** A client whose message was left out of a round, while the round went on. */
export interface RejectedClient {
  /** Its place among the clients of the round, from 0 on. */
  position: number;
  /** Its name, or '' where it is not known. */
  client: string;
  code: EngramErrorCode;
  reason: string;
}

/** What a round found. Eigenvalues are on the scale of N J, whose trace is N for +-1. */
export interface RoundReport {
  /** Number of the round, from 1 on. */
  round: number;
  /** Of the clients' sum with the memory fed back, falling: all beyond the cut and at least two more. */
  eigenvalues: Float64Array;
  /** Where the spectrum of the clients' noise ends. */
  edge: number;
  /** Beyond it an eigenvalue is signal, but for false alarms. */
  cut: number;
  /** Eigenvalues beyond the cut (that replicate, where that was asked for). */
  detected: number;
  /** Predicted overlap of each archetype kept with the true one, in [0, 1]. */
  overlaps: Float64Array;
  /** The trace that merging of messages left out; 0 where they fitted into the budget. */
  discardedTrace: number;
  /** Share of the signal in the new data that was not known before, in [0, 1]. */
  novelty: number;
  /** a_c by position, sum 1; 0 where rejected. */
  clientWeights: Float64Array;
  /** w_c by position, in [0, 1]; 0 where rejected. */
  plasticity: Float64Array;
  /** Candidates of unmixing that are archetypes. */
  accepted: number;
  /** Candidates that are not. */
  rejected: number;
  /** Archetypes that are new. */
  added: number;
  /** Archetypes that are no longer kept. */
  forgotten: number;
  rejectedClients: RejectedClient[];
}

export function roundReport(native: NativeRound): RoundReport {
  const [round, eigenvalues, edge, cut, detected, overlaps, discardedTrace, novelty, clientWeights, plasticity] = native;
  const [, , , , , , , , , , accepted, rejected, added, forgotten, refused] = native;
  return {
    ...{ round, eigenvalues, edge, cut, detected, overlaps, discardedTrace, novelty, clientWeights, plasticity },
    ...{ accepted, rejected, added, forgotten },
    rejectedClients: refused.map(([position, client, code, reason]) => ({ position, client, code, reason })),
  };
}

/** What cues led to, one entry for each. */
export interface ArchetypeRetrieval {
  /** States of +-1 that the dynamics ended in: Q x dim. */
  state: Int8Array;
  /** The archetype with the largest |overlap|; -1 where there are none. */
  index: Int32Array;
  /** <state, archetype> / N, with its sign. */
  overlap: Float64Array;
  /** 1 where the last update changed nothing. */
  converged: Uint8Array;
  /** Updates made. */
  steps: Uint32Array;
}

export function archetypeRetrieval(native: NativeRecalled): ArchetypeRetrieval {
  const [state, index, overlap, converged, steps] = native;
  return { state, index, overlap, converged, steps };
}

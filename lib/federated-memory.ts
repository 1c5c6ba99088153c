import { types } from 'node:util';
import { checkedFloats, rowCount } from './arrays.js';
import { binding } from './binding.js';
import { asynchronous, type Call, type CallOptions, maxThreads, synchronous, type SyncOptions } from './call.js';
import { badArgument } from './errors.js';
import { checkedFederated, checkedRecall, type FederatedOptions, type RecallOptions } from './federated-options.js';
import { archetypeRetrieval, type ArchetypeRetrieval, type RoundReport } from './federated-results.js';
import { FederatedStore, type Message, type MessageSource, type ProductSource, round, roundSync } from './federated-rounds.js';
import * as files from './memory-files.js';
import { checkedMetadata, type OpenOptions } from './memory-options.js';
import type { NativeFederatedMemory, NativeRecalled } from './native.js';
import { optionsObject } from './options.js';

/** Opens a file instead of beginning without archetypes; nobody outside has one. */
class Opened {
  constructor(
    readonly native: NativeFederatedMemory,
    readonly metadata: Record<string, string>,
  ) {}
}

/**
 * The server of a federation: adds up what clients know of shared archetypes, decides from the spectrum how many there are,
 * recovers them as vectors of +-1, keeps them while the world drifts, and recalls them from damaged cues (Ladiana et al.,
 * arXiv 2603.19902; detection for unequal clients, unmixing and acceptance are engram's own, see docs/federated.md).
 *
 * A round takes messages ({@link HebbianOperator}s, or their bytes) or the sum of products of a `ProductAggregation`. The
 * sign of an archetype cannot be known from second moments: it is chosen so that most entries are +1. Results have the same
 * bits for any number of threads, and for any order of clients that have names, as long as messages fit into the budget.
 */
export class FederatedMemory {
  /** Entries of an archetype, N. */
  readonly dim: number;
  /** The caller's own facts about the memory, saved with it. */
  readonly metadata: Readonly<Record<string, string>>;

  readonly #store: FederatedStore;

  /**
   * A memory without archetypes.
   * @throws {EngramError} `ERR_ENGRAM_RANGE`, `_TYPE`, `_NONFINITE`: an option, named.
   */
  constructor(options: FederatedOptions) {
    const op = 'FederatedMemory';
    const { native, metadata } = synchronous(op, () => {
      if (options instanceof Opened) return options;
      const given = optionsObject(op, options);
      return new Opened(new binding.FederatedMemory(...checkedFederated(op, given)), checkedMetadata(op, given));
    });
    this.#store = new FederatedStore(native);
    this.metadata = Object.freeze(metadata);
    [this.dim] = native.counts();
  }

  /**
   * Opens a saved memory, which goes on as if it had never been closed, with the options that it was made with.
   * @throws {EngramError} `ERR_ENGRAM_IO` (with the system's error as `cause`), `ERR_ENGRAM_FORMAT`.
   */
  static open(path: string, options?: Omit<OpenOptions, 'device'>): Promise<FederatedMemory> {
    const native = new binding.FederatedMemory();
    return files.open('FederatedMemory.open', native, path, options, FederatedMemory.#opening(native));
  }

  /** The synchronous twin of {@link open}. */
  static openSync(path: string, options?: Omit<OpenOptions, 'device' | 'signal'>): FederatedMemory {
    const native = new binding.FederatedMemory();
    return files.openSync('FederatedMemory.openSync', native, path, options, FederatedMemory.#opening(native));
  }

  static #opening(native: NativeFederatedMemory): files.Opening<FederatedMemory, [], unknown> {
    return () => (metadata) => new FederatedMemory(new Opened(native, metadata) as unknown as FederatedOptions);
  }

  /** Archetypes known, K. */
  get count(): number {
    return this.#native('FederatedMemory.count').counts()[1];
  }

  /** Rounds that have been finished. */
  get rounds(): number {
    return this.#native('FederatedMemory.rounds').counts()[2];
  }

  /** A copy of the archetypes, K x dim of +-1, those known for longest first. */
  get archetypes(): Int8Array {
    return this.#archetypes('FederatedMemory.archetypes')[0];
  }

  /** Predicted overlap of each archetype with the true one, in [0, 1]. */
  get overlaps(): Float64Array {
    return this.#archetypes('FederatedMemory.overlaps')[1];
  }

  /** The archetypes in bits, for replies to clients: K x ceil(dim / 8) bytes, least significant bit first, 1 is +1. */
  packedArchetypes(): Uint8Array {
    const op = 'FederatedMemory.packedArchetypes';
    return synchronous(op, () => this.#native(op).packedArchetypes());
  }

  /** Bytes that the memory allocated itself. 0 once disposed. */
  get nativeBytes(): number {
    return this.#store.nativeBytes;
  }

  /**
   * One round: what the clients know is added up, with the memory fed back as the controller decides; archetypes are
   * detected, told apart, matched with those known, refined, added, forgotten. Messages are taken from the source one by one.
   * A message that cannot be used is left out alone, see `rejectedClients`; a round that fails or is aborted changes nothing.
   * Rounds of one memory take turns, so a source must not wait for another round of the same memory.
   * @param operators messages, as operators or bytes, in an iterable or async iterable; or a `ProductAggregation`
   * @throws {EngramError} `ERR_ENGRAM_TYPE`: not a source of messages; `_RANGE`: `'maximin'` with more messages than the
   * budget, `replicate` with products, no client; `_SHAPE`: products of another `dim`; `_NOT_CONVERGED`, `_OUT_OF_MEMORY`,
   * `_DISPOSED`. What the source of messages or products throws comes out as it is.
   */
  round(operators: MessageSource | ProductSource, options?: CallOptions): Promise<RoundReport> {
    return round('FederatedMemory.round', this.#store, operators, options);
  }

  /** The synchronous twin of {@link round}, for messages that are there. `ERR_ENGRAM_RANGE` while a round is under way. */
  roundSync(operators: Iterable<Message>, options?: SyncOptions<CallOptions>): RoundReport {
    return roundSync('FederatedMemory.roundSync', this.#store, operators, options);
  }

  /**
   * Recalls archetypes from damaged cues.
   * @param cues any number of rows of `dim` finite numbers; 0 says nothing about an entry
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`, `_NONFINITE`, `_OUT_OF_MEMORY`, `_DISPOSED`.
   */
  retrieve(cues: Float32Array | Int8Array, options?: RecallOptions): Promise<ArchetypeRetrieval> {
    const op = 'FederatedMemory.retrieve';
    return asynchronous(op, options, (call: Call<ArchetypeRetrieval>, given) => {
      const native = this.#native(op);
      const request = checkedRecall(op, this.#checkedCues(op, cues), given);
      const settle = call.settle((...recalled: never[]) => archetypeRetrieval(recalled as unknown as NativeRecalled));
      call.started(native.retrieve(...request, call.maxThreads, call.interactive, settle, call.progress));
    });
  }

  /** The synchronous twin of {@link retrieve}. */
  retrieveSync(cues: Float32Array | Int8Array, options?: SyncOptions<RecallOptions>): ArchetypeRetrieval {
    const op = 'FederatedMemory.retrieveSync';
    return synchronous(op, () => {
      const given = optionsObject(op, options);
      const native = this.#native(op);
      const request = checkedRecall(op, this.#checkedCues(op, cues), given);
      return archetypeRetrieval(native.retrieveSync(...request, maxThreads(op, given)));
    });
  }

  /**
   * Writes the memory as it was after its last round to a safetensors file, atomically.
   * @throws {EngramError} `ERR_ENGRAM_IO` with the system's error (`ENOSPC`, `EACCES`, ...) as `cause`; `_DISPOSED`.
   */
  save(path: string, options?: CallOptions): Promise<void> {
    return files.save('FederatedMemory.save', this.#store, path, this.metadata, options);
  }

  /** The synchronous twin of {@link save}. */
  saveSync(path: string): void {
    files.saveSync('FederatedMemory.saveSync', this.#store, path, this.metadata);
  }

  /**
   * Gives the memory back now rather than at some garbage collection. Calls already running end normally, later ones
   * fail with `ERR_ENGRAM_DISPOSED`. Doing it again does nothing.
   */
  dispose(): void {
    this.#store.dispose();
  }

  /** For `using memory = ...`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #native(op: string): NativeFederatedMemory {
    return this.#store.native(op);
  }

  #archetypes(op: string): [signs: Int8Array, overlaps: Float64Array] {
    return synchronous(op, () => this.#native(op).archetypes());
  }

  #checkedCues(op: string, cues: unknown): Float32Array {
    if (types.isInt8Array(cues)) return this.#checkedCues(op, Float32Array.from(cues));
    if (!types.isFloat32Array(cues)) throw badArgument('ERR_ENGRAM_TYPE', op, 'cues', cues, 'a Float32Array or an Int8Array');
    rowCount(op, 'cues', checkedFloats(op, 'cues', cues), this.dim);
    return cues;
  }
}

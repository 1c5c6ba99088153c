import { allocateShared, areShared } from './arrays.js';
import { binding } from './binding.js';
import { type Calibration, calibrationOf } from './calibration.js';
import { type CallOptions, synchronous, type SyncOptions } from './call.js';
import {
  type AllocateOptions,
  type AssociationOptions,
  type CalibrateOptions,
  checkedCount,
  checkedValueDim,
  type DenseOpenOptions,
  type FromOptions,
  type RetrieveOptions,
  type SearchOptions,
  type StoreOptions,
} from './dense-options.js';
import * as requests from './dense-requests.js';
import type { Retrieval, SearchResult, SparseRows } from './dense-results.js';
import { DenseStore } from './dense-store.js';
import { badArgument } from './errors.js';
import * as files from './memory-files.js';
import { checkedDim, checkedMetadata, isAutomatic, type MemoryOptions } from './memory-options.js';
import type { NativeDenseFacts, NativeDenseMemory } from './native.js';
import { optionsObject } from './options.js';
import { checkedPlacement, type Placement, type PlacementOptions } from './placement.js';

/**
 * A dense associative memory: stores vectors, and completes noisy or partial ones.
 *
 * Made by {@link DenseMemory.allocate}, {@link DenseMemory.from} or {@link DenseMemory.open}. Asynchronous
 * methods run on engram's own threads and never block the event loop; every one has a synchronous twin. All
 * failures are {@link EngramError}s: asynchronous methods reject with them, the others throw.
 */
export class DenseMemory {
  /** Width of the patterns. */
  readonly dim: number;
  /** Width of the readout; `dim` when the memory is auto-associative. */
  readonly valueDim: number;
  /** The caller's own facts about the memory, saved with it. */
  readonly metadata: Readonly<Record<string, string>>;

  readonly #store: DenseStore;

  private constructor(store: DenseStore, metadata: Record<string, string>) {
    if (!(store instanceof DenseStore)) {
      const expected = 'DenseMemory.allocate, DenseMemory.from or DenseMemory.open to make it';
      throw badArgument('ERR_ENGRAM_TYPE', 'DenseMemory', 'the constructor\'s argument', store, expected);
    }
    this.#store = store;
    this.dim = store.dim;
    this.valueDim = store.valueDim;
    this.metadata = Object.freeze(metadata);
  }

  /**
   * A memory of `count` zero vectors in shared memory, to be filled in place through {@link patterns} (and
   * {@link values}) before the first call. It is computed on the CPU.
   * @throws {EngramError} `ERR_ENGRAM_RANGE`, `ERR_ENGRAM_TYPE`, `ERR_ENGRAM_OUT_OF_MEMORY`, `ERR_ENGRAM_DEVICE`.
   */
  static allocate(count: number, dim: number, options?: AllocateOptions): DenseMemory {
    const op = 'DenseMemory.allocate';
    return synchronous(op, () => {
      const given = optionsObject(op, options);
      checkedCount(op, count);
      checkedDim(op, 'dim', dim);
      const valueDim = given.valueDim === undefined ? undefined : checkedDim(op, 'valueDim', given.valueDim);
      const memory = DenseMemory.#empty(op, dim, valueDim, given, checkedPlacement(op, given, true));
      const patterns = allocateShared(op, count * dim);
      const values = valueDim === undefined ? undefined : allocateShared(op, count * valueDim);
      memory.#store.take(op, { adopt: true, patterns, values }, count);
      memory.#store.views = { patterns, values };
      return memory;
    });
  }

  /**
   * A memory of the rows of `patterns` (count x dim), which may be none.
   * Copied rows are checked for NaN and infinity at once, shared and transferred ones when they are read. Rows that are
   * shared, as `ownership` asks or by default, are computed on the CPU; with `device: 'cuda:<n>'` they are copied by
   * default. A GPU gets its own copy with the first call that needs it. What it refuses to take is still the caller's,
   * also with 'transfer'.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`, `_NONFINITE`, `_OUT_OF_MEMORY`, `_DEVICE`.
   */
  static from(patterns: Float32Array, options: FromOptions): DenseMemory {
    const op = 'DenseMemory.from';
    return synchronous(op, () => {
      const given = optionsObject(op, options);
      const dim = checkedDim(op, 'dim', given.dim);
      const valueDim = checkedValueDim(op, given, patterns);
      const { ownership = 'auto', values } = given;
      const stayShared = ownership === 'auto' && isAutomatic(given.device) && areShared(patterns, values);
      const placement = checkedPlacement(op, given, ownership === 'share' || stayShared);
      const memory = DenseMemory.#empty(op, dim, valueDim, given, placement);
      memory.#store.append(op, patterns, given, true);
      return memory;
    });
  }

  /**
   * Opens a saved memory, any safetensors file with a Float32 tensor `patterns` (or exactly one Float32 matrix), or
   * a two-dimensional Float32 `.npy`. The file is mapped, not read: it may be larger than memory. Files
   * must not be changed in place while mapped (saving over one is safe).
   * @throws {EngramError} `ERR_ENGRAM_IO` (with the system's error as `cause`), `ERR_ENGRAM_FORMAT`.
   */
  static open(path: string, options?: DenseOpenOptions): Promise<DenseMemory> {
    const native = new binding.DenseMemory();
    return files.open('DenseMemory.open', native, path, options, DenseMemory.#opening(native));
  }

  /** The synchronous twin of {@link open}. */
  static openSync(path: string, options?: Omit<DenseOpenOptions, 'signal'>): DenseMemory {
    const native = new binding.DenseMemory();
    return files.openSync('DenseMemory.openSync', native, path, options, DenseMemory.#opening(native));
  }

  static #opening(native: NativeDenseMemory): files.Opening<DenseMemory, NativeDenseFacts, PlacementOptions> {
    return (op, options) => {
      const placement = checkedPlacement(op, options);
      return (metadata, [dim, valueDim, count, live], facts) => {
        const calibration = facts && calibrationOf(facts);
        const store = new DenseStore({ native, dim, valueDim: valueDim || undefined, count, live, calibration });
        return new DenseMemory(store.place(op, placement), metadata);
      };
    };
  }

  static #empty(
    op: string,
    dim: number,
    valueDim: number | undefined,
    options: MemoryOptions,
    placement: Placement,
  ): DenseMemory {
    const metadata = checkedMetadata(op, options);
    const native = new binding.DenseMemory(dim, valueDim ?? 0);
    const store = new DenseStore({ native, dim, valueDim });
    return new DenseMemory(store.place(op, placement), metadata);
  }

  /**
   * Where it is computed: `'cpu'` or `'cuda:<n>'`. Of a memory made with `'auto'` it is settled when the first rows are
   * stored: where the GPU refuses them it is the CPU.
   */
  get device(): string {
    return this.#store.device;
  }

  /** Items stored so far, removed ones included: item numbers are below it. */
  get count(): number {
    this.#store.native('DenseMemory.count');
    return this.#store.count;
  }

  /** Items that can be retrieved: `count` less the removed ones. */
  get liveCount(): number {
    this.#store.native('DenseMemory.liveCount');
    return this.#store.live;
  }

  /** Bytes that the memory allocated itself; shared, transferred and mapped rows are not counted. 0 once disposed. */
  get nativeBytes(): number {
    return this.#store.nativeBytes;
  }

  /** Bytes that the memory holds on its GPU; 0 on the CPU and once disposed. */
  get deviceBytes(): number {
    return this.#store.deviceBytes;
  }

  /** The last calibration, made by {@link calibrate} or read from the file. */
  get calibration(): Calibration | undefined {
    return this.#store.calibration;
  }

  /**
   * The patterns that were allocated or shared, count x dim as they were then (items stored later are not in it).
   * A change is seen by the calls that follow; not to be written while calls run.
   * @throws {EngramError} `ERR_ENGRAM_TYPE` when the memory was copied, transferred or mapped.
   */
  get patterns(): Float32Array {
    return this.#store.view('DenseMemory.patterns', 'patterns');
  }

  /** The values that were allocated or shared, like {@link patterns}; those of an auto-associative memory are the patterns. */
  get values(): Float32Array {
    return this.#store.view('DenseMemory.values', 'values');
  }

  /**
   * Appends the rows of `patterns`. Calls already running see the memory as it was. A memory on a GPU, also one that
   * `'auto'` put there, copies shared rows, and refuses `ownership: 'share'` with `ERR_ENGRAM_RANGE`.
   * @returns the number of the first new item, and how many there are.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`, `_NONFINITE`, `_OUT_OF_MEMORY`, `_DEVICE`, `_DISPOSED`;
   * nothing is stored then.
   */
  store(patterns: Float32Array, options?: StoreOptions): { first: number; count: number } {
    const op = 'DenseMemory.store';
    return synchronous(op, () => {
      this.#store.native(op);
      return this.#store.append(op, patterns, optionsObject(op, options));
    });
  }

  /**
   * Removes items: they are never retrieved again. All others keep their number.
   * @returns how many of them had not been removed before.
   * @throws {EngramError} `ERR_ENGRAM_RANGE` for a number that is no item's; nothing is removed then.
   */
  remove(indices: ArrayLike<number>): number {
    const op = 'DenseMemory.remove';
    return synchronous(op, () => this.#store.remove(op, indices));
  }

  /**
   * Completes each row of `queries` (Q x dim): up to `steps` updates q <- sum_j p_j x_j, where p are the weights
   * that `separation` makes of the similarities. A hetero-associative memory updates over its patterns
   * and reads its values at the end.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`, `_NONFINITE`, `_OUT_OF_MEMORY`, `_DISPOSED`.
   */
  retrieve(queries: Float32Array, options?: RetrieveOptions): Promise<Retrieval> {
    return requests.retrieve('DenseMemory.retrieve', this.#store, queries, options);
  }

  /** The synchronous twin of {@link retrieve}. */
  retrieveSync(queries: Float32Array, options?: SyncOptions<RetrieveOptions>): Retrieval {
    return requests.retrieveSync('DenseMemory.retrieveSync', this.#store, queries, options);
  }

  /**
   * The exact `k` most similar items of each row of `queries` (Q x dim).
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`, `_NONFINITE`, `_OUT_OF_MEMORY`, `_DISPOSED`.
   */
  search(queries: Float32Array, options: SearchOptions): Promise<SearchResult> {
    return requests.search('DenseMemory.search', this.#store, queries, options);
  }

  /** The synchronous twin of {@link search}. */
  searchSync(queries: Float32Array, options: SyncOptions<SearchOptions>): SearchResult {
    return requests.searchSync('DenseMemory.searchSync', this.#store, queries, options);
  }

  /**
   * The energy of each row of `queries` (Q x dim), as it is. With `out`, Q numbers, it goes there.
   * With dot similarity: -(1/beta) log sum_j exp(beta <q, x_j>) + |q|^2 / 2 + (1/beta) log M + max_j |x_j|^2 / 2
   * (Ramsauer et al. 2020); with the Euclidean one: -(1/beta) log sum_j exp(-beta/2 |q - x_j|^2).
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`, `_NONFINITE`, `_OUT_OF_MEMORY`, `_DISPOSED`.
   */
  energy(queries: Float32Array, options?: RetrieveOptions): Promise<Float32Array> {
    return requests.energy('DenseMemory.energy', this.#store, queries, options);
  }

  /** The synchronous twin of {@link energy}. */
  energySync(queries: Float32Array, options?: SyncOptions<RetrieveOptions>): Float32Array {
    return requests.energySync('DenseMemory.energySync', this.#store, queries, options);
  }

  /**
   * The weights over stored items at each row of `queries` (Q x dim), after `steps` - 1 updates; rows are sorted by
   * falling weight.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`, `_NONFINITE`, `_OUT_OF_MEMORY`, `_DISPOSED`.
   */
  association(queries: Float32Array, options?: AssociationOptions): Promise<SparseRows> {
    return requests.association('DenseMemory.association', this.#store, queries, options);
  }

  /** The synchronous twin of {@link association}. */
  associationSync(queries: Float32Array, options?: SyncOptions<AssociationOptions>): SparseRows {
    return requests.associationSync('DenseMemory.associationSync', this.#store, queries, options);
  }

  /**
   * Finds the smallest beta at which a stored item holds at least `recall` of its own association, for 99 % of a
   * sample, and keeps it with the memory: later calls use it, {@link save} saves it.
   * @throws {EngramError} `ERR_ENGRAM_RANGE` when no item of the sample can reach `recall`;
   * `ERR_ENGRAM_SHAPE`, `_TYPE`, `_NONFINITE`, `_DISPOSED`.
   */
  calibrate(options?: CalibrateOptions): Promise<Calibration> {
    return requests.calibrate('DenseMemory.calibrate', this.#store, options);
  }

  /** The synchronous twin of {@link calibrate}. */
  calibrateSync(options?: SyncOptions<CalibrateOptions>): Calibration {
    return requests.calibrateSync('DenseMemory.calibrateSync', this.#store, options);
  }

  /**
   * Writes the memory to a safetensors file, atomically: after a crash there is the old file or the new one.
   * @throws {EngramError} `ERR_ENGRAM_IO` with the system's error (`ENOSPC`, `EACCES`, ...) as `cause`.
   */
  save(path: string, options?: CallOptions): Promise<void> {
    return files.save('DenseMemory.save', this.#store, path, this.metadata, options);
  }

  /** The synchronous twin of {@link save}. */
  saveSync(path: string): void {
    files.saveSync('DenseMemory.saveSync', this.#store, path, this.metadata);
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
}

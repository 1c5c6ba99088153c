import { allocateFloats } from './arrays.js';
import { binding } from './binding.js';
import { type CallOptions, synchronous, type SyncOptions } from './call.js';
import { type Clouds, IMAGE_DIM, imageClouds } from './clouds.js';
import { badArgument } from './errors.js';
import type {
  FlowOptions,
  MeasureEnergyOptions,
  MeasureFromOptions,
  MeasureImagesOptions,
  SinkhornOptions,
} from './measure-options.js';
import * as requests from './measure-requests.js';
import type { Divergence, MeasureRetrieval } from './measure-results.js';
import { MeasureStore } from './measure-store.js';
import * as files from './memory-files.js';
import { checkedMetadata, chosenDevice, type MemoryOptions, type OpenOptions } from './memory-options.js';
import type { NativeMeasureMemory } from './native.js';
import { integer, optionsObject } from './options.js';

/**
 * An associative memory of measures: stores weighted point clouds, and moves a perturbed cloud, its points and its
 * weights together, onto the one it resembles (Mustafi & Mukherjee, arXiv 2603.20656).
 *
 * Made by {@link MeasureMemory.from}, {@link MeasureMemory.fromImages} or {@link MeasureMemory.open}, and never
 * changed. Clouds are compared by the debiased Sinkhorn divergence (Feydy et al. 2019) with the cost
 * `costScale` |x - y|^2 and the entropic regularisation `epsilon`. Asynchronous methods run on engram's own
 * threads and never block the event loop; every one has a synchronous twin. All failures are {@link EngramError}s:
 * asynchronous methods reject with them, the others throw.
 */
export class MeasureMemory {
  /** Stored clouds. */
  readonly count: number;
  /** Coordinates of a point. */
  readonly dim: number;
  /** Points of all stored clouds. */
  readonly pointCount: number;
  /** The entropic regularisation, absolute: in units of the cost. */
  readonly epsilon: number;
  /** kappa in the cost kappa |x - y|^2. */
  readonly costScale: number;
  /**
   * `'cpu'`, or the GPU `'cuda:<n>'` that solves its transport problems. {@link divergence}, {@link energy} and the
   * steps of {@link retrieve} then send it their pairs, up to 16,384 x 16,384 points; larger pairs, those that plain
   * iterations do not solve, problems of a cloud with itself, and requests with `precision: 'float64'` are the CPU's.
   */
  readonly device: string;
  /** The caller's own facts about the memory, saved with it. */
  readonly metadata: Readonly<Record<string, string>>;

  readonly #store: MeasureStore;

  private constructor(store: MeasureStore, metadata: Record<string, string>) {
    if (!(store instanceof MeasureStore)) {
      const expected = 'MeasureMemory.from, MeasureMemory.fromImages or MeasureMemory.open to make it';
      throw badArgument('ERR_ENGRAM_TYPE', 'MeasureMemory', 'the constructor\'s argument', store, expected);
    }
    this.#store = store;
    this.count = store.count;
    this.dim = store.dim;
    this.pointCount = store.pointCount;
    this.epsilon = store.epsilon;
    this.costScale = store.costScale;
    this.device = store.device;
    this.metadata = Object.freeze(metadata);
  }

  /**
   * A memory of the clouds. Every point and weight is checked at once. Weights and offsets are copied; points over a
   * SharedArrayBuffer are read where they lie unless `ownership` says otherwise, and must not change any more.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`: lengths that do not fit, offsets that do not rise from 0 to the number of
   * points; `ERR_ENGRAM_NONFINITE`: a coordinate, weight or prior, named; `ERR_ENGRAM_RANGE`: a negative weight, a cloud
   * without mass, a point farther than 9.2e18 from the origin, an epsilon or costScale not above 0, a relative epsilon
   * where all points coincide; `ERR_ENGRAM_TYPE`, `_OUT_OF_MEMORY`, `_DEVICE`.
   */
  static from(clouds: Clouds, options: MeasureFromOptions): MeasureMemory {
    const op = 'MeasureMemory.from';
    return synchronous(op, () => MeasureMemory.#of(op, 'clouds', clouds, optionsObject(op, options)));
  }

  /**
   * A memory of images, see {@link cloudsFromImages}: pixel positions weighted by intensity.
   * @param images count x height x width intensities, row-major.
   * @throws {EngramError} as {@link from} and {@link cloudsFromImages} do.
   */
  static fromImages(images: Float32Array, options: MeasureImagesOptions): MeasureMemory {
    const op = 'MeasureMemory.fromImages';
    return synchronous(op, () => {
      const given = optionsObject(op, options);
      const clouds = imageClouds(op, images, given);
      return MeasureMemory.#of(op, 'images', clouds, { ...given, dim: IMAGE_DIM, ownership: 'transfer' });
    });
  }

  static #of(op: string, argument: string, clouds: Clouds, options: MeasureFromOptions): MeasureMemory {
    const chosen = chosenDevice(op, options.device);
    const metadata = checkedMetadata(op, options);
    return new MeasureMemory(MeasureStore.of(op, argument, clouds, options, chosen), metadata);
  }

  /**
   * Opens a saved memory. Points are read where the file is mapped, and every point and weight is checked. Files must
   * not be changed in place while mapped (saving over one is safe).
   * @throws {EngramError} `ERR_ENGRAM_IO` (with the system's error as `cause`), `ERR_ENGRAM_FORMAT`.
   */
  static open(path: string, options?: OpenOptions): Promise<MeasureMemory> {
    const native = new binding.MeasureMemory();
    return files.open('MeasureMemory.open', native, path, options, MeasureMemory.#opening(native));
  }

  /** The synchronous twin of {@link open}. */
  static openSync(path: string, options?: Omit<OpenOptions, 'signal'>): MeasureMemory {
    const native = new binding.MeasureMemory();
    return files.openSync('MeasureMemory.openSync', native, path, options, MeasureMemory.#opening(native));
  }

  static #opening(native: NativeMeasureMemory): files.Opening<MeasureMemory, [], MemoryOptions> {
    return (op, options) => {
      const chosen = chosenDevice(op, options.device);
      return (metadata) => new MeasureMemory(new MeasureStore(native).place(chosen), metadata);
    };
  }

  /** Bytes that the memory allocated itself; shared, transferred and mapped points are not counted. 0 once disposed. */
  get nativeBytes(): number {
    return this.#store.nativeBytes;
  }

  /** Bytes that the memory holds on its GPU; 0 on the CPU and once disposed. */
  get deviceBytes(): number {
    return this.#store.deviceBytes;
  }

  /**
   * A stored cloud, copied: its points, and its weights as they were normalised, rounded to Float32.
   * @param index 0 to `count` - 1.
   * @throws {EngramError} `ERR_ENGRAM_RANGE`, `_TYPE`, `_OUT_OF_MEMORY`, `_DISPOSED`.
   */
  cloud(index: number): Required<Omit<Clouds, 'offsets'>> {
    const op = 'MeasureMemory.cloud';
    return synchronous(op, () => {
      const native = this.#store.native(op);
      const [points, weights] = native.cloud(integer(op, 'index', index, 0, this.count - 1));
      const rounded = allocateFloats(op, weights.length);
      rounded.set(weights);
      return { points, weights: rounded };
    });
  }

  /**
   * The debiased Sinkhorn divergence of each of the Q query clouds to each stored one, S = OT(a, b) - OT(a, a) / 2 -
   * OT(b, b) / 2 >= 0, Q x count, with certified error bounds. What does not converge within `maxIterations` has
   * `converged` 0 and says so in its bound and residual.
   * @throws {EngramError} `ERR_ENGRAM_RANGE`: bad weights or options, an epsilon so small beside the costs that
   * Float64 cannot hold the answer; `ERR_ENGRAM_NOT_CONVERGED` with `strict`; `ERR_ENGRAM_SHAPE`, `_TYPE`, `_NONFINITE`,
   * `_OUT_OF_MEMORY`, `_DISPOSED`.
   */
  divergence(queries: Clouds, options?: SinkhornOptions): Promise<Divergence> {
    return requests.divergence('MeasureMemory.divergence', this.#store, queries, options);
  }

  /** The synchronous twin of {@link divergence}. */
  divergenceSync(queries: Clouds, options?: SyncOptions<SinkhornOptions>): Divergence {
    return requests.divergenceSync('MeasureMemory.divergenceSync', this.#store, queries, options);
  }

  /**
   * The energy of each of the Q query clouds, E = -(1 / beta) log sum_k p_k exp(-beta S_k), in units of the cost. It
   * may be negative: without `logPrior` there is no 1 / count in it.
   * @throws {EngramError} as {@link divergence} does.
   */
  energy(queries: Clouds, options: MeasureEnergyOptions): Promise<Float64Array> {
    return requests.energy('MeasureMemory.energy', this.#store, queries, options);
  }

  /** The synchronous twin of {@link energy}. */
  energySync(queries: Clouds, options: SyncOptions<MeasureEnergyOptions>): Float64Array {
    return requests.energySync('MeasureMemory.energySync', this.#store, queries, options);
  }

  /**
   * Recalls: moves each of the Q query clouds down the energy by the discretised spherical Hellinger-Kantorovich flow. A
   * step is a barycentric transport step of the points and, at the same time, a multiplicative one of the weights.
   * A point of weight 0 keeps it.
   * @throws {EngramError} as {@link divergence} does.
   */
  retrieve(queries: Clouds, options: FlowOptions): Promise<MeasureRetrieval> {
    return requests.retrieve('MeasureMemory.retrieve', this.#store, queries, options);
  }

  /** The synchronous twin of {@link retrieve}. */
  retrieveSync(queries: Clouds, options: SyncOptions<FlowOptions>): MeasureRetrieval {
    return requests.retrieveSync('MeasureMemory.retrieveSync', this.#store, queries, options);
  }

  /**
   * Writes the memory to a safetensors file, atomically: after a crash there is the old file or the new one. What is
   * opened again is the same to the last bit.
   * @throws {EngramError} `ERR_ENGRAM_IO` with the system's error (`ENOSPC`, `EACCES`, ...) as `cause`; `_DISPOSED`.
   */
  save(path: string, options?: CallOptions): Promise<void> {
    return files.save('MeasureMemory.save', this.#store, path, this.metadata, options);
  }

  /** The synchronous twin of {@link save}. */
  saveSync(path: string): void {
    files.saveSync('MeasureMemory.saveSync', this.#store, path, this.metadata);
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

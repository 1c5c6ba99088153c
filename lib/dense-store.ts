/** The inside of a DenseMemory: its native handle and what JavaScript knows about it. */
import { checkedFloats, checkLength, moved, type Owned, type Ownership, plannedOwnership, rowCount } from './arrays.js';
import { type Calibration, calibrationOf } from './calibration.js';
import { badArgument, EngramError } from './errors.js';
import { isRefusal } from './memory-options.js';
import type { NativeDenseMemory } from './native.js';
import { NativeHandle } from './native-handle.js';
import { insteadOf, type Placement } from './placement.js';

/** Rows of patterns, and of values where the memory has any. */
interface Rows {
  patterns: Float32Array;
  values: Float32Array | undefined;
}

/** What a store begins with. */
export interface StoreParts {
  native: NativeDenseMemory;
  dim: number;
  /** undefined: auto-associative. */
  valueDim: number | undefined;
  count?: number;
  live?: number;
  calibration?: Calibration | undefined;
}

export class DenseStore extends NativeHandle<NativeDenseMemory> {
  readonly dim: number;
  readonly valueDim: number;
  readonly isHetero: boolean;
  /** Items stored so far, removed ones included. */
  count: number;
  /** Items not removed. */
  live: number;
  calibration: Calibration | undefined;
  /** Views of rows that JavaScript may write; undefined where there are none. */
  views: Rows | undefined;
  #placement: Placement = { device: 'cpu', automatic: false, storage: 0, arithmetic: 0 };

  constructor({ native, dim, valueDim, count = 0, live = 0, calibration }: StoreParts) {
    super(native);
    this.dim = dim;
    this.valueDim = valueDim ?? dim;
    this.isHetero = valueDim !== undefined;
    this.count = count;
    this.live = live;
    this.calibration = calibration;
  }

  /** Where the memory is computed. */
  get device(): string {
    return this.#placement.device;
  }

  /** Says where the memory is computed from now on. The CPU stands in where a GPU that 'auto' chose refuses. */
  place(op: string, placement: Placement): this {
    const { device, automatic, storage, arithmetic } = placement;
    if (device === this.device) return this;
    try {
      this.native(op).place(device, storage, arithmetic);
      this.#placement = placement;
    } catch (error) {
      if (!automatic || !isRefusal(error)) throw error;
      this.#placement = insteadOf(op, placement, error);
    }
    return this;
  }

  /** Checks and appends rows; keeps views of them when asked to and they stay where they are. */
  append(
    op: string,
    patterns: Float32Array,
    { values, ownership }: { values?: Float32Array; ownership?: Ownership },
    keepsViews = false,
  ): { first: number; count: number } {
    const count = rowCount(op, 'patterns', checkedFloats(op, 'patterns', patterns), this.dim);
    this.#checkValues(op, values, count);
    const first = this.count;
    const rows = this.#orOnCpu(op, () => {
      const owned = this.#own(op, ownership, { patterns, values }, count);
      this.take(op, owned, count);
      return owned;
    });
    // A transferred array has moved; only a shared one is still the caller's.
    if (keepsViews && rows.adopt && rows.patterns === patterns) this.views = { patterns, values };
    return { first, count };
  }

  /**
   * Does what needs room on the device. A GPU that 'auto' chose is known to be usable when it has taken the first rows:
   * where it refuses them, it is done again on the CPU.
   */
  #orOnCpu<T>(op: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const placement = this.#placement;
      const goesOn = placement.automatic && !this.#isOnHost && this.count === 0 && isRefusal(error);
      if (!goesOn) throw error;
      this.place(op, insteadOf(op, placement, error));
      return work();
    }
  }

  /** The rows as the memory can have them. Those to be moved find their room on the device first: it may be refused. */
  #own(op: string, asked: Ownership | undefined, rows: Rows, count: number): Owned<Rows> {
    const { adopt, moves } = plannedOwnership(op, this.#ownership(op, asked), rows);
    if (!moves) return { ...rows, adopt };
    const native = this.native(op);
    native.reserve(count);
    try {
      return { ...moved(op, rows), adopt };
    } catch (error) {
      native.reserve(0);
      throw error;
    }
  }

  get #isOnHost(): boolean {
    return this.device === 'cpu';
  }

  /** Puts checked rows into the native memory. */
  take(op: string, { adopt, patterns, values }: Owned<Rows>, count: number): void {
    if (count === 0) return;
    const native = this.native(op);
    if (adopt) native.adopt(patterns, values);
    else native.append(patterns, values);
    this.count += count;
    this.live += count;
  }

  /** Removes items; how many had not been removed before. */
  remove(op: string, indices: ArrayLike<number>): number {
    const removed = this.native(op).remove(checkedIndices(op, indices, this.count));
    this.live -= removed;
    return removed;
  }

  calibrated(facts: number[]): Calibration {
    this.calibration = calibrationOf(facts);
    return this.calibration;
  }

  view(op: string, of: 'patterns' | 'values'): Float32Array {
    this.native(op);
    const view = this.isHetero ? this.views?.[of] : this.views?.patterns;
    if (view !== undefined) return view;
    const message = 'the memory was copied, transferred or mapped; only allocated and shared ones can be viewed';
    throw new EngramError('ERR_ENGRAM_TYPE', op, message);
  }

  override dispose(): void {
    super.dispose();
    this.views = undefined;
  }

  /** A GPU has its own copy of the rows: none can be shared with it. */
  #ownership(op: string, asked: Ownership | undefined): Ownership | undefined {
    if (this.#isOnHost) return asked;
    if (asked === 'share') {
      const expected = "'auto', 'copy' or 'transfer': a GPU needs its own copy, which would not follow the array";
      throw badArgument('ERR_ENGRAM_RANGE', op, 'ownership', asked, expected);
    }
    return asked === undefined || asked === 'auto' ? 'copy' : asked;
  }

  #checkValues(op: string, values: unknown, count: number): void {
    if (!this.isHetero) {
      if (values === undefined) return;
      throw badArgument('ERR_ENGRAM_TYPE', op, 'values', values, 'none, as the memory is auto-associative');
    }
    const { valueDim } = this;
    checkLength(op, 'values', checkedFloats(op, 'values', values), count * valueDim, `${count} x valueDim ${valueDim}`);
  }
}

function checkedIndices(op: string, indices: ArrayLike<number>, count: number): Float64Array {
  const { length } = typeof indices === 'object' && indices !== null ? indices : { length: undefined };
  if (typeof length !== 'number') {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'indices', indices, 'an array of item numbers');
  }
  const checked = new Float64Array(length);
  for (let i = 0; i < length; ++i) {
    const index: unknown = indices[i];
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= count) {
      const code = typeof index === 'number' ? 'ERR_ENGRAM_RANGE' : 'ERR_ENGRAM_TYPE';
      throw badArgument(code, op, `indices[${i}]`, index, `an item number: whole, 0 or more and below ${count}`);
    }
    checked[i] = index;
  }
  return checked;
}

/** Symmetric operators that are known by their products. */
import { allocateFloats, checkedFloats } from './arrays.js';
import { binding } from './binding.js';
import { asynchronous, type Call, type CallOptions, maxThreads, synchronous, type SyncOptions } from './call.js';
import { badArgument } from './errors.js';
import type { NativeOperator } from './native.js';
import { integer, MOST_UINT32, optionsObject } from './options.js';

/** Anything that can be multiplied with a block of vectors. It must be symmetric, and always the same. */
export interface LinearOperator {
  /** Length of vectors. */
  readonly dim: number;
  /** The product with a block of dim x columns numbers, row by row; of the same shape. */
  apply(block: Float32Array, columns: number): Promise<Float32Array> | Float32Array;
}

/** An operator over arrays that the native side multiplies with itself. */
export abstract class BuiltInOperator implements LinearOperator {
  /** Length of vectors. */
  abstract readonly dim: number;

  /** What the native side is told of it; undefined where JavaScript has a part in its products. @internal */
  abstract describe(): NativeOperator | undefined;

  /**
   * The product with `block`, dim x columns numbers, row by row; of the same shape. Computed in Float32, with the same bits
   * for any number of threads.
   * @throws {EngramError} `ERR_ENGRAM_SHAPE`, `_TYPE`, `_RANGE`; `_NONFINITE`: the product is not finite; `_OUT_OF_MEMORY`.
   */
  apply(block: Float32Array, columns: number, options?: CallOptions): Promise<Float32Array> {
    const op = `${this.constructor.name}.apply`;
    return asynchronous(op, options, (call: Call<Float32Array>) => {
      checkBlock(op, this.dim, block, columns);
      const settle = call.settle((product: Float32Array) => product);
      const described = this.#described(op);
      call.started(
        binding.apply(this.dim, described, block, columns, call.maxThreads, call.interactive, settle, call.progress),
      );
    });
  }

  /** The synchronous twin of {@link apply}. */
  applySync(block: Float32Array, columns: number, options?: SyncOptions<CallOptions>): Float32Array {
    const op = `${this.constructor.name}.applySync`;
    return synchronous(op, () => {
      const threads = maxThreads(op, optionsObject(op, options));
      checkBlock(op, this.dim, block, columns);
      return binding.applySync(this.dim, this.#described(op), block, columns, threads);
    });
  }

  #described(op: string): NativeOperator {
    return this.describe() ?? notBuiltIn(op, 'this', this);
  }
}

/** Refuses an operator whose products JavaScript computes. */
export function notBuiltIn(op: string, argument: string, operator: unknown): never {
  throw badArgument('ERR_ENGRAM_TYPE', op, argument, operator, 'a HebbianOperator, a SecondMoment, or a SumOperator of those');
}

function checkBlock(op: string, dim: number, block: unknown, columns: unknown): void {
  const count = integer(op, 'columns', columns, 1, MOST_UINT32);
  checkProduct(op, 'block', block, dim, count);
}

/** Refuses what is not a block of dim x columns numbers. */
export function checkProduct(op: string, argument: string, block: unknown, dim: number, columns: number): Float32Array {
  const numbers = checkedFloats(op, argument, block);
  if (numbers.length === dim * columns) return numbers;
  throw badArgument('ERR_ENGRAM_SHAPE', op, argument, block, `${dim} x ${columns} numbers`);
}

/** Anything with `dim` and `apply`, checked. */
export function checkedOperator(op: string, argument: string, value: unknown): LinearOperator {
  const given = value as LinearOperator | null | undefined;
  if (typeof given !== 'object' || given === null || typeof given.apply !== 'function') {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, 'an operator: an object with dim and apply(block, columns)');
  }
  integer(op, `${argument}.dim`, given.dim, 1, 2 ** 31 - 1);
  return given;
}

/** One part of a {@link SumOperator}. */
export interface OperatorTerm {
  operator: LinearOperator;
  /** Finite; default 1. */
  weight?: number;
}

/** A sum of weighted operators of one `dim`, built in or written in JavaScript. */
export class SumOperator extends BuiltInOperator {
  readonly dim: number;
  readonly #terms: readonly Required<OperatorTerm>[];

  /**
   * @throws {EngramError} `ERR_ENGRAM_TYPE`: not a list of operators; `_SHAPE`: no terms, or operators of different `dim`;
   * `_RANGE`: a weight that is not finite.
   */
  constructor(terms: readonly OperatorTerm[]) {
    super();
    const op = 'SumOperator';
    if (!Array.isArray(terms)) throw badArgument('ERR_ENGRAM_TYPE', op, 'terms', terms, 'a list of { operator, weight }');
    this.#terms = terms.map(({ operator, weight = 1 }: OperatorTerm, at) => {
      checkedOperator(op, `terms[${at}].operator`, operator);
      if (!Number.isFinite(weight)) throw badArgument('ERR_ENGRAM_RANGE', op, `terms[${at}].weight`, weight, 'a finite number');
      return { operator, weight };
    });
    this.dim = this.#terms[0]?.operator.dim ?? 0;
    const other = this.#terms.find(({ operator }) => operator.dim !== this.dim);
    if (this.#terms.length === 0 || other !== undefined) {
      throw badArgument('ERR_ENGRAM_SHAPE', op, 'terms', terms, 'at least one operator, all of the same dim');
    }
  }

  /** @internal */
  describe(): NativeOperator | undefined {
    let level = 0;
    const all: NativeOperator[1][] = [];
    for (const { operator, weight } of this.#terms) {
      const described = operator instanceof BuiltInOperator ? operator.describe() : undefined;
      if (described === undefined) return undefined;
      const [isotropic, ...terms] = described;
      level += weight * isotropic;
      for (const [rows, scale, rowWeights] of terms) all.push([rows, weight * scale, rowWeights]);
    }
    return [level, ...all];
  }

  /** As {@link BuiltInOperator.apply}; rejects with what a term written in JavaScript throws. */
  override async apply(block: Float32Array, columns: number, options?: CallOptions): Promise<Float32Array> {
    if (this.describe() !== undefined) return super.apply(block, columns, options);
    const op = 'SumOperator.apply';
    checkBlock(op, this.dim, block, columns);
    const sum = allocateFloats(op, block.length);
    for (const { operator, weight } of this.#terms) {
      const part = operator instanceof BuiltInOperator ? operator.apply(block, columns, options) : operator.apply(block, columns);
      const product = checkProduct(op, 'the product of a term', await part, this.dim, columns);
      for (let i = 0; i < sum.length; ++i) sum[i]! += weight * product[i]!;
    }
    return sum;
  }
}

import type { Ownership } from './arrays.js';
import { checkedExamples, type Examples, ownExamples } from './examples.js';
import { BuiltInOperator } from './linear-operator.js';
import { checkedDim } from './memory-options.js';
import type { NativeOperator } from './native.js';
import { number, optionsObject } from './options.js';

export interface SecondMomentOptions {
  /** Numbers per example, 1 to 2^31 - 1. */
  dim: number;
  /** Factor of X^T X, finite; default 1 / number of examples. */
  scale?: number;
  /** What becomes of the array. Default `'auto'`. */
  ownership?: Ownership;
}

/**
 * scale * X^T X of examples X, of which only products are computed: with the default scale the Hebbian operator N J of all
 * examples. It does not leave the process that has the examples; for what does see {@link HebbianOperator}.
 */
export class SecondMoment extends BuiltInOperator {
  readonly dim: number;
  readonly sampleCount: number;
  readonly scale: number;
  readonly #examples: Examples;

  private constructor(examples: Examples, dim: number, scale: number) {
    super();
    this.dim = dim;
    this.sampleCount = examples.length / dim;
    this.scale = scale;
    this.#examples = examples;
  }

  /**
   * @param examples rows of `dim` numbers, one or more
   * @throws {EngramError} `ERR_ENGRAM_TYPE`, `_SHAPE`, `_RANGE`. Elements that are not finite show in products.
   */
  static from(examples: Float32Array | Int8Array, options: SecondMomentOptions): SecondMoment {
    const op = 'SecondMoment.from';
    const given = optionsObject(op, options);
    const dim = checkedDim(op, 'dim', given.dim);
    const count = checkedExamples(op, 'examples', examples, dim);
    const scale = number(op, 'scale', given.scale ?? 1 / count, () => true, 'a finite number');
    return new SecondMoment(ownExamples(op, examples, given.ownership), dim, scale);
  }

  /** @internal */
  describe(): NativeOperator {
    return [0, [this.#examples, this.scale, undefined]];
  }
}

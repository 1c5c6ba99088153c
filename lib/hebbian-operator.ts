import { types } from 'node:util';
import { allocateShared } from './arrays.js';
import { binding } from './binding.js';
import { asynchronous, type Call, type CallOptions, maxThreads, synchronous, type SyncOptions } from './call.js';
import { badArgument } from './errors.js';
import { checkedExamples, ownExamples } from './examples.js';
import { checkedFalseAlarm } from './false-alarm.js';
import { BuiltInOperator } from './linear-operator.js';
import { checkedDim } from './memory-options.js';
import type { NativeEncode, NativeMessage, NativeOperator } from './native.js';
import { boolean, integer, optionsObject } from './options.js';

export interface EncodeOptions extends CallOptions {
  /** Numbers per example, N, 1 to 2^31 - 1. */
  dim: number;
  /** Eigenpairs that are told, 1 or more, below the number of examples. Default: 64, or one less than there are examples. */
  rank?: number;
  /** Make the message even where examples can be read off it. Default false. */
  allowLeak?: boolean;
  /** The client's name in reports, at most 256 bytes without control characters. Default ''. */
  client?: string;
  /** False-alarm level of the estimate of noise, 1e-6 to 0.5. Default 0.05. */
  falseAlarm?: number;
}

/** Below this share of `dim`, examples may well be read off a message even within the guard. */
const RISKY_SHARE = 1 / 8;

/**
 * One client's experience as a message: the leading eigenpairs of the second moment N J = X^T X / M of its M examples in rows
 * of N numbers, with its trace and what it tells of their noise; never an N x N matrix. As an operator it is
 * V^T (L - rest) V + rest I: what was left out counts as isotropic, which keeps the trace.
 *
 * A message is not private. From few examples each can be read off its range bit by bit, so a rank of as many as there are
 * examples is refused; for privacy see `ProductAggregation`.
 */
export class HebbianOperator extends BuiltInOperator {
  readonly dim: number;
  /** M, 1 or more. */
  readonly sampleCount: number;
  /** Trace of N J; N for examples of +-1. */
  readonly trace: number;
  /** Debiased noise of an entry, relative to trace / N, in [0, 1]; 1: nothing that noise does not explain. */
  readonly noiseVariance: number;
  /** Estimated quality of the examples, sqrt(1 - noiseVariance), in [0, 1]. */
  readonly quality: number;
  /** The client's name, or ''. */
  readonly client: string;
  /** Eigenvalues of N J, falling. */
  readonly eigenvalues: Float64Array;
  /** Their eigenvectors: rank x dim, orthonormal rows. Not to be written to. */
  readonly factor: Float32Array;

  private constructor([dim, sampleCount, trace, noiseVariance, quality, client, eigenvalues, factor]: NativeMessage) {
    super();
    this.dim = dim;
    this.sampleCount = sampleCount;
    this.trace = trace;
    this.noiseVariance = noiseVariance;
    this.quality = quality;
    this.client = client;
    this.eigenvalues = eigenvalues;
    this.factor = allocateShared('HebbianOperator', factor.length); // where threads may read it: it cannot be detached
    this.factor.set(factor);
  }

  /**
   * Encodes examples of +-1, or real ones, `dim` numbers each. Eigenvalues below 1e-7 of the largest are left out, so that
   * the rank may be smaller than asked for. With fewer than dim / 8 examples it warns (`process.emitWarning`, code
   * `ENGRAM_LEAK_RISK`) unless `allowLeak` is set.
   * @throws {EngramError} `ERR_ENGRAM_RANGE`: a rank of as many as there are examples or above `dim` (without `allowLeak`),
   * nothing but zeros, or an option out of its range; `_SHAPE`, `_TYPE`; `_NONFINITE`, naming the example;
   * `_NOT_CONVERGED`; `_OUT_OF_MEMORY`.
   */
  static fromExamples(examples: Float32Array | Int8Array, options: EncodeOptions): Promise<HebbianOperator> {
    const op = 'HebbianOperator.fromExamples';
    return asynchronous(op, options, (call: Call<HebbianOperator>, given) => {
      const request = checkedRequest(op, examples, given, true);
      const settle = call.settle((...message: never[]) =>
        warned(new HebbianOperator(message as unknown as NativeMessage), given),
      );
      call.started(binding.encode(...request, call.maxThreads, call.interactive, settle, call.progress));
    });
  }

  /** The synchronous twin of {@link fromExamples}. */
  static fromExamplesSync(examples: Float32Array | Int8Array, options: SyncOptions<EncodeOptions>): HebbianOperator {
    const op = 'HebbianOperator.fromExamplesSync';
    return synchronous(op, () => {
      const given = optionsObject(op, options);
      const request = checkedRequest(op, examples, given, false);
      return warned(new HebbianOperator(binding.encodeSync(...request, maxThreads(op, given))), given);
    });
  }

  /**
   * Reads a message. Nothing of it is trusted: format, checksums, and all numbers are checked.
   * @throws {EngramError} `ERR_ENGRAM_FORMAT`, naming what is wrong; `_TYPE`; `_OUT_OF_MEMORY`.
   */
  static fromBytes(bytes: Uint8Array): HebbianOperator {
    const op = 'HebbianOperator.fromBytes';
    return synchronous(op, () => {
      if (!types.isUint8Array(bytes)) throw badArgument('ERR_ENGRAM_TYPE', op, 'bytes', bytes, 'a Uint8Array');
      return new HebbianOperator(binding.messageFromBytes(bytes));
    });
  }

  /** The message as safetensors bytes, for any transport or as a file. @throws {EngramError} `ERR_ENGRAM_OUT_OF_MEMORY`. */
  toBytes(): Uint8Array {
    return synchronous('HebbianOperator.toBytes', () => binding.messageToBytes(this.message()));
  }

  /** Number of eigenpairs. */
  get rank(): number {
    return this.eigenvalues.length;
  }

  /** True where so few examples went into it that they may be read off it. */
  get leakRisk(): boolean {
    return this.sampleCount < RISKY_SHARE * this.dim;
  }

  /** The level of what was left out, 0 or more: (trace - sum of eigenvalues) / (dim - rank). */
  get rest(): number {
    if (this.rank === this.dim) return 0;
    const told = this.eigenvalues.reduce((sum, value) => sum + value, 0);
    return Math.max(0, this.trace - told) / (this.dim - this.rank);
  }

  /** Its parts as the native side takes them. @internal */
  message(): NativeMessage {
    const { dim, sampleCount, trace, noiseVariance, quality, client, eigenvalues, factor } = this;
    return [dim, sampleCount, trace, noiseVariance, quality, client, eigenvalues, factor];
  }

  /** @internal */
  describe(): NativeOperator {
    const { rest } = this;
    return [rest, [this.factor, 1, this.eigenvalues.map((value) => Math.max(0, value - rest))]];
  }
}

function checkedRequest(
  op: string,
  examples: unknown,
  given: EncodeOptions,
  whileJavaScriptRuns: boolean,
): NativeEncode {
  const dim = checkedDim(op, 'dim', given.dim);
  checkedExamples(op, 'examples', examples, dim);
  const { rank, allowLeak, client = '' } = given;
  if (typeof client !== 'string') throw badArgument('ERR_ENGRAM_TYPE', op, 'client', client, 'a string');
  const rows = examples as Float32Array | Int8Array;
  return [
    whileJavaScriptRuns ? ownExamples(op, rows, undefined) : rows,
    dim,
    rank === undefined ? 0 : integer(op, 'rank', rank, 1, dim),
    allowLeak !== undefined && boolean(op, 'allowLeak', allowLeak),
    checkedFalseAlarm(op, given.falseAlarm),
    client,
  ];
}

/** Says so where the message may give examples away. */
function warned(message: HebbianOperator, { allowLeak }: Pick<EncodeOptions, 'allowLeak'>): HebbianOperator {
  if (message.leakRisk && allowLeak !== true) {
    const { sampleCount, dim } = message;
    process.emitWarning(
      `a HebbianOperator of ${sampleCount} examples with ${dim} entries: examples may be read off it; ` +
        `take ${Math.ceil(dim * RISKY_SHARE)} or more, or aggregate products (allowLeak: true silences this)`,
      { type: 'EngramWarning', code: 'ENGRAM_LEAK_RISK' },
    );
  }
  return message;
}

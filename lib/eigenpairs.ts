import { checkedFloats, rowCount } from './arrays.js';
import { binding } from './binding.js';
import { asynchronous, type Call, type CallOptions, maxThreads, synchronous, type SyncOptions } from './call.js';
import { BuiltInOperator, checkedOperator, checkProduct, type LinearOperator, notBuiltIn } from './linear-operator.js';
import type { NativeEigen, NativeEigenpairs, NativeSettle } from './native.js';
import { integer, MOST_UINT32, number, optionsObject } from './options.js';
import { Questions } from './questions.js';

export interface EigenpairsOptions extends CallOptions {
  /** How many, 1 to the operator's `dim`. */
  k: number;
  /** Vectors that are multiplied at a time. Default k + 8, at most 64. Wider than any cluster of eigenvalues is safe. */
  block?: number;
  /** Residual |A v - lambda v| at which a pair counts, relative to the largest |lambda|; above 0. Default 1e-6. */
  tolerance?: number;
  /** Most products with a block. Default 200. */
  maxProducts?: number;
  /** Vectors near the wanted ones, rows of `dim` numbers, such as those of an earlier call. */
  start?: Float32Array;
}

export interface Eigenpairs {
  /** k, falling. */
  eigenvalues: Float64Array;
  /** k x dim, orthonormal rows; the largest component of each is positive. */
  vectors: Float32Array;
  /** k residuals, relative to the largest |lambda|. */
  residuals: Float64Array;
  /** Products with a block that it took; 0 where a Gram matrix was the shorter way. */
  products: number;
  /** True when all residuals are within the tolerance. */
  converged: boolean;
}

/**
 * The largest eigenvalues of a symmetric operator, and their eigenvectors: block thick-restart Krylov with full
 * reorthogonalisation (Stathopoulos & Saad 1998), or by the smaller Gram matrix of a `SecondMoment` where that is cheaper.
 * Starts are deterministic, and results have the same bits for any number of threads. For eigenvalues close to each other
 * take a `block` wider than the cluster.
 * @throws {EngramError} `ERR_ENGRAM_RANGE`, `_SHAPE`, `_TYPE`; `_NONFINITE`: a product is not finite; `_OUT_OF_MEMORY`. What
 * the `apply` of an operator written in JavaScript throws comes out as it is.
 */
export function topEigenpairs(operator: LinearOperator, options: EigenpairsOptions): Promise<Eigenpairs> {
  const op = 'topEigenpairs';
  return asynchronous(op, options, (call: Call<Eigenpairs>, given) => {
    const { dim } = checkedOperator(op, 'operator', operator);
    const request = checkedEigen(op, given, dim);
    const settle = call.settle((...pairs: never[]) => resultOf(pairs as unknown as NativeEigenpairs));
    const described = operator instanceof BuiltInOperator ? operator.describe() : undefined;
    const { maxThreads: threads, interactive, progress } = call;
    if (described !== undefined) {
      call.started(binding.topEigenpairs(dim, described, ...request, threads, interactive, settle, progress));
      return;
    }
    const asking = productQuestions(op, operator, settle);
    asking.id = binding.topEigenpairsOf(dim, asking.ask, ...request, threads, interactive, asking.settle, progress);
    call.started(asking.id);
  });
}

/** The synchronous twin of {@link topEigenpairs}, for operators that are built in: `ERR_ENGRAM_TYPE` for others. */
export function topEigenpairsSync(operator: BuiltInOperator, options: SyncOptions<EigenpairsOptions>): Eigenpairs {
  const op = 'topEigenpairsSync';
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const described = operator instanceof BuiltInOperator ? operator.describe() : undefined;
    if (described === undefined) return notBuiltIn(op, 'operator', operator);
    const request = checkedEigen(op, given, operator.dim);
    return resultOf(binding.topEigenpairsSync(operator.dim, described, ...request, maxThreads(op, given)));
  });
}

function checkedEigen(op: string, given: EigenpairsOptions, dim: number): NativeEigen {
  const { block, tolerance, maxProducts, start } = given;
  if (start !== undefined) rowCount(op, 'start', checkedFloats(op, 'start', start), dim);
  return [
    integer(op, 'k', given.k, 1, dim),
    block === undefined ? 0 : integer(op, 'block', block, 1, dim),
    tolerance === undefined ? 1e-6 : number(op, 'tolerance', tolerance, (value) => value > 0, 'a number above 0'),
    maxProducts === undefined ? 200 : integer(op, 'maxProducts', maxProducts, 1, MOST_UINT32),
    start,
  ];
}

function resultOf([eigenvalues, vectors, residuals, products, converged]: NativeEigenpairs): Eigenpairs {
  return { eigenvalues, vectors, residuals, products, converged };
}

/** Answers a native algorithm that asks for products of an operator written in JavaScript. */
export function productQuestions(
  op: string,
  operator: LinearOperator,
  end: NativeSettle,
): Questions<[block: Float32Array, columns: number]> {
  const multiply = async (block: Float32Array, columns: number): Promise<Float32Array> => {
    const product = await operator.apply(block, columns);
    return checkProduct(op, 'the product of operator.apply', product, operator.dim, columns);
  };
  return new Questions(op, multiply, end);
}

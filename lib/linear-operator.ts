/** Symmetric operators that are known by their products. */

/** Anything that can be multiplied with a block of vectors. */
export interface LinearOperator {
  /** Length of vectors. */
  readonly dim: number;
  /** The product with a block of dim x columns numbers, row by row; of the same shape. */
  apply(block: Float32Array, columns: number): Promise<Float32Array> | Float32Array;
}

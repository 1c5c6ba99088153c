/** Symmetric eigenproblems in Float64 by Jacobi's rotations: slow, and easy to see to be right. */

export interface Pairs {
  /** Falling. */
  readonly values: number[];
  /** One row for each. */
  readonly vectors: number[][];
}

/** scale * X^T X of rows of numbers. */
export function secondMoment(rows: ArrayLike<number>, dim: number, scale: number): number[][] {
  const matrix = Array.from({ length: dim }, () => new Array<number>(dim).fill(0));
  for (let at = 0; at < rows.length; at += dim) {
    for (let i = 0; i < dim; ++i) {
      for (let j = 0; j < dim; ++j) matrix[i]![j]! += scale * rows[at + i]! * rows[at + j]!;
    }
  }
  return matrix;
}

/** All eigenpairs. */
export function eigen(matrix: readonly (readonly number[])[]): Pairs {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 60 && offDiagonal(a) > 1e-24 * n; ++sweep) {
    for (let p = 0; p < n; ++p) {
      for (let q = p + 1; q < n; ++q) rotate(a, v, p, q);
    }
  }
  const order = a.map((_, i) => i).sort((i, j) => a[j]![j]! - a[i]![i]!);
  return { values: order.map((i) => a[i]![i]!), vectors: order.map((i) => v.map((row) => row[i]!)) };
}

function offDiagonal(a: readonly (readonly number[])[]): number {
  return a.reduce((sum, row, i) => row.reduce((part, x, j) => (i === j ? part : part + x * x), sum), 0);
}

/** Makes a[p][q] zero. */
function rotate(a: number[][], v: number[][], p: number, q: number): void {
  const apq = a[p]![q]!;
  if (apq === 0) return;
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  const turn = (row: number[], i: number, j: number): void => {
    const [x, y] = [row[i]!, row[j]!];
    row[i] = c * x - s * y;
    row[j] = s * x + c * y;
  };
  for (const row of a) turn(row, p, q);
  for (let k = 0; k < a.length; ++k) {
    const [x, y] = [a[p]![k]!, a[q]![k]!];
    a[p]![k] = c * x - s * y;
    a[q]![k] = s * x + c * y;
  }
  for (const row of v) turn(row, p, q);
}

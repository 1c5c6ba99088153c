/** The conformance cases of operators: which operation on which examples. Data only, as cases.ts. */

export type SpectralOperation = 'apply' | 'encode' | 'eigenpairs' | 'recall';

export interface SpectralCase {
  readonly name: string;
  readonly operation: SpectralOperation;
  /** Examples, their length, and vectors of a block (cues of a recall). */
  readonly rows: number;
  readonly dim: number;
  readonly columns: number;
  readonly element: 'int8' | 'float32';
  /** Floats between the start of the buffer and the first example. */
  readonly offset: number;
}

/** Rows, dim, columns: below, at and above the widths of registers, panels and runs. */
const SHAPES: readonly (readonly [rows: number, dim: number, columns: number])[] = [
  [2, 2, 1], [3, 5, 2], [9, 7, 3], [16, 16, 4], [17, 15, 5], [40, 31, 8], [33, 33, 1], [64, 64, 16], [65, 63, 17],
  [20, 65, 3], [129, 48, 2], [12, 100, 9], [300, 40, 33], [7, 90, 64],
];

const OPERATIONS: readonly SpectralOperation[] = ['apply', 'encode', 'eigenpairs', 'recall'];
const at = <T>(list: readonly T[], index: number): T => list[index % list.length]!;

/** Every operation x shape x element type, in a fixed order. */
export const spectralCases: readonly SpectralCase[] = OPERATIONS.flatMap((operation) =>
  Array.from({ length: 2 * SHAPES.length }, (_, round) => {
    const [rows, dim, columns] = at(SHAPES, round);
    const element = round < SHAPES.length ? 'int8' : 'float32';
    const offset = at([0, 1, 3, 7, 0, 2], round);
    const name = `${operation} spectral ${rows}x${dim} block ${columns} ${element} offset ${offset}`;
    return { name, operation, rows, dim, columns, element, offset };
  }),
);

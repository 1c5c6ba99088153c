/**
 * The messages of aggregated products. Each begins with the version, its kind and the round (16 random bytes).
 *
 *   'open'     weight, columns, a block of dim x columns numbers, and the opening of a secure sum of the products with it
 *   'sum'      a later message of that secure sum
 *   'product'  weight, columns, block: the answer is the product itself
 *
 * The answer to 'open' and 'sum' is the secure sum's; to 'product' it is dim x columns Float32 numbers.
 */
import { Reader, Writer } from './secure-sum/wire.js';

const VERSION = 1;
const KINDS = ['open', 'sum', 'product'] as const;
export const ROUND_LENGTH = 16;

/** What clients are asked to multiply. */
export interface Block {
  weight: number;
  columns: number;
  /** dim x columns, row by row; columns of length 1, or 0. */
  block: Float32Array;
}

export type ProductMessage = { round: string } & (
  | ({ kind: 'open'; opening: Uint8Array } & Block)
  | { kind: 'sum'; message: Uint8Array }
  | ({ kind: 'product' } & Block)
);

function begin(kind: (typeof KINDS)[number], round: Uint8Array): Writer {
  return new Writer().u8(VERSION).u8(KINDS.indexOf(kind)).bytes(round);
}

export function writeOpen(round: Uint8Array, { weight, columns, block }: Block, opening: Uint8Array): Uint8Array {
  return begin('open', round).f64(weight).u32(columns).words(block).bytes(opening).finish();
}

export function writeSum(round: Uint8Array, message: Uint8Array): Uint8Array {
  return begin('sum', round).bytes(message).finish();
}

export function writeProduct(round: Uint8Array, { weight, columns, block }: Block): Uint8Array {
  return begin('product', round).f64(weight).u32(columns).words(block).finish();
}

/** @throws {EngramError} `ERR_ENGRAM_FORMAT`. */
export function readMessage(op: string, message: Uint8Array, dim: number): ProductMessage {
  const reader = new Reader(op, message);
  const version = reader.u8();
  if (version !== VERSION) reader.fail(`is of version ${version}; expected ${VERSION}`);
  const number = reader.u8();
  const kind = KINDS[number] ?? reader.fail(`is of the unknown kind ${number}`);
  const round = Buffer.from(reader.bytes(ROUND_LENGTH)).toString('hex');
  if (kind === 'sum') return { kind, round, message: reader.rest() };
  const block = readBlock(reader, dim);
  if (kind === 'open') return { kind, round, ...block, opening: reader.rest() };
  reader.end();
  return { kind, round, ...block };
}

function readBlock(reader: Reader, dim: number): Block {
  const weight = reader.f64();
  if (!(weight > 0 && weight <= 1)) reader.fail(`has the weight ${weight}; expected one above 0, at most 1`);
  const columns = reader.u32();
  if (columns === 0) reader.fail('has a block without columns');
  const block = reader.floats(dim * columns);
  const squares = new Float64Array(columns);
  block.forEach((value, at) => (squares[at % columns]! += value * value));
  // Written so that NaN fails. Bounds of the answer hold for unit vectors.
  if (!squares.every((square) => square <= 1 + 1e-5)) reader.fail('has a block with a column longer than 1');
  return { weight, columns, block };
}

export function readProduct(op: string, answer: Uint8Array, length: number): Float32Array {
  const reader = new Reader(op, answer);
  const product = reader.floats(length);
  reader.end();
  if (!product.every(Number.isFinite)) reader.fail('has numbers that are not finite');
  return product;
}

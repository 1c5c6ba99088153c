/** Files for tests: scratch folders, and safetensors built byte by byte from the format's definition. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder, removed with everything in it when the current suite ends. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'engram-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A tensor's entry in a safetensors header. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [begin: number, end: number];
}

/** Pads a JSON text with spaces so that what follows 8 bytes of length and it starts at a multiple of 64. */
export const alignedHeader = (json: string): string => json.padEnd(Math.ceil((8 + json.length) / 64) * 64 - 8);

/** A safetensors file: length of the header (u64, little-endian), the header as given, the data. */
export function safetensorsBytes(header: string, data: Uint8Array, headerLength?: bigint): Buffer {
  const text = Buffer.from(header, 'utf8');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(headerLength ?? BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** A well-formed file of one F32 matrix named "patterns". */
export function patternsFile(patterns: Float32Array, dim: number): Buffer {
  const entry: HeaderEntry = {
    dtype: 'F32',
    shape: [patterns.length / dim, dim],
    data_offsets: [0, patterns.byteLength],
  };
  return safetensorsBytes(alignedHeader(JSON.stringify({ patterns: entry })), bytesOf(patterns));
}

/** The bytes of a typed array, without copying. */
export const bytesOf = (array: Float32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** An .npy file of version 1.0: magic, version, length of the header (u16), header, data. */
export function npyBytes(header: string, data: Uint8Array): Buffer {
  const fixed = 10;
  const text = header.padEnd(Math.ceil((fixed + header.length + 1) / 64) * 64 - fixed - 1) + '\n';
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(text), data]);
}

/** The bytes of a file, unpacked where it is compressed, in the portions in which they are asked for. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { badFile } from '../failure.js';

const CHUNK = 1 << 20;

/** The first bytes of a file as they lie there. */
export async function firstBytes(path: string, count: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** The file's contents piece by piece, unpacked where the file is gzip. */
export async function* contents(path: string): AsyncGenerator<Buffer, undefined> {
  const compressed = isGzip(await firstBytes(path, 2));
  const raw = createReadStream(path, { highWaterMark: CHUNK });
  // A failure of either stream ends the other and reaches this loop.
  const stream = compressed ? pipeline(raw, createGunzip({ chunkSize: CHUNK }), () => undefined) : raw;
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') === true) throw badFile(path, `cannot be unpacked: ${message}`, error);
    throw error;
  }
}

/** Takes exact numbers of bytes from a file's contents. */
export class ByteReader {
  readonly #path: string;
  readonly #chunks: AsyncGenerator<Buffer, undefined>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
    this.#chunks = contents(path);
  }

  /** The next `count` bytes; fewer at the end of the contents only. */
  async upTo(count: number): Promise<Buffer> {
    const parts = [this.#rest];
    let length = this.#rest.length;
    while (length < count) {
      const { value } = await this.#chunks.next();
      if (value === undefined) break;
      parts.push(value);
      length += value.length;
    }
    const bytes = parts.length === 1 ? this.#rest : Buffer.concat(parts, length);
    this.#rest = bytes.subarray(count);
    return bytes.subarray(0, count);
  }

  /** The next `count` bytes, or the error that the file ends within `what`. */
  async exactly(count: number, what: string): Promise<Buffer> {
    const bytes = await this.upTo(count);
    if (bytes.length === count) return bytes;
    throw badFile(this.#path, `ends within ${what}: ${bytes.length} of ${count} bytes are there`);
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }
}

/**
 * A look at what a safetensors file says it holds, to choose its reader. That reader, on the native side, checks
 * the file and tells what is wrong with it; here whatever is not as it should be is as good as absent.
 */
import { open } from 'node:fs/promises';

/** What stands in the header. */
export interface SafetensorsHeader {
  /** The kind of engram's memory, e.g. `dense`; undefined in files of other programs. */
  readonly kind: string | undefined;
  readonly tensors: ReadonlySet<string>;
}

const LENGTH_BYTES = 8;
/** What the format allows. */
const MOST_BYTES = 100_000_000;

/** The header; undefined where there is none that can be read. */
export async function peekHeader(path: string): Promise<SafetensorsHeader | undefined> {
  try {
    const header = JSON.parse(await headerText(path)) as Record<string, Record<string, unknown>>;
    const { __metadata__: metadata, ...tensors } = header;
    const kind = metadata?.['engram.kind'];
    return { kind: typeof kind === 'string' ? kind : undefined, tensors: new Set(Object.keys(tensors)) };
  } catch {
    return undefined;
  }
}

/** The first 8 bytes are the length of the JSON text that follows. Empty where there is no such text. */
async function headerText(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = await file.read(Buffer.alloc(LENGTH_BYTES), 0, LENGTH_BYTES, 0);
    if (start.bytesRead < LENGTH_BYTES) return '';
    const length = Number(start.buffer.readBigUInt64LE());
    if (length > Math.min(MOST_BYTES, size - LENGTH_BYTES)) return '';
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, LENGTH_BYTES);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Pictures in PNG files as grey intensities. */
import { readFile } from 'node:fs/promises';
import { PNG } from 'pngjs';
import { badFile } from '../failure.js';
import { firstBytes } from './bytes.js';

/** A picture, row by row from the top left. */
export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  /** Height x width, 0 (black or transparent) to 1 (white and opaque). */
  readonly intensities: Float32Array;
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** Where the size lies: the first chunk of every PNG is its header. */
const SIZE_AT = 16;
const MOST_PIXELS = 1 << 26;

/** Does the file begin as PNG files do? */
export async function isPng(path: string): Promise<boolean> {
  return (await firstBytes(path, SIGNATURE.length)).equals(SIGNATURE);
}

/** Reads a picture. Colours become their luma (Rec. ITU-R BT.709), a pixel that is partly transparent loses that part. */
export async function readPng(path: string): Promise<GreyPicture> {
  await refuseHuge(path);
  const { width, height, data } = decode(path, await readFile(path));
  const intensities = new Float32Array(width * height);
  for (let pixel = 0; pixel < intensities.length; ++pixel) {
    const at = 4 * pixel; // red, green, blue, alpha
    const luma = 0.2126 * data[at]! + 0.7152 * data[at + 1]! + 0.0722 * data[at + 2]!;
    intensities[pixel] = (luma / 255) * (data[at + 3]! / 255);
  }
  return { width, height, intensities };
}

/** A few bytes can claim a picture that fills the memory; so the size is looked at before it is unpacked. */
async function refuseHuge(path: string): Promise<void> {
  const start = await firstBytes(path, SIZE_AT + 8);
  if (start.length < SIZE_AT + 8) throw badFile(path, 'ends within its header');
  const [width, height] = [start.readUInt32BE(SIZE_AT), start.readUInt32BE(SIZE_AT + 4)];
  if (width * height === 0 || width * height > MOST_PIXELS) {
    throw badFile(path, `is of ${width} x ${height} pixels; supported are 1 to ${MOST_PIXELS}, scale it down`);
  }
}

function decode(path: string, bytes: Buffer): PNG {
  try {
    return PNG.sync.read(bytes);
  } catch (error) {
    throw badFile(path, `is no readable PNG: ${(error as Error).message}`, error);
  }
}

/** Many small grey images as one PNG. */
import { PNG } from 'pngjs';

/** A colour as red, green and blue, 0 to 255. */
type Colour = readonly [number, number, number];

const BACKGROUND: Colour = [24, 26, 32];
const RIGHT: Colour = [46, 160, 67];
const WRONG: Colour = [218, 54, 51];

/** One line of the sheet. */
export interface SheetRow {
  /** Images with numbers in [0, 1], clamped; at least `columns` of them. */
  readonly images: Float32Array;
  /** Frames each image in green where true, in red where false; no frames when absent. */
  readonly right?: readonly boolean[];
}

/** Where things are, in pixels. */
interface Geometry {
  readonly side: number;
  readonly zoom: number;
  readonly frame: number;
  readonly gap: number;
  readonly blockGap: number;
}

/** Draws blocks of rows below each other; all images are `side` x `side`. */
export function drawContactSheet(blocks: readonly (readonly SheetRow[])[], columns: number, side: number): Buffer {
  const geometry: Geometry = { side, zoom: 2, frame: 2, gap: 4, blockGap: 20 };
  const cell = cellSize(geometry);
  const rows = blocks.reduce((sum, block) => sum + block.length, 0);
  const width = geometry.gap + columns * cell;
  const height = geometry.gap + rows * cell + (blocks.length - 1) * geometry.blockGap;
  const png = new PNG({ width, height, colorType: 2 });
  fill(png, 0, 0, width, height, BACKGROUND);
  let top = geometry.gap;
  for (const block of blocks) {
    for (const row of block) {
      drawRow(png, row, columns, top, geometry);
      top += cell;
    }
    top += geometry.blockGap;
  }
  return PNG.sync.write(png, { colorType: 2 });
}

function cellSize({ side, zoom, frame, gap }: Geometry): number {
  return side * zoom + 2 * frame + gap;
}

function drawRow(png: PNG, row: SheetRow, columns: number, top: number, geometry: Geometry): void {
  const { side, zoom, frame, gap } = geometry;
  const framed = side * zoom + 2 * frame;
  for (let column = 0; column < columns; ++column) {
    const left = gap + column * cellSize(geometry);
    const right = row.right?.[column];
    if (right !== undefined) fill(png, left, top, framed, framed, right ? RIGHT : WRONG);
    const image = row.images.subarray(column * side * side, (column + 1) * side * side);
    drawImage(png, image, left + frame, top + frame, geometry);
  }
}

function drawImage(png: PNG, image: Float32Array, left: number, top: number, { side, zoom }: Geometry): void {
  image.forEach((pixel, at) => {
    const grey = Math.round(255 * Math.min(1, Math.max(0, pixel)));
    fill(png, left + (at % side) * zoom, top + Math.floor(at / side) * zoom, zoom, zoom, [grey, grey, grey]);
  });
}

function fill(png: PNG, left: number, top: number, width: number, height: number, colour: Colour): void {
  for (let y = top; y < top + height; ++y) {
    for (let x = left; x < left + width; ++x) png.data.set([...colour, 255], 4 * (y * png.width + x));
  }
}

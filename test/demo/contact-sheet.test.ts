import { expect } from 'chai';
import { PNG } from 'pngjs';
import { drawContactSheet } from '../../lib/demo/contact-sheet.js';

describe('contact sheet', () => {
  const images = Float32Array.of(0, 1, 0.5, 2, 0, 0, 0, -1); // two images of 2 x 2
  const png = PNG.sync.read(drawContactSheet([[{ images, right: [true, false] }], [{ images }]], 2, 2));
  const pixel = (x: number, y: number): number[] => [...png.data.subarray(4 * (y * png.width + x), 4 * (y * png.width + x) + 3)];

  it('is as large as its blocks, rows and columns', () => {
    // A cell: 2 x 2 pixels doubled, a frame of 2 around it and a gap of 4.
    expect([png.width, png.height]).to.deep.equal([4 + 2 * 12, 4 + 2 * 12 + 20]);
  });

  it('draws grey levels, clamped to black and white', () => {
    expect([pixel(6, 6), pixel(8, 6), pixel(6, 8), pixel(9, 9)]).to.deep.equal([
      [0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 255, 255],
    ]);
  });

  it('frames what is right in green, what is wrong in red, and else not at all', () => {
    const [red = 0, green = 0] = pixel(4, 4);
    expect(green).to.be.above(red);
    const [wrongRed = 0, wrongGreen = 0] = pixel(16, 4);
    expect(wrongRed).to.be.above(wrongGreen);
    expect(pixel(4, 36)).to.deep.equal(pixel(0, 0));
  });
});

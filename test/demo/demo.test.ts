/** The demo on a small set of made-up images in the files of Fashion-MNIST. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { PNG } from 'pngjs';
import { Random } from '../../lib/demo/random.js';
import { engram } from '../support/command.js';
import { scratchFolder } from '../support/files.js';

const random = new Random(7);

/** Images of random pixels, the class being the image's number modulo 10. */
function writeImages(folder: string, part: string, count: number): void {
  const header = Buffer.from([0, 0, 8, 3, 0, 0, count >> 8, count & 255, 0, 0, 0, 28, 0, 0, 0, 28]);
  const pixels = Buffer.from(Uint8Array.from({ length: count * 784 }, () => random.below(256)));
  writeFileSync(join(folder, `${part}-images-idx3-ubyte.gz`), gzipSync(Buffer.concat([header, pixels])));
  const labels = Buffer.from([0, 0, 8, 1, 0, 0, count >> 8, count & 255, ...Array.from({ length: count }, (_, i) => i % 10)]);
  writeFileSync(join(folder, `${part}-labels-idx1-ubyte.gz`), gzipSync(labels));
}

interface Report {
  conditions: { outcomes: { similarity: string; cues: number; exact?: number; source?: number; label: number }[] }[];
  sharpness: { similarity: string; calibration?: { beta: number } }[];
  speeds: { gflops: number }[];
  files: string[];
}

describe('engram demo', function () {
  this.timeout(120_000); // it measures the machine's limits first
  const folder = scratchFolder();
  const output = join(folder, 'output');
  let report: Report;

  before(async () => {
    writeImages(folder, 'train', 300);
    writeImages(folder, 't10k', 40);
    const { status, stdout, stderr } = await engram(['demo', '-o', output, '--cues', '20', '--json'], {
      ENGRAM_FASHION_MNIST: folder,
    });
    expect(stderr).to.equal('');
    expect(status).to.equal(0);
    report = JSON.parse(stdout) as Report;
  });

  it('finds random images, which are far apart, from noise', () => {
    const noise = report.conditions[1]?.outcomes.find(({ similarity }) => similarity === 'euclidean');
    expect(noise).to.deep.include({ cues: 20, source: 1, label: 1 });
    // Calibration is for undamaged images: with noise a little of the neighbours is left in some.
    expect(noise?.exact).to.be.within(0.5, 1);
  });

  it('answers every set of cues under every similarity', () => {
    const similarities = ['euclidean', 'cosine', 'dot'];
    for (const { outcomes } of report.conditions) {
      expect(outcomes.map(({ similarity }) => similarity)).to.deep.equal(similarities);
      for (const { label } of outcomes) expect(label).to.be.within(0, 1);
    }
    expect(report.conditions).to.have.length(3);
    expect(report.speeds).to.have.length(3);
    for (const { gflops } of report.speeds) expect(gflops).to.be.above(0);
  });

  it('writes a contact sheet and a report that holds it', () => {
    const sheet = readFileSync(join(output, 'contact-sheet.png'));
    const { width, height } = PNG.sync.read(sheet);
    // 16 columns of 64 pixels and a gap; blocks of 5, 5 and 4 rows, two gaps between them.
    expect([width, height]).to.deep.equal([4 + 16 * 64, 4 + 14 * 64 + 2 * 20]);
    const html = readFileSync(join(output, 'report.html'), 'utf8');
    expect(html).to.contain(sheet.toString('base64'));
    expect(html).to.contain('<td>euclidean</td>');
    expect(html).to.not.match(/src="(?!data:)|href=/);
  });

  it('says what to do where the images are missing', async () => {
    const { status, stderr } = await engram(['demo', '--data', join(folder, 'nowhere'), '-o', output]);
    expect(status).to.equal(1);
    expect(stderr).to.match(/^engram: .*lacks .*apt-get install dataset-fashion-mnist.*\n$/);
  });
});

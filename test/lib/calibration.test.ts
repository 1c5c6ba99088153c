import { expect } from 'chai';
import { DenseMemory } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

const dim = 8;
const patterns = gaussian(seeded(82), 60, dim);

describe('calibrate', () => {
  it('describes what it found and keeps it with the memory', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    expect(memory.calibration).to.equal(undefined);
    const found = await memory.calibrate({ sample: 20, recall: 0.75 });
    expect(found).to.include({ similarity: 'euclidean', recall: 0.75, sample: 20, unreachable: 0 });
    expect(found.beta).to.be.above(0);
    expect(found.gaps.min).to.be.above(0).and.at.most(found.gaps.median);
    expect(found.gaps.median).to.be.at.most(found.gaps.max);
    expect(memory.calibration).to.equal(found);
    expect(found).to.be.frozen;
  });

  it('looks at no more items than there are', async () => {
    expect(await DenseMemory.from(patterns, { dim }).calibrate()).to.have.property('sample', 60);
  });

  it('has a synchronous twin that finds the same', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    expect(memory.calibrateSync({ seed: 4, sample: 30 })).to.deep.equal(await memory.calibrate({ seed: 4, sample: 30 }));
  });

  it('refuses bad options', async () => {
    const memory = DenseMemory.from(patterns, { dim });
    const bad = [{ sample: 0 }, { sample: 1.5 }, { recall: 0.5 }, { recall: 1 }, { recall: 0.99999999 }, { seed: -1 }];
    for (const options of bad) {
      await expectRejection(memory.calibrate(options), 'ERR_ENGRAM_RANGE');
      expect(() => memory.calibrateSync(options)).to.throw().with.property('code', 'ERR_ENGRAM_RANGE');
    }
    await expectRejection(memory.calibrate({ similarity: 'manhattan' as never }), 'ERR_ENGRAM_RANGE');
  });

  it('fails when every item has a duplicate', async () => {
    const twins = DenseMemory.from(Float32Array.of(1, 2, 1, 2), { dim: 2 });
    await expectRejection(twins.calibrate(), 'ERR_ENGRAM_RANGE');
    expect(twins.calibration).to.equal(undefined);
  });
});

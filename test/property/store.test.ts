/** What holds of memories that grow, shrink, and are saved and opened. */
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { DenseMemory, softmax } from '../support/engram.js';
import { reordered, scenes, type Scene } from '../support/arbitraries.js';
import { expectClose, expectSameBits } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { gaussian, seeded } from '../support/random.js';
import { row } from '../support/reference.js';
import * as tolerance from '../support/tolerance.js';

const optionsOf = ({ beta, similarity }: Scene) => ({ separation: softmax({ beta }), similarity });

/** 0: no separate values. */
const valueDims = fc.integer({ min: 0, max: 9 });

const ownerships = fc.constantFrom('auto' as const, 'copy' as const, 'transfer' as const);

/** Cuts 0 < c < ... < count into which the items are stored one piece after the other. */
const cuts = (scene: Scene, pieces: number): number[] => {
  const random = seeded(scene.seed);
  const inner = Array.from({ length: pieces - 1 }, () => random.below(scene.count + 1));
  return [0, ...inner.sort((a, b) => a - b), scene.count];
};

/** A memory that received the scene's items in pieces. */
function inPieces(scene: Scene, pieces: number, ownership: 'auto' | 'copy' | 'transfer'): DenseMemory {
  const { keys } = scene.stored;
  const bounds = cuts(scene, pieces);
  const part = (p: number) => keys.slice(bounds[p]! * scene.dim, bounds[p + 1]! * scene.dim);
  const full = Array.from({ length: pieces }, (_, p) => p).filter((p) => bounds[p + 1]! > bounds[p]!);
  const [first, ...rest] = full;
  const memory = DenseMemory.from(part(first!), { dim: scene.dim, ownership });
  for (const p of rest) {
    const expected = { first: bounds[p], count: bounds[p + 1]! - bounds[p]! };
    expect(memory.store(part(p), { ownership })).to.deep.equal(expected);
  }
  return memory;
}

/** Two memories answer the scene's queries alike: exactly in ranking, to rounding in readouts. */
async function expectSameAnswers(scene: Scene, actual: DenseMemory, expected: DenseMemory): Promise<void> {
  const [a, b] = await Promise.all(
    [actual, expected].map((memory) => memory.retrieve(scene.queries, optionsOf(scene))),
  );
  for (let i = 0; i < scene.queryCount; ++i) {
    const range = [i * scene.dim, (i + 1) * scene.dim] as const;
    const { stored, similarity, beta, dim } = scene;
    const q = row(scene.queries, dim, i);
    const allowed = 2 * tolerance.readoutError(stored, similarity, beta, q, stored.keys, dim);
    expectClose(a!.patterns.subarray(...range), b!.patterns.subarray(...range), allowed, `query ${i}`);
  }
}

describe('store and remove properties', function () {
  this.timeout(60_000);
  const folder = scratchFolder();

  it('storing in pieces equals storing at once', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), fc.integer({ min: 1, max: 6 }), ownerships, async (scene, pieces, ownership) => {
        const memory = inPieces(scene, pieces, ownership);
        expect(memory.count).to.equal(scene.count);
        await expectSameAnswers(scene, memory, DenseMemory.from(scene.stored.keys, { dim: scene.dim }));
      }),
    );
  });

  it('removed items are never retrieved and the others keep their numbers', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ minCount: 2 }), fc.integer({ min: 2, max: 5 }), async (scene, every) => {
        const memory = DenseMemory.from(scene.stored.keys, { dim: scene.dim });
        const all = Array.from({ length: scene.count }, (_, j) => j);
        const gone = all.filter((j) => j % every === 0);
        const kept = all.filter((j) => j % every !== 0);
        expect(memory.remove(gone)).to.equal(gone.length);
        expect(memory.remove(gone), 'removed before').to.equal(0);
        expect(memory.count, 'numbers are kept').to.equal(scene.count);

        const { similarity, dim, queries } = scene;
        const { indices } = await memory.search(queries, { k: scene.count, similarity });
        expect([...new Set(indices)].sort((a, b) => a - b)).to.deep.equal(kept);
        const association = await memory.association(queries, optionsOf(scene));
        expect([...association.indices].some((j) => j % every === 0)).to.equal(false);

        const rest = DenseMemory.from(reordered(scene.stored.keys, dim, kept), { dim });
        await expectSameAnswers(scene, memory, rest);
      }),
    );
  });

  it('a call under way sees the memory as it was', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ minCount: 2, similarities: ['euclidean'] }), async (scene) => {
        const { dim, queries, count } = scene;
        const memory = DenseMemory.from(scene.stored.keys, { dim });
        const before = memory.search(queries, { k: 2 * count });
        memory.store(queries);
        memory.remove([0]);
        expect((await before).k).to.equal(count);
        expect((await memory.search(queries, { k: 10 * count + 100 })).k).to.equal(count + scene.queryCount - 1);
      }),
    );
  });

  it('what was stored survives saving and opening, bit by bit', async () => {
    let files = 0;
    await fc.assert(
      fc.asyncProperty(scenes({ minCount: 2 }), valueDims, fc.boolean(), async (scene, valueDim, remove) => {
        const { dim, similarity, count } = scene;
        const values = valueDim > 0 ? { values: gaussian(seeded(scene.seed), count, valueDim), valueDim } : {};
        const memory = DenseMemory.from(scene.stored.keys, { dim, ...values });
        if (remove) memory.remove([count - 1]);
        const path = join(folder, `${++files}.safetensors`);
        await memory.save(path);
        const opened = await DenseMemory.open(path);
        expect(opened.count).to.equal(count);
        expect(opened.dim).to.equal(dim);
        expect(opened.valueDim).to.equal(valueDim || dim);

        const [a, b] = await Promise.all([memory, opened].map((m) => m.retrieve(scene.queries, optionsOf(scene))));
        expectSameBits(b!.patterns, a!.patterns, 'patterns');
        expectSameBits(b!.values, a!.values, 'values');
        expectSameBits(b!.energy, a!.energy, 'energy');
        const searches = [memory, opened].map((m) => m.search(scene.queries, { k: count, similarity }));
        const [c, d] = await Promise.all(searches);
        expectSameBits(d!.indices, c!.indices, 'indices');
        opened.dispose();
      }),
      { numRuns: 40 }, // each run syncs a file to the disk
    );
  });

  it('the calibration is saved with the memory and used by default', async () => {
    const patterns = gaussian(seeded(1), 50, 16);
    const memory = DenseMemory.from(patterns, { dim: 16 });
    const { beta } = await memory.calibrate();
    const path = join(folder, 'calibrated.safetensors');
    await memory.save(path);
    const opened = await DenseMemory.open(path);
    const queries = gaussian(seeded(2), 3, 16);
    const byDefault = await opened.retrieve(queries);
    const explicit = await memory.retrieve(queries, { separation: softmax({ beta }) });
    // Written as decimal text, beta may lose its last bit.
    const first = queries.subarray(0, 16);
    const allowed = tolerance.readoutError({ keys: patterns, dim: 16 }, 'euclidean', beta, first, patterns, 16);
    expectClose(byDefault.patterns.subarray(0, 16), explicit.patterns.subarray(0, 16), 2 * allowed);
    opened.dispose();
  });
});

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect } from 'chai';
import * as engram from '../support/engram.js';

describe('the package', () => {
  it('exports these names', () => {
    expect(Object.keys(engram).sort()).to.deep.equal([
      'ClientsLostError',
      'DenseMemory',
      'EngramError',
      'FederatedMemory',
      'HebbianOperator',
      'MeasureMemory',
      'ProductAggregation',
      'ProductClient',
      'SecondMoment',
      'SecureSumClient',
      'SecureSumServer',
      'SumOperator',
      'cloudsFromImages',
      'configure',
      'detectability',
      'devices',
      'gaussianMechanism',
      'privacyLoss',
      'sinkhornDivergence',
      'sinkhornDivergenceSync',
      'softmax',
      'topEigenpairs',
      'topEigenpairsSync',
      'version',
    ]);
  });

  it('exports the same to CommonJS, on the same native addon', () => {
    const common = createRequire(import.meta.url)('engram') as typeof engram;
    expect(Object.keys(common).sort()).to.deep.equal(Object.keys(engram).sort());
    const memory = common.DenseMemory.from(Float32Array.of(1, 2, 3, 4), { dim: 2 });
    const separation = engram.softmax({ beta: 50 });
    expect([...memory.retrieveSync(Float32Array.of(1, 2), { separation }).patterns]).to.deep.equal([1, 2]);
  });

  it('knows its version', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
    expect(engram.version).to.equal(manifest.version);
  });
});

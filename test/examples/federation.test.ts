/** The example of a federation over HTTP, run as its reader would: a server and clients, each a process. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = resolve(import.meta.dirname, '../../examples/federation/run.mjs');

interface Outcome {
  detected: number;
  edge: number;
  cut: number;
  eigenvalues: number[];
  overlaps: number[];
  achieved: number[];
  replies: number;
  rejectedClients: { client: string; reason: string }[];
  /** Of products. */
  passes?: number;
}

async function outcomeOf(...args: string[]): Promise<Outcome> {
  const { stdout } = await promisify(execFile)(process.execPath, [run, ...args]);
  return JSON.parse(stdout) as Outcome;
}

function expectFound(outcome: Outcome): void {
  expect(outcome.detected).to.equal(3);
  expect(outcome.eigenvalues[2]).to.be.greaterThan(outcome.cut);
  expect(outcome.eigenvalues[3]).to.be.below(outcome.cut);
  expect(outcome.achieved).to.have.length(3);
  expect(Math.min(...outcome.achieved)).to.be.greaterThan(0.97);
  outcome.achieved.forEach((overlap) => {
    const predicted = Math.min(...outcome.overlaps.map((one) => Math.abs(one - overlap)));
    expect(predicted).to.be.below(0.02);
  });
}

describe('the example of a federation', function () {
  this.timeout(120_000);

  it('finds the archetypes from operators that clients post', async () => {
    const outcome = await outcomeOf('--mode', 'operators');
    expectFound(outcome);
    expect(outcome).to.deep.include({ replies: 5, rejectedClients: [] });
  });

  it('finds them from secure sums of products', async () => {
    const outcome = await outcomeOf('--mode', 'products');
    expectFound(outcome);
    expect(outcome).to.deep.include({ replies: 5, rejectedClients: [] });
    expect(outcome.passes).to.be.within(3, 12);
  });

  it('finds them when a client goes away in the middle', async () => {
    const outcome = await outcomeOf('--mode', 'products', '--leaving', '1', '--patience', '5');
    expectFound(outcome);
    expect(outcome.replies).to.equal(4);
    expect(outcome.rejectedClients).to.have.length(1);
    expect(outcome.rejectedClients[0]).to.include({ client: 'client 0', reason: 'no answer within 5000 ms' });
  });
});

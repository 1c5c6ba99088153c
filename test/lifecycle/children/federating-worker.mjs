// A worker thread with federated work under way: rounds, one of which waits for a message that never comes,
// eigenproblems that wait for JavaScript, and recalls.
import { parentPort, workerData } from 'node:worker_threads';
import { FederatedMemory, HebbianOperator, topEigenpairs } from 'engram';

const { dim, bytes } = workerData;
const memory = new FederatedMemory({ dim });
const operator = HebbianOperator.fromBytes(bytes[0]);

async function* stalling() {
  yield bytes[0];
  await new Promise(() => {});
}

const calls = [
  memory.round(bytes),
  new FederatedMemory({ dim }).round(stalling()),
  topEigenpairs({ dim, apply: () => new Promise(() => {}) }, { k: 3 }),
  topEigenpairs({ dim, apply: (block, columns) => operator.apply(block, columns) }, { k: 5, tolerance: 1e-12 }),
  memory.retrieve(new Int8Array(100 * dim).fill(1)),
];
parentPort.postMessage('busy');
await Promise.all(calls);

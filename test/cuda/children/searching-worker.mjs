// A worker thread with a memory of its own on the device, and many calls at once.
import { parentPort, workerData } from 'node:worker_threads';
import { DenseMemory } from 'engram';

const { patterns, dim, calls } = workerData;
const memory = DenseMemory.from(patterns, { dim, device: 'cuda:0' });
parentPort.postMessage('busy');
const found = await Promise.all(
  Array.from({ length: calls }, (_, i) => memory.search(patterns.slice(i * dim, (i + 1) * dim), { k: 1 + (i % 3) })),
);
parentPort.postMessage(found.map(({ indices }) => [...indices]));

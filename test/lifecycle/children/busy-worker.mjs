// A worker thread with work under way: several long calls, small ones beside them, and a save.
import { parentPort, workerData } from 'node:worker_threads';
import { DenseMemory, softmax } from 'engram';

const { patterns, dim, folder, number } = workerData;
const memory = DenseMemory.from(patterns, { dim });
const separation = softmax({ beta: 1 });
const long = patterns.slice(0, 256 * dim);

const calls = [
  memory.retrieve(long, { separation, steps: 20, onProgress: () => {} }),
  memory.search(long, { k: 10, priority: 'batch' }),
  memory.save(`${folder}/worker-${number}.safetensors`),
  ...Array.from({ length: 20 }, (_, i) => memory.energy(patterns.slice(i * dim, (i + 1) * dim), { separation })),
];
parentPort.postMessage('busy');
await Promise.all(calls);

// A worker thread with work on measures under way: an endless flow, a divergence, energies, and a save.
import { parentPort, workerData } from 'node:worker_threads';
import { MeasureMemory } from 'engram';

const { clouds, dim, folder, number } = workerData;
const memory = MeasureMemory.from(clouds, { dim, epsilon: 0.5 });
const flow = { beta: 1, steps: 2 ** 31, stepSize: { points: 1e-6, weights: 1e-6 }, flowTolerance: 0 };

const calls = [
  memory.retrieve(clouds, { ...flow, trace: number % 2 === 0, onProgress: () => {} }),
  memory.divergence(clouds, { priority: 'batch' }),
  memory.energy(clouds, { beta: 1 }),
  memory.save(`${folder}/worker-${number}.safetensors`),
];
parentPort.postMessage('busy');
await Promise.all(calls);

// A worker thread that searches a memory which lies in a buffer shared with others.
import { parentPort, workerData } from 'node:worker_threads';
import { DenseMemory } from 'engram';

const { patterns, dim, queries, k } = workerData;
const memory = DenseMemory.from(patterns, { dim, ownership: 'share' });
const { indices, scores } = await memory.search(queries, { k });
parentPort.postMessage({ indices, scores, nativeBytes: memory.nativeBytes });

// onnxruntime-node: the update as a model, the memory as its initializer, packed when the session is
// created, outputs preallocated.
//
// @ts-check
import { softmaxUpdateModel } from '../onnx-model.mjs';
import { timed } from './contestant.mjs';

/**
 * @param {import('./contestant.mjs').Task} task
 * @returns {Promise<import('./contestant.mjs').Contestant>}
 */
export async function onnxruntime({ row, patterns, batches, beta, threads }) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const { dim } = row.memory;
  const shape = [row.queries, dim];
  const session = await InferenceSession.create(softmaxUpdateModel(patterns, dim, beta), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  });
  const inputs = batches.map((queries) => new Tensor('float32', queries, shape));
  // Two outputs: each is the input of the next update. Filled, so that their pages are there.
  const outputs = [0, 1].map(
    () => new Tensor('float32', new Float32Array(row.queries * dim).fill(1), shape),
  );
  const steps = row.steps ?? 1;
  const call = async (/** @type {number} */ batch) => {
    let state = inputs[batch];
    for (let step = 0; step < steps; step++) {
      const output = outputs[step % 2];
      if (!state || !output) throw new RangeError(`no batch ${batch}`);
      await session.run({ query: state }, { output });
      state = output;
    }
    return state;
  };
  return {
    name: 'onnxruntime',
    turn: timed(call),
    answer: async (batch) => {
      const state = await call(batch);
      return { output: Float32Array.from(/** @type {Float32Array} */ (state?.data)) };
    },
  };
}

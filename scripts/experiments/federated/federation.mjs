// Clients that hand their operators to a memory, round after round.
import { FederatedMemory, HebbianOperator } from '../engram.mjs';

/**
 * @typedef {import('../engram.mjs').FederatedOptions} FederatedOptions
 * @typedef {import('../engram.mjs').RoundReport} RoundReport
 */

/**
 * One client's message. Examples are made for the purpose, so that it does not matter what the message gives away.
 * @param {Int8Array} examples
 * @param {number} dim
 * @param {{ rank?: number, client?: string }} [options]
 */
export const encode = (examples, dim, options) =>
  HebbianOperator.fromExamples(examples, { dim, allowLeak: true, ...options });

/**
 * A memory that is given up after its use.
 * @template T
 * @param {FederatedOptions} options
 * @param {(memory: FederatedMemory) => Promise<T>} use
 */
export async function withFederation(options, use) {
  const memory = new FederatedMemory(options);
  try {
    return await use(memory);
  } finally {
    memory.dispose();
  }
}

/**
 * One round of clients, named by their places.
 * @param {FederatedMemory} memory
 * @param {Int8Array[]} clients examples of each
 * @param {{ rank?: number }} [options]
 * @returns {Promise<RoundReport>}
 */
export async function playRound(memory, clients, options) {
  const operators = [];
  for (const [c, examples] of clients.entries()) {
    operators.push(await encode(examples, memory.dim, { client: `client ${c}`, ...options }));
  }
  return memory.round(operators);
}

// engram's spectral family through the public interface.
//
// @ts-check
import { readFileSync } from 'node:fs';
import { timed } from './contestant.mjs';
import { FederatedMemory, topEigenpairs } from '../engram.mjs';

/**
 * @typedef {import('./contestant.mjs').Contestant} Contestant
 * @typedef {import('../rows.mjs').Row} Row
 */

const notCompared = () => Promise.reject(new Error('judged elsewhere'));

/**
 * @param {string} name
 * @param {import('../engram.mjs').SecondMoment} moment
 * @param {{ row: Row, threads: number }} task
 * @returns {Contestant & { find: () => ReturnType<typeof topEigenpairs> }}
 */
export function eigenpairs(name, moment, { row: { k = 1, tolerance }, threads }) {
  const find = () => topEigenpairs(moment, { k, tolerance, threads });
  const facts = async () => ({ products: (await find()).products });
  return { name, find, turn: timed(find), answer: notCompared, facts };
}

/**
 * A round of messages, read from files one by one as they would come from a network.
 * @param {string[]} files
 * @param {{ row: Row, threads: number }} task
 * @returns {Contestant}
 */
export function merging(files, { row: { memory }, threads }) {
  async function* messages() {
    for (const file of files) yield readFileSync(file);
  }
  const round = async () => {
    const federation = new FederatedMemory({ dim: memory.dim });
    try {
      return await federation.round(messages(), { threads });
    } finally {
      federation.dispose();
    }
  };
  return {
    name: 'engram',
    turn: timed(round),
    answer: notCompared,
    facts: async () => {
      const { detected, discardedTrace, accepted } = await round();
      return { messages: files.length, accepted, detected, 'discarded trace': discardedTrace };
    },
  };
}

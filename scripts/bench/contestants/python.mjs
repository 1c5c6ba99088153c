// Peers that live in Python: a process beside this one answers the same queries. It times itself, so that
// the pipe between costs nothing. See serve.py for the conversation.
//
// @ts-check
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Order
 * @property {string} script beside serve.py
 * @property {Record<string, (Float32Array | Float64Array)[]>} arrays given as files, parts one after the other
 * @property {Record<string, unknown>} load what else the script's Task takes
 * @property {string} kind
 * @property {number} threads
 * @property {boolean} slow as for a contestant
 */

/**
 * @typedef {object} Peers
 * @property {import('./contestant.mjs').Contestant[]} contestants
 * @property {Record<string, string>} absent names and reasons
 * @property {Record<string, string>} versions
 * @property {() => void} end
 */

/** Where to look for peers: Debian's packages are there for its own python3 alone. */
const interpreters = process.env['ENGRAM_BENCH_PYTHON']?.split(',') ?? ['python3', '/usr/bin/python3'];

/** A conversation of one JSON line each way. */
class PythonProcess {
  #process;
  #lines;
  constructor(/** @type {string} */ interpreter, /** @type {string} */ script, /** @type {number} */ threads) {
    const count = String(threads);
    this.#process = spawn(interpreter, [fileURLToPath(new URL(`../${script}`, import.meta.url))], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        OMP_NUM_THREADS: count,
        OPENBLAS_NUM_THREADS: count,
        MKL_NUM_THREADS: count,
        PYTHONDONTWRITEBYTECODE: '1',
      },
    });
    this.#process.on('error', () => {}); // no such interpreter: the output ends, and ask() says so
    this.#process.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }
  /** @param {Record<string, unknown>} request */
  async ask(request) {
    this.#process.stdin.write(JSON.stringify(request) + '\n');
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('python3 is not there or has ended');
    const reply = JSON.parse(value);
    if (reply.error) throw new Error(reply.error);
    return reply;
  }
  end() {
    this.#process.stdin.end();
  }
}

/** @returns {import('./contestant.mjs').Contestant} */
const contestant = (
  /** @type {PythonProcess} */ python,
  /** @type {string} */ peer,
  /** @type {boolean} */ slow,
) => ({
  name: peer,
  slow,
  turn: async (turn) => (await python.ask({ peer, turn })).seconds,
  answer: async (answer) => {
    const { output, indices, scores } = await python.ask({ peer, answer });
    return indices ? { indices, scores: Float32Array.from(scores) } : { output: Float64Array.from(output) };
  },
});

/**
 * The peers that one interpreter has.
 * @param {string} interpreter
 * @param {Order} order
 * @param {string[]} names
 * @returns {Promise<Peers>}
 */
async function peersOf(interpreter, { script, arrays, load, kind, threads, slow }, names) {
  const python = new PythonProcess(interpreter, script, threads);
  const folder = mkdtempSync(existsSync('/dev/shm') ? '/dev/shm/engram-bench-' : `${tmpdir()}/engram-bench-`);
  try {
    /** @type {Record<string, string>} */
    const files = {};
    for (const [name, parts] of Object.entries(arrays)) {
      files[name] = `${folder}/${name}`;
      for (const part of parts) writeFileSync(files[name], part, { flag: 'a' });
    }
    const { versions, absent } = await python.ask({ load: { files, kind, threads, ...load }, peers: names });
    const contestants = Object.keys(versions).map((peer) => contestant(python, peer, slow));
    return { contestants, absent, versions, end: () => python.end() };
  } catch (error) {
    python.end();
    const reason = error instanceof Error ? error.message : String(error);
    const absent = Object.fromEntries(names.map((name) => [name, reason]));
    return { contestants: [], absent, versions: {}, end: () => {} };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The peers called `names`, each from the first interpreter that has it.
 * @param {Order} order
 * @param {string[]} names
 * @returns {Promise<Peers>}
 */
export async function pythonContestants(order, names) {
  /** @type {Peers} */
  let found = { contestants: [], absent: {}, versions: {}, end: () => {} };
  let wanted = names;
  for (const interpreter of interpreters) {
    if (wanted.length === 0) break;
    const { contestants, absent, versions, end } = await peersOf(interpreter, order, wanted);
    const { end: endOthers } = found;
    found = {
      contestants: [...found.contestants, ...contestants],
      absent,
      versions: { ...found.versions, ...versions },
      end: () => {
        endOthers();
        end();
      },
    };
    wanted = Object.keys(absent);
  }
  return found;
}

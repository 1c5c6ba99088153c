// Peers that live in Python (NumPy, faiss, PyTorch), where python3 has them: a process beside this
// one answers the same queries. It times itself, so that the pipe between costs nothing.
//
// @ts-check
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../peers.py', import.meta.url));

/** A conversation of one JSON line each way. */
class PythonProcess {
  #process;
  #lines;
  constructor(/** @type {number} */ threads) {
    const count = String(threads);
    this.#process = spawn(process.env['ENGRAM_BENCH_PYTHON'] ?? 'python3', [script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, MKL_NUM_THREADS: count },
    });
    this.#process.on('error', () => {}); // no python3: the output ends, and ask() says so
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

/**
 * @param {import('./contestant.mjs').Task} task
 * @param {string[]} names of the peers wanted
 * @returns {Promise<{ contestants: import('./contestant.mjs').Contestant[], absent: Record<string, string>,
 *   versions: Record<string, string>, end: () => void }>}
 */
export async function pythonContestants({ row, patterns, batches, beta, threads }, names) {
  const python = new PythonProcess(threads);
  const folder = mkdtempSync(existsSync('/dev/shm') ? '/dev/shm/engram-bench-' : `${tmpdir()}/engram-bench-`);
  try {
    const files = { patterns: `${folder}/patterns`, queries: `${folder}/queries` };
    writeFileSync(files.patterns, patterns);
    for (const queries of batches) writeFileSync(files.queries, queries, { flag: 'a' });
    const { kind, steps = 1, k = 1, queries } = row;
    const load = { files, dim: row.memory.dim, queries, kind, beta, steps, k, threads };
    const { versions, absent } = await python.ask({ load, peers: names });
    const contestants = Object.keys(versions).map((peer) => ({
      name: peer,
      slow: queries > 1,
      turn: async (/** @type {number[]} */ turn) => (await python.ask({ peer, turn })).seconds,
      answer: async (/** @type {number} */ answer) => {
        const reply = await python.ask({ peer, answer });
        if (kind === 'search') return { indices: reply.indices, scores: Float32Array.from(reply.scores) };
        return { output: Float32Array.from(reply.output) };
      },
    }));
    return { contestants, absent, versions, end: () => python.end() };
  } catch (error) {
    python.end();
    const reason = error instanceof Error ? error.message : String(error);
    return {
      contestants: [],
      absent: Object.fromEntries(names.map((name) => [name, reason])),
      versions: {},
      end: () => {},
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

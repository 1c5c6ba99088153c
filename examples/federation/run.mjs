// A whole federation on this machine: a server and clients, each a process, that talk HTTP.
//
//   node run.mjs [--mode operators|products] [--clients 5] [--dim 400] [--count 3] [--samples 200] [--quality 0.4]
//                [--leaving 1] [--patience 20] [--out memory.safetensors]
//
// --leaving: so many clients go away in the middle of a pass (mode B), which the server notices after --patience seconds.
// Prints what was found, and how well.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { FederatedMemory } from 'engram';
import { hiddenArchetypes, overlaps } from './data.mjs';

const { values: options } = parseArgs({
  options: {
    mode: { type: 'string', default: 'products' },
    clients: { type: 'string', default: '5' },
    leaving: { type: 'string', default: '0' },
    out: { type: 'string' },
    patience: { type: 'string', default: '20' },
    ...Object.fromEntries(
      Object.entries({ seed: 1, dim: 400, count: 3, samples: 200, quality: 0.4 }).map(([name, value]) => [
        name,
        { type: 'string', default: String(value) },
      ]),
    ),
  },
});
const { mode, clients, leaving, patience, seed, dim, count, samples, quality } = options;
const argumentsOf = (named) => Object.entries(named).flatMap(([name, value]) => [`--${name}`, String(value)]);

function start(program, named) {
  const file = path.join(import.meta.dirname, program);
  const child = spawn(process.execPath, [file, ...argumentsOf(named)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.once('close', done));
  return { child, ended, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

/** The next line that a program prints, undefined when it has ended. */
async function nextLine({ lines }) {
  const { value, done } = await lines.next();
  return done ? undefined : JSON.parse(value);
}

const folder = await mkdtemp(path.join(tmpdir(), 'engram-federation-'));
const out = options.out ?? path.join(folder, 'memory.safetensors');
const server = start('server.mjs', { mode, clients, dim, out, patience });

try {
  const { port } = await nextLine(server);
  const all = Array.from({ length: Number(clients) }, (_, client) => {
    // Two passes are eight messages; the ninth is not answered.
    const leave = client < Number(leaving) ? { 'leave-after': 9 } : {};
    const url = `http://127.0.0.1:${port}`;
    return start('client.mjs', { server: url, mode, client, seed, count, dim, samples, quality, ...leave });
  });
  const report = await nextLine(server);
  if (report === undefined) throw new Error('the server ended without a report');
  const replies = (await Promise.all(all.map(nextLine))).filter((reply) => reply !== undefined);
  await Promise.all(all.map((client) => client.ended));
  const memory = await FederatedMemory.open(out);
  const hidden = hiddenArchetypes({ seed: Number(seed), count: Number(count), dim: Number(dim) });
  const achieved = overlaps(memory.archetypes, hidden, Number(dim));
  memory.dispose();
  console.log(JSON.stringify({ mode, ...report, achieved, replies: replies.length }, null, 2));
} finally {
  server.child.stdin.end();
  await server.ended;
  await rm(folder, { recursive: true });
}

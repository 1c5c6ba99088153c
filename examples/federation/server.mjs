// The server of a federation, one round of it. It gets operators (mode A) or sums of products (mode B), never examples.
//
//   node server.mjs --mode operators|products --clients 5 --dim 400 [--port 8080] [--out memory.safetensors] [--wait 60] [--patience 20]
//
// --wait: seconds until no more clients are waited for; --patience: seconds until an answer is given up.
// Prints its port, and the report of the round when it is over, a line of JSON each.
//
//   POST /operators             a HebbianOperator's bytes (mode A)
//   POST /join                  a ProductClient's summary (mode B)
//   GET  /messages/<client>     the next message for a client (mode B): 200; 204: none yet; 410: the round is over
//   POST /messages/<client>/<n> the answer to it
//   GET  /archetypes            what was found, packed bits: 200 when the round is over, 204 before
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { FederatedMemory, ProductAggregation } from 'engram';
import { bodyOf, Mailbox } from './http.mjs';

const { values: options } = parseArgs({
  options: {
    mode: { type: 'string', default: 'products' },
    clients: { type: 'string', default: '5' },
    dim: { type: 'string', default: '400' },
    port: { type: 'string', default: '0' },
    out: { type: 'string' },
    wait: { type: 'string', default: '60' },
    patience: { type: 'string', default: '20' },
  },
});
const dim = Number(options.dim);
const expected = Number(options.clients);

/** What clients have sent, as it comes: until all have, or no more are waited for. */
class Arrivals {
  #items = [];
  #wake = () => undefined;

  add(item) {
    this.#items.push(item);
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, 1000 * Number(options.wait));
    for (let at = 0; at < expected && !late; ) {
      if (at < this.#items.length) yield this.#items[at++];
      else await new Promise((wake) => (this.#wake = wake));
    }
    clearTimeout(timer);
  }
}

const arrivals = new Arrivals();
const mailbox = new Mailbox();
const memory = new FederatedMemory({ dim });
let isOver = false;

/** What is answered to a request: a status and maybe bytes. */
async function handle(request, path) {
  const [place, client, number] = path;
  if (request.method === 'POST' && place === 'operators' && options.mode === 'operators') {
    arrivals.add(await bodyOf(request));
    return [202];
  }
  if (request.method === 'POST' && place === 'join' && options.mode === 'products') {
    arrivals.add(JSON.parse(Buffer.from(await bodyOf(request)).toString()));
    return [202];
  }
  if (request.method === 'GET' && place === 'messages') {
    const slot = await mailbox.fetch(client, 5000);
    return slot === null ? [410] : slot === undefined ? [204] : [200, slot.message, { 'x-number': slot.number }];
  }
  if (request.method === 'POST' && place === 'messages') {
    return [mailbox.answer(client, Number(number), await bodyOf(request)) ? 202 : 409];
  }
  if (request.method === 'GET' && place === 'archetypes') {
    return isOver ? [200, memory.packedArchetypes(), { 'x-count': memory.count, 'x-dim': dim }] : [204];
  }
  return [404];
}

const server = createServer((request, response) => {
  const path = request.url.slice(1).split('/').map(decodeURIComponent);
  handle(request, path)
    .then(([status, bytes, headers]) => response.writeHead(status, headers).end(bytes))
    .catch((error) => response.writeHead(400).end(String(error)));
});

async function roundOfProducts() {
  const clients = [];
  for await (const summary of arrivals) clients.push(summary);
  const aggregation = new ProductAggregation({
    dim,
    clients,
    exchange: (query) => mailbox.exchange(query),
    timeout: 1000 * Number(options.patience),
  });
  const report = await memory.round(aggregation);
  return { ...report, passes: aggregation.passes };
}

server.listen(Number(options.port), '127.0.0.1', async () => {
  console.log(JSON.stringify({ port: server.address().port }));
  const report = options.mode === 'operators' ? await memory.round(arrivals) : await roundOfProducts();
  if (options.out !== undefined) await memory.save(options.out);
  isOver = true;
  mailbox.close();
  const { detected, edge, cut, rejectedClients, passes } = report;
  const numbers = { eigenvalues: [...report.eigenvalues], overlaps: [...memory.overlaps] };
  console.log(JSON.stringify({ detected, edge, cut, ...numbers, rejectedClients, passes }));
});

// The one who started it says when nobody needs it any more.
process.stdin.resume().on('end', () => server.close(() => process.exit()) && server.closeAllConnections());

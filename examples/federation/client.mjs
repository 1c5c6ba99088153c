// A client of a federation. Its examples stay here: it sends a HebbianOperator (mode A), or answers by masked products (B).
//
//   node client.mjs --server http://127.0.0.1:8080 --client 0 --mode operators|products --dim 400 ... (see data.mjs)
//
// --leave-after n: goes away after n messages, as a device does whose battery is empty.
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { HebbianOperator, ProductClient } from 'engram';
import { examplesOf } from './data.mjs';
import { send } from './http.mjs';

const number = (value) => ({ type: 'string', default: String(value) });
const { values } = parseArgs({
  options: {
    server: { type: 'string' },
    mode: { type: 'string', default: 'products' },
    client: number(0),
    seed: number(1),
    count: number(3),
    dim: number(400),
    samples: number(200),
    quality: number(0.4),
    'leave-after': number(Infinity),
  },
});
const { server, mode, ...numbers } = values;
const options = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Number(value)]));
const { dim } = options;
const name = `client ${options.client}`;
const examples = examplesOf(options.client, options);

async function sendOperator() {
  const operator = await HebbianOperator.fromExamples(examples, { dim, client: name });
  await send(`${server}/operators`, { method: 'POST', body: operator.toBytes() });
}

async function answerMessages() {
  const client = await ProductClient.create(examples, { dim, client: name });
  await send(`${server}/join`, { method: 'POST', body: JSON.stringify(client.summary) });
  const box = `${server}/messages/${encodeURIComponent(name)}`;
  for (let answered = 0; answered < options['leave-after']; ) {
    const { status, bytes, headers } = await send(box);
    if (status === 410) return true;
    if (status !== 200) continue;
    const answer = await client.answer(bytes);
    await send(`${box}/${headers.get('x-number')}`, { method: 'POST', body: answer });
    ++answered;
  }
  return false;
}

/** The archetypes, from the server's reply. */
async function archetypes() {
  for (;;) {
    const { status, bytes, headers } = await send(`${server}/archetypes`);
    if (status === 200) return { bytes, count: Number(headers.get('x-count')) };
    await wait(50);
  }
}

const stayed = mode === 'operators' ? (await sendOperator(), true) : await answerMessages();
if (stayed) {
  const { bytes, count } = await archetypes();
  console.log(JSON.stringify({ client: name, archetypes: count, bytes: bytes.length }));
}

// Bodies of HTTP messages, and a mailbox from which clients fetch what is meant for them.
import { once, setMaxListeners } from 'node:events';

const MOST_BYTES = 1 << 28;

/** The body of a request, as bytes of their own. */
export async function bodyOf(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MOST_BYTES) throw new Error(`a body has more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** Sends a request, and gives its answer's status, headers and bytes; 400: the server's reason is thrown. */
export async function send(url, { method = 'GET', body, signal } = {}) {
  const answer = await fetch(url, { method, body, signal });
  const { status, headers } = answer;
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (status === 400) throw new Error(Buffer.from(bytes).toString());
  return { status, headers, bytes };
}

/**
 * Clients stand behind firewalls: they ask, the server never calls them. A message waits in the client's slot until it is
 * fetched, and its answer comes by another request.
 */
export class Mailbox {
  #slots = new Map(); // client -> { number, message, answered }
  #news = new EventTarget();
  #numbers = 0;
  #closed = false;

  constructor() {
    setMaxListeners(0, this.#news); // one for each client that waits
  }

  /** Puts a message into a client's slot, and waits for the answer. */
  exchange({ client, message, signal }) {
    return new Promise((answered, failed) => {
      this.#slots.set(client, { number: ++this.#numbers, message, answered });
      signal.addEventListener('abort', () => {
        this.#slots.delete(client);
        failed(signal.reason);
      });
      this.#news.dispatchEvent(new Event('news'));
    });
  }

  /** The message for a client, when there is one; undefined after `patience` milliseconds, null when all is over. */
  async fetch(client, patience) {
    const deadline = AbortSignal.timeout(patience);
    for (;;) {
      if (this.#closed) return null;
      const slot = this.#slots.get(client);
      if (slot !== undefined && !slot.fetched) {
        slot.fetched = true;
        return slot;
      }
      try {
        await once(this.#news, 'news', { signal: deadline });
      } catch {
        return undefined;
      }
    }
  }

  /** Takes a client's answer to message `number`; false when none is waited for. */
  answer(client, number, bytes) {
    const slot = this.#slots.get(client);
    if (slot?.number !== number) return false;
    this.#slots.delete(client);
    slot.answered(bytes);
    return true;
  }

  close() {
    this.#closed = true;
    this.#news.dispatchEvent(new Event('news'));
  }
}

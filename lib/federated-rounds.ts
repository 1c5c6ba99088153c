/** Rounds of a federation: where messages and products come from. */
import { types } from 'node:util';
import { asynchronous, type Call, type CallOptions, maxThreads, synchronous, type SyncOptions } from './call.js';
import type { ClientSummary } from './client-summary.js';
import { productQuestions } from './eigenpairs.js';
import { badArgument, EngramError } from './errors.js';
import { type RejectedClient, roundReport, type RoundReport } from './federated-results.js';
import { HebbianOperator } from './hebbian-operator.js';
import type { LinearOperator } from './linear-operator.js';
import type { NativeFederatedMemory, NativeMessage, NativeRound, NativeSettle } from './native.js';
import { NativeHandle } from './native-handle.js';
import { number, optionsObject } from './options.js';
import { Questions } from './questions.js';
import { Turns } from './turns.js';

/** A client's message: an operator, or bytes that nobody has read yet. */
export type Message = HebbianOperator | Uint8Array;

/** Messages of a round, whether they are there or still to come. */
export type MessageSource = Iterable<Message> | AsyncIterable<Message>;

/** The sum of the clients' operators as `ProductAggregation` gives it: by products alone. */
export interface ProductSource extends LinearOperator {
  /** Clients that take part, and how much each counts. */
  readonly clients: readonly ClientSummary[];
  readonly weights: Float64Array;
  /** Their places among those that were asked. */
  readonly positions: readonly number[];
  readonly rejected: readonly RejectedClient[];
  /** Deviation of the noise added for privacy to an entry off the diagonal; 0: none. */
  readonly symmetricNoise: number;
  /** Runs a computation, again from its beginning when clients were lost on the way. */
  restarting<T>(compute: () => Promise<T>): Promise<T>;
}

/** The inside of a FederatedMemory. */
export class FederatedStore extends NativeHandle<NativeFederatedMemory> {
  /** Of its rounds. */
  readonly turns = new Turns();
}

export function round(
  op: string,
  store: FederatedStore,
  source: MessageSource | ProductSource,
  options: CallOptions | undefined,
): Promise<RoundReport> {
  return store.turns.take(options?.signal, async () => {
    if (!isProductSource(source)) return roundOfMessages(op, store, source, options);
    const report = await source.restarting(() => roundOfProducts(op, store, source, options));
    return withRejected(report, source);
  });
}

export function roundSync(
  op: string,
  store: FederatedStore,
  messages: Iterable<Message>,
  options: SyncOptions<CallOptions> | undefined,
): RoundReport {
  return synchronous(op, () => {
    const threads = maxThreads(op, optionsObject(op, options));
    if (store.turns.taken) {
      throw new EngramError('ERR_ENGRAM_RANGE', op, 'a round of this memory is under way, which waits for this thread; await it first');
    }
    if (!isIterable(messages)) throw badArgument('ERR_ENGRAM_TYPE', op, 'operators', messages, 'an iterable of messages');
    const contents = [...messages].map((message) => contentOf(op, message));
    return roundReport(store.native(op).roundSync(contents, threads));
  });
}

// ---- messages ----

function roundOfMessages(
  op: string,
  store: FederatedStore,
  source: MessageSource,
  options: CallOptions | undefined,
): Promise<RoundReport> {
  return asynchronous(op, options, (call: Call<RoundReport>) => {
    const native = store.native(op);
    const reader = new MessageReader(op, iteratorOf(op, source));
    const settle = call.settle((...report: never[]) => reportOf(native, report));
    const end: NativeSettle = (error, ...results) => {
      reader.close();
      settle(error, ...results);
    };
    const asking = new Questions(op, () => reader.next(), end);
    asking.id = native.round(asking.ask, call.maxThreads, call.interactive, asking.settle, call.progress);
    call.started(asking.id);
  });
}

/** The report of a round. The native memory that was at work stays alive until then, because it is named here. */
function reportOf(_native: NativeFederatedMemory, report: readonly unknown[]): RoundReport {
  return roundReport(report as NativeRound);
}

function isIterable(source: unknown): source is Iterable<Message> {
  return typeof (source as Iterable<Message> | null | undefined)?.[Symbol.iterator] === 'function' && typeof source !== 'string';
}

type MessageIterator = Iterator<Message> | AsyncIterator<Message>;

function iteratorOf(op: string, source: MessageSource): MessageIterator {
  if (isIterable(source) && !types.isUint8Array(source)) return source[Symbol.iterator]();
  const asynchronousSource = source as AsyncIterable<Message> | null | undefined;
  if (typeof asynchronousSource?.[Symbol.asyncIterator] === 'function') return asynchronousSource[Symbol.asyncIterator]();
  const expected = 'an iterable of HebbianOperators or their bytes, or a ProductAggregation';
  throw badArgument('ERR_ENGRAM_TYPE', op, 'operators', source, expected);
}

function contentOf(op: string, message: unknown): NativeMessage | Uint8Array {
  if (message instanceof HebbianOperator) return message.message();
  if (types.isUint8Array(message)) return message;
  throw badArgument('ERR_ENGRAM_TYPE', op, 'a message', message, 'a HebbianOperator, or its bytes as a Uint8Array');
}

/** Takes messages from a source one by one. */
class MessageReader {
  #exhausted = false;

  constructor(
    readonly op: string,
    readonly messages: MessageIterator,
  ) {}

  /** The content of the next message; null after the last one. */
  async next(): Promise<NativeMessage | Uint8Array | null> {
    const next = await this.messages.next();
    this.#exhausted = next.done === true;
    return next.done === true ? null : contentOf(this.op, next.value);
  }

  /** As `for await` does when it is left early; what comes of it concerns nobody any more. */
  close(): void {
    if (this.#exhausted) return;
    try {
      Promise.resolve(this.messages.return?.()).catch(() => undefined);
    } catch {
      // An iterator that cannot be closed has nothing to free.
    }
  }
}

// ---- products ----

function isProductSource(source: MessageSource | ProductSource): source is ProductSource {
  return typeof (source as Partial<ProductSource> | null | undefined)?.restarting === 'function';
}

/** A source that fits a memory of this dim. */
function checkedSource(op: string, source: ProductSource, dim: number): ProductSource {
  const { clients, weights, symmetricNoise } = source;
  if (source.dim !== dim) throw badArgument('ERR_ENGRAM_SHAPE', op, 'products.dim', source.dim, `that of the memory, ${dim}`);
  if (!types.isFloat64Array(weights)) throw badArgument('ERR_ENGRAM_TYPE', op, 'products.weights', weights, 'a Float64Array');
  if (weights.length !== clients.length) {
    throw badArgument('ERR_ENGRAM_SHAPE', op, 'products.weights', weights, `${clients.length} numbers, one for each client`);
  }
  number(op, 'products.symmetricNoise', symmetricNoise, (sigma) => sigma >= 0, 'a number of at least 0');
  return source;
}

function roundOfProducts(
  op: string,
  store: FederatedStore,
  source: ProductSource,
  options: CallOptions | undefined,
): Promise<RoundReport> {
  return asynchronous(op, options, (call: Call<RoundReport>) => {
    const native = store.native(op);
    const { clients, weights, symmetricNoise } = checkedSource(op, source, native.counts()[0]);
    const settle = call.settle((...report: never[]) => reportOf(native, report));
    const asking = productQuestions(op, source, settle);
    const numbers = (of: (client: ClientSummary) => number): Float64Array => Float64Array.from(clients, of);
    asking.id = native.roundOfProducts(
      asking.ask,
      clients.map(({ client }) => client),
      numbers(({ sampleCount }) => sampleCount),
      numbers(({ noiseVariance }) => noiseVariance),
      numbers(({ quality }) => quality),
      weights,
      symmetricNoise,
      call.maxThreads,
      call.interactive,
      asking.settle,
      call.progress,
    );
    call.started(asking.id);
  });
}

/** The report with clients at the places where they were asked, those that took no part among them. */
function withRejected(report: RoundReport, { positions, rejected }: ProductSource): RoundReport {
  const spread = (values: Float64Array): Float64Array => {
    const all = new Float64Array(positions.length + rejected.length);
    values.forEach((value, at) => (all[positions[at]!] = value));
    return all;
  };
  return {
    ...report,
    clientWeights: spread(report.clientWeights),
    plasticity: spread(report.plasticity),
    rejectedClients: rejected.map(({ position, client, code, reason }) => ({ position, client, code, reason })),
  };
}

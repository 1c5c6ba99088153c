/** Memories as files: what opening and saving have in common, whatever the memory. */
import { asynchronous, type Call, type CallOptions, synchronous } from './call.js';
import { checkedMetadata, isVerified, type MemoryOptions, type OpenOptions } from './memory-options.js';
import type { NativeMemory, NativeOpened } from './native.js';
import type { NativeHandle } from './native-handle.js';
import { optionsObject, text } from './options.js';

/** Checks what a kind of memory has for options of its own, before the file is touched; makes the public memory. */
export type Opening<T, Facts extends unknown[], Options> = (
  op: string,
  options: Options,
) => (metadata: Record<string, string>, ...facts: Facts) => T;

/** Checks the arguments of open; what is returned makes the memory of the native answer. */
function planOpening<T, Facts extends unknown[], Options extends MemoryOptions>(
  op: string,
  path: string,
  options: Options,
  opening: Opening<T, Facts, Options>,
): (answer: NativeOpened<Facts>) => T {
  text(op, 'path', path);
  const own = checkedMetadata(op, options);
  const opened = opening(op, options);
  return ([entries, ...facts]) => {
    const metadata: Record<string, string> = {};
    for (let i = 0; i < entries.length; i += 2) metadata[entries[i]!] = entries[i + 1]!;
    return opened({ ...metadata, ...own }, ...facts);
  };
}

/** Opens the file at `path` into `native`, which is empty. */
export function open<T, Facts extends unknown[], Options extends OpenOptions>(
  op: string,
  native: NativeMemory<Facts>,
  path: string,
  options: Options | undefined,
  opening: Opening<T, Facts, Options>,
): Promise<T> {
  return asynchronous(op, options, (call: Call<T>, given) => {
    const finish = planOpening(op, path, given, opening);
    const settle = call.settle((...answer: never[]) => finish(answer as unknown as NativeOpened<Facts>));
    call.started(native.open(path, isVerified(op, given), settle, undefined));
  });
}

export function openSync<T, Facts extends unknown[], Options extends Omit<OpenOptions, 'signal'>>(
  op: string,
  native: NativeMemory<Facts>,
  path: string,
  options: Options | undefined,
  opening: Opening<T, Facts, Options>,
): T {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const finish = planOpening(op, path, given, opening);
    return finish(native.openSync(path, isVerified(op, given)));
  });
}

type Metadata = Readonly<Record<string, string>>;

export function save(
  op: string,
  handle: NativeHandle<NativeMemory>,
  path: string,
  metadata: Metadata,
  options: CallOptions | undefined,
): Promise<void> {
  return asynchronous(op, options, (call: Call<void>) => {
    const native = handle.native(op);
    text(op, 'path', path);
    const settle = call.settle(() => undefined);
    call.started(native.save(path, Object.entries(metadata).flat(), settle, call.progress));
  });
}

export function saveSync(op: string, handle: NativeHandle<NativeMemory>, path: string, metadata: Metadata): void {
  synchronous(op, () => {
    const native = handle.native(op);
    native.saveSync(text(op, 'path', path), Object.entries(metadata).flat());
  });
}

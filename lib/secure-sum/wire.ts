/** Bytes of messages: little-endian numbers and byte strings, one after the other. */
import { EngramError } from '../errors.js';

/** Writes a message from front to back. */
export class Writer {
  readonly #parts: Uint8Array[] = [];

  u8(value: number): this {
    return this.bytes(Uint8Array.of(value));
  }

  u16(value: number): this {
    return this.bytes(Uint8Array.of(value, value >>> 8));
  }

  u32(value: number): this {
    return this.bytes(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  f64(value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.bytes(bytes);
  }

  bytes(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }

  /** Float32 or 32-bit words, as they lie on this (little-endian) machine. */
  words(value: Float32Array | Uint32Array): this {
    return this.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }

  finish(): Uint8Array {
    const message = new Uint8Array(this.#parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      message.set(part, at);
      at += part.length;
    }
    return message;
  }
}

/** Reads a message from front to back; whatever is not there is an `ERR_ENGRAM_FORMAT`. */
export class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(
    readonly op: string,
    readonly message: Uint8Array,
  ) {
    if (!(message instanceof Uint8Array)) {
      throw new EngramError('ERR_ENGRAM_TYPE', op, 'a message must be a Uint8Array', { detail: message });
    }
    this.#view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return Uint8Array.prototype.slice.call(this.message, at, at + length);
  }

  /** All that is left, a copy. */
  rest(): Uint8Array {
    return this.bytes(this.message.length - this.#at);
  }

  floats(count: number): Float32Array {
    return new Float32Array(this.bytes(count * 4).buffer);
  }

  words(count: number): Uint32Array {
    return new Uint32Array(this.bytes(count * 4).buffer);
  }

  /** The message must end here. */
  end(): void {
    if (this.#at !== this.message.length) this.fail(`has ${this.message.length - this.#at} bytes too many`);
  }

  fail(what: string): never {
    throw new EngramError('ERR_ENGRAM_FORMAT', this.op, `the message ${what}`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.message.length) {
      this.fail(`ends after ${this.message.length} bytes; expected at least ${at + length}`);
    }
    this.#at += length;
    return at;
  }
}

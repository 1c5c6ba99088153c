/**
 * The messages of a secure sum. Each begins with the version, its kind, the session (16 random bytes) and the sender: a
 * client's number, or SERVER.
 *
 *   server to client        client to server
 *   open                    keys          the client's two public keys, and a commitment to its own mask
 *   roster                  shares        for each other client its shares, sealed
 *   sealed                  input         the masked input
 *   survivors               unmasking     a share of each client's mask, or of its private key
 */
import { KEY_LENGTH, TAG_LENGTH } from './secrets.js';
import { Reader, Writer } from './wire.js';

const VERSION = 1;
export const SESSION_LENGTH = 16;
export const SERVER = 0xffff;
/** A share is of 32 bytes, and has a coordinate. */
export const SHARE_LENGTH = KEY_LENGTH + 1;
const SEALED_LENGTH = 4 + 2 * SHARE_LENGTH + TAG_LENGTH;

const KINDS = ['open', 'keys', 'roster', 'shares', 'sealed', 'input', 'survivors', 'unmasking'] as const;
export type Kind = (typeof KINDS)[number];

/** What the server tells a client about the sum it is to take part in. */
export interface Opening {
  /** The receiver's number, 0 to clients - 1. */
  client: number;
  clients: number;
  /** Fewest clients that the sum is of, and that can unmask it. */
  threshold: number;
  /** How many numbers each client contributes. */
  length: number;
  /** Units of fixed point in 1. */
  scale: number;
}

/** A client's public keys: for sealing what it is sent, and for the masks it shares. */
export interface PublicKeys {
  client: number;
  sealing: Uint8Array;
  masking: Uint8Array;
}

/** What a client tells the server at first. */
export interface Introduction extends PublicKeys {
  /** Derived from the seed of its own mask, so that the server knows that one when it has it. */
  commitment: Uint8Array;
}

/** Bytes from one client to another; `client` is the other end as seen by the receiver of the message. */
export interface Sealed {
  client: number;
  bytes: Uint8Array;
}

/** What one client got of another's secrets. */
export interface Shares {
  from: number;
  to: number;
  /** Of the seed of its own mask. */
  own: Uint8Array;
  /** Of the private key of the masks it shares. */
  pairwise: Uint8Array;
}

/** Whose inputs the sum is of, and whose are missing. */
export interface Survivors {
  alive: number[];
  dropped: number[];
}

/** One share for the server: of the own mask of a client that is alive, of the private key of one that dropped. */
export interface Unmasking {
  client: number;
  alive: boolean;
  share: Uint8Array;
}

export function begin(kind: Kind, session: Uint8Array, sender: number): Writer {
  return new Writer().u8(VERSION).u8(KINDS.indexOf(kind)).bytes(session).u16(sender);
}

/** Kind and session of a message, without reading on. */
export function peek(op: string, message: Uint8Array): { kind: Kind; session: Uint8Array } {
  const reader = new Reader(op, message);
  const version = reader.u8();
  if (version !== VERSION) reader.fail(`is of version ${version}; expected ${VERSION}`);
  const number = reader.u8();
  const kind = KINDS[number] ?? reader.fail(`is of the unknown kind ${number}`);
  return { kind, session: reader.bytes(SESSION_LENGTH) };
}

/** A reader behind the beginning, which must say this. */
export function read(op: string, message: Uint8Array, kind: Kind, session: Uint8Array, sender: number): Reader {
  const found = peek(op, message);
  const reader = new Reader(op, message);
  if (found.kind !== kind) reader.fail(`is '${found.kind}'; expected '${kind}'`);
  if (found.session.some((byte, at) => byte !== session[at])) reader.fail('belongs to another sum');
  reader.bytes(2 + SESSION_LENGTH);
  const from = reader.u16();
  if (from !== sender) reader.fail(`is from ${nameOf(from)}; expected one from ${nameOf(sender)}`);
  return reader;
}

const nameOf = (sender: number): string => (sender === SERVER ? 'the server' : `client ${sender}`);

/** A list of things of different clients, in order. */
function writeList<T extends { client: number }>(writer: Writer, list: readonly T[], write: (one: T) => unknown): Writer {
  writer.u16(list.length);
  for (const one of list) {
    writer.u16(one.client);
    write(one);
  }
  return writer;
}

function readList<T>(reader: Reader, read: (client: number) => T): T[] {
  const list: T[] = [];
  let last = -1;
  for (let left = reader.u16(); left > 0; --left) {
    const client = reader.u16();
    if (client <= last) reader.fail(`names client ${client} after client ${last}; expected each once, in order`);
    last = client;
    list.push(read(client));
  }
  return list;
}

export function writeOpening(session: Uint8Array, o: Opening): Uint8Array {
  const writer = begin('open', session, SERVER);
  return writer.u16(o.client).u16(o.clients).u16(o.threshold).u32(o.length).f64(o.scale).finish();
}

export function readOpening(op: string, message: Uint8Array, session: Uint8Array): Opening {
  const reader = read(op, message, 'open', session, SERVER);
  const opening = {
    client: reader.u16(),
    clients: reader.u16(),
    threshold: reader.u16(),
    length: reader.u32(),
    scale: reader.f64(),
  };
  reader.end();
  return opening;
}

export function writeKeys(session: Uint8Array, keys: Introduction): Uint8Array {
  const { client, sealing, masking, commitment } = keys;
  return begin('keys', session, client).bytes(sealing).bytes(masking).bytes(commitment).finish();
}

export function readKeys(op: string, message: Uint8Array, session: Uint8Array, client: number): Introduction {
  const reader = read(op, message, 'keys', session, client);
  const key = (): Uint8Array => reader.bytes(KEY_LENGTH);
  const keys = { client, sealing: key(), masking: key(), commitment: key() };
  reader.end();
  return keys;
}

export function writeRoster(session: Uint8Array, roster: readonly PublicKeys[]): Uint8Array {
  const writer = begin('roster', session, SERVER);
  return writeList(writer, roster, ({ sealing, masking }) => writer.bytes(sealing).bytes(masking)).finish();
}

export function readRoster(op: string, message: Uint8Array, session: Uint8Array): PublicKeys[] {
  const reader = read(op, message, 'roster', session, SERVER);
  const roster = readList(reader, (client) => ({
    client,
    sealing: reader.bytes(KEY_LENGTH),
    masking: reader.bytes(KEY_LENGTH),
  }));
  reader.end();
  return roster;
}

/** 'shares' of a client, or 'sealed' of the server. */
export function writeSealed(kind: Kind, session: Uint8Array, sender: number, list: readonly Sealed[]): Uint8Array {
  const writer = begin(kind, session, sender);
  return writeList(writer, list, ({ bytes }) => writer.bytes(bytes)).finish();
}

export function readSealed(op: string, message: Uint8Array, kind: Kind, session: Uint8Array, sender: number): Sealed[] {
  const reader = read(op, message, kind, session, sender);
  const list = readList(reader, (client) => ({ client, bytes: reader.bytes(SEALED_LENGTH) }));
  reader.end();
  return list;
}

/** What is sealed. */
export function writeShares({ from, to, own, pairwise }: Shares): Uint8Array {
  return new Writer().u16(from).u16(to).bytes(own).bytes(pairwise).finish();
}

export function readShares(op: string, bytes: Uint8Array, from: number, to: number): Shares {
  const reader = new Reader(op, bytes);
  if (reader.u16() !== from || reader.u16() !== to) reader.fail('holds a share that was meant for another client');
  const shares = { from, to, own: reader.bytes(SHARE_LENGTH), pairwise: reader.bytes(SHARE_LENGTH) };
  reader.end();
  return shares;
}

export function writeInput(session: Uint8Array, client: number, masked: Uint32Array): Uint8Array {
  return begin('input', session, client).words(masked).finish();
}

export function readInput(op: string, message: Uint8Array, session: Uint8Array, client: number, length: number): Uint32Array {
  const reader = read(op, message, 'input', session, client);
  const masked = reader.words(length);
  reader.end();
  return masked;
}

export function writeSurvivors(session: Uint8Array, { alive, dropped }: Survivors): Uint8Array {
  const writer = begin('survivors', session, SERVER);
  for (const list of [alive, dropped]) writeList(writer, list.map((client) => ({ client })), () => writer);
  return writer.finish();
}

export function readSurvivors(op: string, message: Uint8Array, session: Uint8Array): Survivors {
  const reader = read(op, message, 'survivors', session, SERVER);
  const alive = readList(reader, (client) => client);
  const dropped = readList(reader, (client) => client);
  reader.end();
  return { alive, dropped };
}

export function writeUnmasking(session: Uint8Array, sender: number, list: readonly Unmasking[]): Uint8Array {
  const writer = begin('unmasking', session, sender);
  return writeList(writer, list, ({ alive, share }) => writer.u8(alive ? 1 : 0).bytes(share)).finish();
}

export function readUnmasking(op: string, message: Uint8Array, session: Uint8Array, sender: number): Unmasking[] {
  const reader = read(op, message, 'unmasking', session, sender);
  const list = readList(reader, (client) => ({ client, alive: reader.u8() === 1, share: reader.bytes(SHARE_LENGTH) }));
  reader.end();
  return list;
}

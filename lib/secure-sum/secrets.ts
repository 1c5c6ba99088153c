/**
 * The cryptography of secure sums, from node:crypto: X25519 agreement, HKDF-SHA-256, AES-256-GCM between clients and
 * AES-256-CTR as the generator of masks. Keys live for one sum, so that no key and nonce are ever used twice.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { EngramError } from '../errors.js';

export const KEY_LENGTH = 32;
export const TAG_LENGTH = 16;

// RFC 8410: an X25519 key in DER is this and the 32 bytes of the key.
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** An X25519 key pair. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export function newKeyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return { privateKey, publicKey: rawPublic(publicKey) };
}

/** The 32 bytes that a private key is made from. */
export function privateSeed({ privateKey }: KeyPair): Uint8Array {
  return Uint8Array.from(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PRIVATE_PREFIX.length));
}

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const privateKey = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: rawPublic(createPublicKey(privateKey)) };
}

function rawPublic(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length));
}

/** What two clients know and nobody else: 32 bytes for this purpose. `publicKey` may be hostile. */
export function agree(op: string, own: KeyPair, publicKey: Uint8Array, session: Uint8Array, purpose: string): Uint8Array {
  try {
    const other = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, publicKey]), format: 'der', type: 'spki' });
    return derive(diffieHellman({ privateKey: own.privateKey, publicKey: other }), session, purpose);
  } catch (cause) {
    throw new EngramError('ERR_ENGRAM_FORMAT', op, 'a public key of the message is not one', { cause });
  }
}

/** HKDF-SHA-256 with the session as salt. */
function derive(secret: Uint8Array, session: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, session, `engram secure sum: ${purpose}`, KEY_LENGTH));
}

/** The key of a client's own mask. */
export const ownMaskKey = (seed: Uint8Array, session: Uint8Array): Uint8Array => derive(seed, session, 'own mask');

/** What tells the right seed of an own mask from a wrong one, and nothing else of it. */
export const commitmentTo = (seed: Uint8Array, session: Uint8Array): Uint8Array => derive(seed, session, 'commitment');

/** The key of the mask that two clients share. */
export const pairMaskKey = (op: string, own: KeyPair, other: Uint8Array, session: Uint8Array): Uint8Array =>
  agree(op, own, other, session, 'pairwise mask');

const ZERO_NONCE = new Uint8Array(12);
const ZERO_COUNTER = new Uint8Array(16);

/** Encrypts the one message that `key` is for; 16 bytes longer. */
export function seal(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, ZERO_NONCE);
  return Uint8Array.from(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
}

export function unseal(op: string, key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, ZERO_NONCE, { authTagLength: TAG_LENGTH });
  decipher.setAuthTag(sealed.subarray(-TAG_LENGTH));
  try {
    return Uint8Array.from(Buffer.concat([decipher.update(sealed.subarray(0, -TAG_LENGTH)), decipher.final()]));
  } catch (cause) {
    throw new EngramError('ERR_ENGRAM_FORMAT', op, 'a share was not sealed by the client it is said to be from', { cause });
  }
}

/** `length` pseudo-random words: the key stream of AES-256-CTR. */
export function maskOf(key: Uint8Array, length: number): Uint32Array {
  const mask = new Uint32Array(length);
  const stream = createCipheriv('aes-256-ctr', key, ZERO_COUNTER).update(new Uint8Array(length * 4));
  new Uint8Array(mask.buffer).set(stream);
  return mask;
}

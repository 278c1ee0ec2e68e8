import { randomFillSync } from 'node:crypto';
import { BASE32_LENGTH, decodeBase32, encodeBase32 } from './base32.js';

/**
 * The prefix of every public id. Inside the process and in PostgreSQL an id is a UUID string; only the edges
 * (HTTP, GraphQL, the CLI) show and read the prefixed form. Worker ids are the exception: they are text
 * everywhere, because a CODE worker's author names it (`worker-echo`).
 */
export const ID_PREFIXES = {
  webhook: 'wh_',
  call: 'call-',
  execution: 'exec-',
  callback: 'callback-',
  bulkOperation: 'bulk-',
  alert: 'alert-',
  secretVersion: 'secret-',
  user: 'user-',
  apiToken: 'token-',
  runner: 'runner-',
  provider: 'provider-',
  connection: 'conn-',
  model: 'model-',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

/** Worker ids: a slug that the author chose or 26 base32 characters that {@link newWorkerId} made. */
const WORKER_ID = /^worker-[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

let pool = new Uint8Array(0);
let poolAt = 0;

/** Random bytes from a pool: one call to the generator for 256 ids instead of one each. */
function randomBytes16(): Uint8Array {
  if (poolAt + 16 > pool.length) {
    pool = randomFillSync(new Uint8Array(16 * 256));
    poolAt = 0;
  }
  poolAt += 16;
  return pool.slice(poolAt - 16, poolAt);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function toUuid(b: Uint8Array): string {
  const hex = (from: number, to: number): string => {
    let text = '';
    for (let i = from; i < to; i += 1) text += HEX[b[i]!];
    return text;
  };
  return `${hex(0, 4)}-${hex(4, 6)}-${hex(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`;
}

function fromUuid(uuid: string): Uint8Array {
  return Uint8Array.from(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
}

function writeTimestamp(bytes: Uint8Array, unixMs: number): void {
  const high = Math.floor(unixMs / 2 ** 32);
  bytes[0] = (high >>> 8) & 255;
  bytes[1] = high & 255;
  const low = unixMs >>> 0;
  bytes[2] = low >>> 24;
  bytes[3] = (low >>> 16) & 255;
  bytes[4] = (low >>> 8) & 255;
  bytes[5] = low & 255;
}

/**
 * A new UUIDv7 (RFC 9562, 5.7): 48 bits of Unix time in milliseconds, then random bits. Ids sort by time,
 * which is what the partitions, the keyset cursors and the retention limit rest on.
 *
 * @param unixMs the time to carry; a call's executions take the call's, so that they are found beside it.
 */
export function newUuidV7(unixMs: number = Date.now()): string {
  const bytes = randomBytes16();
  writeTimestamp(bytes, unixMs);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return toUuid(bytes);
}

/** 128 random bits in the form of a UUID, for ids that must not be guessed: webhooks. */
export function newRandomUuid(): string {
  return toUuid(randomBytes16());
}

/** A new worker id, `worker-` and a UUIDv7 in base32. */
export function newWorkerId(): string {
  return `worker-${encodeBase32(fromUuid(newUuidV7()))}`;
}

/** Whether a text has the form of a worker id. */
export function isWorkerId(text: string): boolean {
  return WORKER_ID.test(text);
}

/** The smallest UUID that a UUIDv7 of this time or later can be; the bounds of partitions and scans. */
export function uuidV7Floor(unixMs: number): string {
  const bytes = new Uint8Array(16);
  writeTimestamp(bytes, Math.max(0, unixMs));
  return toUuid(bytes);
}

/** The time that a UUIDv7 carries, Unix milliseconds. */
export function uuidV7Time(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

/** The public form of an id: prefix and 26 base32 characters. */
export function formatId(kind: IdKind, uuid: string): string {
  return ID_PREFIXES[kind] + encodeBase32(fromUuid(uuid));
}

/** Reads a public id; `undefined` when it is not exactly one of this kind. */
export function parseId(kind: IdKind, text: string): string | undefined {
  const prefix = ID_PREFIXES[kind];
  if (text.length !== prefix.length + BASE32_LENGTH || !text.startsWith(prefix)) return undefined;
  const bytes = decodeBase32(text.slice(prefix.length));
  return bytes === undefined ? undefined : toUuid(bytes);
}

import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Sql } from '../db/database.js';
import type { Principal } from './principal.js';

/** What a detail may be. No secret, token or payload: the log outlives them and more people read it. */
export type AuditDetail = string | number | boolean | null | readonly string[];

export interface AuditEntry {
  /** `noun.verb-in-the-past`, such as `webhook.created`. */
  readonly action: string;
  /** What it was done to, in the public form of its id. */
  readonly subjectId: string | null;
  readonly details?: Readonly<Record<string, AuditDetail>>;
}

/** The advisory lock that one writer of the log holds until its COMMIT ("work" and "audi" as two 32-bit numbers). */
const AUDIT_LOCK = [0x776f_726b, 0x6175_6469] as const;

/** What the first event follows. */
const GENESIS = Buffer.alloc(32);

/**
 * Writes to the audit log in the transaction that `em` is in: the change and its record are committed together or not
 * at all. Each event carries the SHA-256 of the one before and of itself, so that a changed or removed one shows.
 *
 * Call it after every other lock is taken, next to the end of the transaction: writers wait for one another from here
 * to the COMMIT.
 */
export async function recordAudit(
  em: Pick<EntityManager, 'execute'>,
  actor: Pick<Principal, 'userId' | 'credential'>,
  entry: AuditEntry,
): Promise<void> {
  await em.execute('select pg_advisory_xact_lock(?, ?)', [...AUDIT_LOCK]);
  const [last] = await em.execute<LastEvent[]>(LAST);
  const event: HashedEvent = {
    seq: Number(last?.seq ?? 0) + 1,
    atMs: last?.now_ms ?? (await nowMs(em)),
    userId: actor.userId,
    credential: `${actor.credential.type}:${actor.credential.id}`,
    action: entry.action,
    subjectId: entry.subjectId,
    details: storable(entry.details ?? {}),
  };
  const previous = last === undefined ? GENESIS : Buffer.from(last.hash, 'hex');
  await em.execute(INSERT, [
    event.seq,
    event.atMs,
    event.userId,
    event.credential,
    event.action,
    event.subjectId,
    JSON.stringify(event.details),
    previous.toString('hex'),
    hashOf(previous, event).toString('hex'),
  ]);
}

interface LastEvent {
  readonly seq: string;
  readonly hash: string;
  readonly now_ms: number;
}

/** Time is kept in whole milliseconds: what is hashed is exactly what is stored. */
const NOW_MS = 'floor(extract(epoch from clock_timestamp()) * 1000)::float8';

const LAST = `
  select seq, encode(hash, 'hex') as hash, ${NOW_MS} as now_ms from audit_events order by seq desc limit 1`;

const INSERT = `
  insert into audit_events (seq, at, user_id, credential, action, subject_id, details, previous_hash, hash)
  values (?, to_timestamp(?::float8 / 1000), ?, ?, ?, ?, ?::jsonb, decode(?, 'hex'), decode(?, 'hex'))`;

async function nowMs(em: Pick<EntityManager, 'execute'>): Promise<number> {
  const [row] = await em.execute<{ now_ms: number }[]>(`select ${NOW_MS} as now_ms`);
  return row!.now_ms;
}

interface HashedEvent {
  readonly seq: number;
  readonly atMs: number;
  readonly userId: string | null;
  readonly credential: string;
  readonly action: string;
  readonly subjectId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** jsonb refuses U+0000 and lone surrogates; a name with one must not keep a change from being recorded. */
function storable(details: Readonly<Record<string, AuditDetail>>): Record<string, AuditDetail> {
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => [
      key,
      typeof value === 'string' ? storableText(value) : isList(value) ? value.map(storableText) : value,
    ]),
  );
}

function storableText(text: string): string {
  return text.replaceAll('\0', '\u{fffd}').toWellFormed();
}

function isList(value: AuditDetail): value is readonly string[] {
  return Array.isArray(value);
}

function hashOf(previous: Uint8Array, event: HashedEvent): Buffer {
  const details = Object.entries(event.details).toSorted(([a], [b]) => (a < b ? -1 : 1)); // jsonb has its own order
  const row = [event.seq, event.atMs, event.userId, event.credential, event.action, event.subjectId, details];
  return createHash('sha256').update(previous).update(JSON.stringify(row)).digest();
}

/** `seq` is the first event that does not fit: it was changed, or what stood before it was. */
export type AuditVerdict =
  | { readonly intact: true; readonly events: number; readonly newestHash: string }
  | { readonly intact: false; readonly seq: number };

interface StoredEvent extends HashedEvent {
  readonly previousHash: Buffer;
  readonly hash: Buffer;
}

const PAGE = 1_000;

const READ = `
  select seq::float8 as "seq", floor(extract(epoch from at) * 1000)::float8 as "atMs", user_id as "userId", credential,
    action, subject_id as "subjectId", details, previous_hash as "previousHash", hash
  from audit_events where $1::bigint is null or seq > $1 order by seq limit ${PAGE}`;

/**
 * Recomputes the whole chain. Events that were cut off at the end leave no gap and do not show: whoever needs to know
 * keeps the newest hash elsewhere.
 */
export async function verifyAudit(sql: Sql): Promise<AuditVerdict> {
  let events = 0;
  let last: number | null = null; // from the very first: what was put before it fits nothing
  let previous: Uint8Array = GENESIS;
  for (;;) {
    const { rows }: { readonly rows: readonly StoredEvent[] } = await sql.query<StoredEvent>(READ, [last]);
    for (const row of rows) {
      const fits =
        row.seq === events + 1 && row.previousHash.equals(previous) && hashOf(previous, row).equals(row.hash);
      if (!fits) return { intact: false, seq: row.seq };
      events += 1;
      last = row.seq;
      previous = row.hash;
    }
    if (rows.length < PAGE) return { intact: true, events, newestHash: Buffer.from(previous).toString('hex') };
  }
}

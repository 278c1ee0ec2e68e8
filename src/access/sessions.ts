import type { EntityManager } from '@mikro-orm/postgresql';
import type pg from 'pg';
import type { Sql } from '../db/database.js';
import { rawTransaction } from '../db/raw-transaction.js';
import { publish } from '../events/publish.js';
import { formatId, newUuidV7 } from '../lib/ids.js';
import { recordAudit } from './audit.js';
import { hashCredential, newBearerText } from './credential-text.js';

/** A link in a terminal is used at once or not at all. */
export const LOGIN_TOKEN_VALID_MS = 15 * 60_000;

/** An invitation waits in somebody's mail. */
export const INVITATION_VALID_MS = 3 * 86_400_000;

/** A session ends after this long whether it is used or not. */
const SESSION_VALID_MS = 7 * 86_400_000;

type Transaction = Pick<EntityManager, 'execute'>;

/**
 * Makes a one-time login token for a user.
 *
 * @returns its text, of which only the SHA-256 is stored.
 */
export async function storeLoginToken(tx: Transaction, userId: string, validMs: number): Promise<string> {
  const text = newBearerText();
  await tx.execute(
    `insert into login_tokens (token_hash, user_id, expires_at)
     values (decode(?, 'hex'), ?, now() + ?::float8 * interval '1 millisecond')`,
    [hashCredential(text).toString('hex'), userId, validMs],
  );
  return text;
}

export interface NewSession {
  /** The cookie's value: letters, digits, `_` and `-`. */
  readonly token: string;
  readonly expiresAt: Date;
}

/** Of two that come at once with the same token one finds it used. */
const USE = `
  update login_tokens t set used_at = now() from users u
  where t.token_hash = decode(?, 'hex') and t.used_at is null and t.expires_at > now()
    and u.id = t.user_id and u.disabled_at is null
  returning t.user_id as "userId"`;

/** Exchanges a login token for a session; `undefined` when it is unknown, used or expired, or its user is disabled. */
export async function exchangeLoginToken(pool: pg.Pool, loginToken: string): Promise<NewSession | undefined> {
  return await rawTransaction(pool, async (tx) => {
    const [used] = await tx.execute<{ userId: string }[]>(USE, [hashCredential(loginToken).toString('hex')]);
    return used && (await startSession(tx, used.userId, 'login-link'));
  });
}

/** Starts a session of a user in a transaction, and records it. */
export async function startSession(
  tx: Transaction,
  userId: string,
  by: 'login-link' | 'identity-provider',
): Promise<NewSession> {
  const token = newBearerText();
  const id = newUuidV7();
  const [row] = await tx.execute<{ expiresAt: Date }[]>(
    `insert into sessions (id, user_id, token_hash, expires_at)
     values (?, ?, decode(?, 'hex'), now() + ?::float8 * interval '1 millisecond') returning expires_at as "expiresAt"`,
    [id, userId, hashCredential(token).toString('hex'), SESSION_VALID_MS],
  );
  await recordAudit(
    tx,
    { userId, credential: { type: 'session', id } },
    { action: 'session.started', subjectId: formatId('user', userId), details: { by } },
  );
  return { token, expiresAt: new Date(row!.expiresAt) };
}

/** Signs out: the session ends in every process. */
export async function endSession(pool: pg.Pool, token: string): Promise<void> {
  await rawTransaction(pool, async (tx) => {
    const [ended] = await tx.execute<{ id: string; userId: string }[]>(
      `update sessions set revoked_at = now() where token_hash = decode(?, 'hex') and revoked_at is null
       returning id, user_id as "userId"`,
      [hashCredential(token).toString('hex')],
    );
    if (ended === undefined) return;
    const { id, userId } = ended;
    await publish(tx, [{ kind: 'credential-ended', credentialId: id }]);
    await recordAudit(
      tx,
      { userId, credential: { type: 'session', id } },
      { action: 'session.ended', subjectId: formatId('user', userId) },
    );
  });
}

/** Removes what no longer opens anything; maintenance calls it. */
export async function removeEndedSessions(sql: Sql): Promise<void> {
  await sql.query("delete from login_tokens where expires_at < now() - interval '1 day'");
  await sql.query("delete from sessions where least(expires_at, revoked_at) < now() - interval '30 days'");
}

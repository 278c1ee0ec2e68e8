import type { EntityManager } from '@mikro-orm/postgresql';
import type { Sql } from '../db/database.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import { newUuidV7 } from '../lib/ids.js';
import { hashCredential, newBearerText } from './credential-text.js';

/** A link in a terminal is used at once or not at all. */
const LOGIN_TOKEN_VALID_MS = 15 * 60_000;

/** An invitation waits in somebody's mail. */
export const INVITATION_VALID_MS = 3 * 86_400_000;

/** A session ends after this long whether it is used or not. */
const SESSION_VALID_MS = 7 * 86_400_000;

/**
 * Makes a one-time login token for a user.
 *
 * @param validMs 15 minutes unless something else is said.
 * @returns its text, of which only the SHA-256 is stored.
 */
export async function issueLoginToken(sql: Sql, userId: string, validMs = LOGIN_TOKEN_VALID_MS): Promise<string> {
  const text = newBearerText();
  await sql.query(
    `insert into login_tokens (token_hash, user_id, expires_at)
     values ($1, $2, now() + $3 * interval '1 millisecond')`,
    [hashCredential(text), userId, validMs],
  );
  return text;
}

export interface NewSession {
  /** The cookie's value: letters, digits, `_` and `-`. */
  readonly token: string;
  readonly expiresAt: Date;
}

/** One statement, so that of two that come at once with the same token one gets a session. */
const EXCHANGE = `
  with used as (
    update login_tokens t set used_at = now() from users u
    where t.token_hash = $1 and t.used_at is null and t.expires_at > now()
      and u.id = t.user_id and u.disabled_at is null
    returning t.user_id
  )
  insert into sessions (id, user_id, token_hash, expires_at)
  select $2::uuid, user_id, $3::bytea, now() + $4 * interval '1 millisecond' from used
  returning expires_at as "expiresAt"`;

/** Exchanges a login token for a session; `undefined` when it is unknown, used or expired, or its user is disabled. */
export async function exchangeLoginToken(sql: Sql, loginToken: string): Promise<NewSession | undefined> {
  const token = newBearerText();
  const { rows } = await sql.query<{ expiresAt: Date }>(EXCHANGE, [
    hashCredential(loginToken),
    newUuidV7(),
    hashCredential(token),
    SESSION_VALID_MS,
  ]);
  return rows[0] && { token, expiresAt: rows[0].expiresAt };
}

/** Starts a session of a user in the transaction that `em` is in. */
export async function startSession(em: EntityManager, userId: string): Promise<NewSession> {
  const token = newBearerText();
  const [row] = await em.execute<{ expiresAt: Date }[]>(
    `insert into sessions (id, user_id, token_hash, expires_at)
     values (?, ?, decode(?, 'hex'), now() + ? * interval '1 millisecond') returning expires_at as "expiresAt"`,
    [newUuidV7(), userId, hashCredential(token).toString('hex'), SESSION_VALID_MS],
  );
  return { token, expiresAt: new Date(row!.expiresAt) };
}

/** Signs out: the session ends in every process. */
export async function endSession(sql: Sql, token: string): Promise<void> {
  const { rows } = await sql.query<{ id: string }>(
    'update sessions set revoked_at = now() where token_hash = $1 and revoked_at is null returning id',
    [hashCredential(token)],
  );
  const ended = rows.map(({ id }) => ({ kind: 'credential-ended', credentialId: id }) as const);
  for (const payload of encodeEvents(ended)) await sql.query('select pg_notify($1, $2)', [CHANNEL, payload]);
}

/** Removes what no longer opens anything; maintenance calls it. */
export async function removeEndedSessions(sql: Sql): Promise<void> {
  await sql.query("delete from login_tokens where expires_at < now() - interval '1 day'");
  await sql.query("delete from sessions where least(expires_at, revoked_at) < now() - interval '30 days'");
}

import type pg from 'pg';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { sendCallbackJobSql } from '../calls/callback-sql.js';
import type { Sql } from '../db/database.js';
import { rawTransaction } from '../db/raw-transaction.js';
import { AppError } from '../errors.js';
import { millisecondRange } from '../executions/millisecond-range.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';

/**
 * Sends a callback again, from the beginning of its schedule and under the same `webhook-id`. One that still waits for
 * an attempt is tried at once.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function replayCallback(
  pool: pg.Pool,
  principal: Principal | undefined,
  { id }: { readonly id: string },
): Promise<Outcome<null>> {
  requirePermission(principal, 'executions:operate');
  return await rawTransaction(pool, async (tx) => {
    const result = await beginRound(tx.sql, id);
    if (result === 'gone') throw new AppError('NOT_FOUND', 'There is no such callback.');
    if (result === 'superseded') {
      const message = 'The call was retried since: its newest callback is the one to replay.';
      return refused({ field: ['id'], message, code: 'SUPERSEDED' });
    }
    if (result === 'call-unfinished') {
      const message = 'The call is being retried: its end has a callback of its own.';
      return refused({ field: ['id'], message, code: 'CALL_UNFINISHED' });
    }
    if (result === 'no-callback-url') {
      return refused({ field: ['id'], message: 'The webhook has no callback URL any more.', code: 'NO_CALLBACK' });
    }
    await recordAudit(tx, principal, { action: 'callback.replayed', subjectId: formatId('callback', id) });
    return succeeded(null);
  });
}

export type RoundResult = 'begun' | 'gone' | 'superseded' | 'call-unfinished' | 'no-callback-url';

interface CallbackFacts {
  readonly is_newest: boolean;
  readonly is_finished: boolean;
  readonly has_url: boolean;
}

/** Makes a callback due, in the caller's transaction. */
export async function beginRound(sql: Sql, id: string): Promise<RoundResult> {
  const { firstId, lastId } = millisecondRange(id);
  const { rows } = await sql.query<CallbackFacts>(
    `select c.status <> 'SUPERSEDED' and not exists (
         select from callbacks n where n.id between $1 and $2 and n.call_id = c.call_id and n.created_at > c.created_at
       ) as is_newest,
       exists (select from calls where id = c.call_id and finished_at is not null) as is_finished,
       exists (select from webhook_callbacks w where w.webhook_id = c.webhook_id) as has_url
     from callbacks c where c.id = $3 for update of c`,
    [firstId, lastId, id],
  );
  const facts = rows[0];
  if (facts === undefined) return 'gone';
  if (!facts.is_newest) return 'superseded';
  if (!facts.is_finished) return 'call-unfinished';
  if (!facts.has_url) return 'no-callback-url';
  await sql.query(
    `update callbacks set status = 'PENDING', round = round + 1, tries = 0, next_attempt_at = now(), finished_at = null
     where id = $1`,
    [id],
  );
  await sql.query(`select count(*) from graphile_worker.add_jobs(array[${sendCallbackJobSql('$1::uuid')}])`, [id]);
  return 'begun';
}

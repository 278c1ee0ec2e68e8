import type pg from 'pg';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Dispatch } from '../calls/call-modes.js';
import { COLD_SHARD } from '../calls/statistics-shard.js';
import type { Sql } from '../db/database.js';
import { rawTransaction } from '../db/raw-transaction.js';
import { AppError, ERROR_CODES } from '../errors.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import { formatId } from '../lib/ids.js';
import { toJsonText } from '../lib/json-text.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';
import { cancelUnleased } from './finish.js';
import { isTerminal, type ExecutionStatus } from './states.js';

/**
 * `canceled`: it has ended now. `requested`: it runs, and is aborted where it does. `ended`: it had ended before.
 * `gone`: there is no such execution. `another-status`: it is not, or not any more, in one that was meant.
 */
export type CancelResult = 'canceled' | 'requested' | 'ended' | 'gone' | 'another-status';

/**
 * Ends an execution early. One that waits is CANCELED at once; one that runs is aborted wherever it runs, and is CANCELED
 * a moment later, unless its end was being written already.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function cancelExecution(
  pool: pg.Pool,
  principal: Principal | undefined,
  { id }: { readonly id: string },
): Promise<Outcome<'canceled' | 'requested'>> {
  requirePermission(principal, 'executions:operate');
  return await rawTransaction(pool, async (tx) => {
    const result = await cancelOne(tx.sql, COLD_SHARD, id);
    if (result === 'gone') throw new AppError('NOT_FOUND', 'There is no such execution.');
    if (result !== 'canceled' && result !== 'requested') {
      return refused({ field: ['id'], message: 'The execution has ended already.', code: 'ALREADY_ENDED' });
    }
    await recordAudit(tx, principal, { action: 'execution.canceled', subjectId: formatId('execution', id) });
    return succeeded(result);
  });
}

const READ = `
  select e.status, e.call_id as "callId", c.dispatch from executions e join calls c on c.id = e.call_id
  where e.id = $1 for update of e`;

const REQUEST = `
  with requested as (
    update executions set cancel_requested_at = coalesce(cancel_requested_at, now()) where id = $1
  )
  select pg_notify('${CHANNEL}', payload) from unnest($2::text[]) as n(payload)`;

interface Row {
  readonly status: ExecutionStatus;
  readonly callId: string;
  readonly dispatch: Dispatch;
}

/**
 * The same in the caller's transaction, for whoever has the right to. The row's lock decides all races.
 *
 * @param among only when it is in one of these then; without them whatever has not ended is canceled.
 */
export async function cancelOne(
  sql: Sql,
  shard: number,
  executionId: string,
  among?: readonly ExecutionStatus[],
): Promise<CancelResult> {
  const { rows } = await sql.query<Row>(READ, [executionId]);
  const row = rows[0];
  if (row === undefined) return 'gone';
  const { status, callId, dispatch } = row;
  if (isTerminal(status)) return 'ended';
  if (among !== undefined && !among.includes(status)) return 'another-status';
  if (status === 'RUNNING') {
    await sql.query(REQUEST, [executionId, encodeEvents([{ kind: 'cancel-requested', executionId }])]);
    return 'requested';
  }
  const error = toJsonText({ code: 'CANCELED', message: ERROR_CODES.CANCELED, retryable: false });
  await cancelUnleased(sql, shard, [{ execution: { executionId, callId, dispatch }, error }]);
  return 'canceled';
}

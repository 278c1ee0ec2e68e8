import type { ExecutionMode } from '../calls/call-modes.js';
import type { Sql } from '../db/database.js';
import { type AnswerPlanOptions, planAnswer } from './plan-answer.js';

interface CallRow {
  readonly executionMode: ExecutionMode;
  readonly syncTimeoutMs: number | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly ageMs: number;
}

/** `w.execution_mode` and not the call's own, which is what the plan came to. */
const READ = `
  select w.execution_mode as "executionMode", w.sync_timeout_ms as "syncTimeoutMs", c.request_headers as headers,
    extract(epoch from clock_timestamp() - c.received_at)::float8 * 1000 as "ageMs"
  from calls c join webhooks w on w.id = c.webhook_id
  where c.id = $1 and c.execution_mode = 'SYNC' and c.http_status is null`;

/**
 * For how long a call's caller still waits for the answer, found out from what was recorded of the call: hardly any
 * execution has to know, and to store it with each call made the accept statement 5 % slower.
 *
 * @param callId a UUID.
 * @returns milliseconds; `null` when nobody waits.
 */
export async function answerWaitMs(sql: Sql, callId: string, options: AnswerPlanOptions): Promise<number | null> {
  const { rows } = await sql.query<CallRow>({ name: 'read-answer-wait', text: READ, values: [callId] });
  const call = rows[0];
  if (call === undefined) return null;
  const { executionMode, syncTimeoutMs, headers, ageMs } = call;
  const prefer = Object.entries(headers).flatMap(([name, value]) =>
    name.toLowerCase() === 'prefer' ? [name, value] : [],
  );
  const plan = planAnswer({ executionMode, syncTimeoutMs: syncTimeoutMs ?? undefined }, prefer, options);
  return Math.max(0, plan.waitMs - ageMs);
}

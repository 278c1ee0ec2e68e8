import { Webhook } from 'standardwebhooks';
import { SEND_CALLBACK, sendCallbackJobSql } from '../calls/callback-sql.js';
import { readCall } from '../calls/read-call.js';
import type { Sql } from '../db/database.js';
import { AppError } from '../errors.js';
import { standingExecutions } from '../executions/call-results.js';
import { readCallExecutions } from '../executions/read-executions.js';
import type { Clock } from '../lib/clock.js';
import { formatId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { parseRetryAfter } from '../lib/retry-after.js';
import type { OutboundClient, OutboundResponse } from '../outbound/outbound-client.js';
import type { JobHandler } from '../queue/job-context.js';
import type { Keyring } from '../secrets/seal.js';
import { callbackBody } from './callback-body.js';
import { callbackSecretSealedFor } from './callback-settings.js';
import { type AttemptResult, type CallbackPlan, planAfter } from './schedule.js';

export { SEND_CALLBACK };

export interface SendCallbackOptions {
  readonly sql: Sql;
  readonly outbound: OutboundClient;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A receiver has this long for everything; Standard Webhooks recommends 15 to 30 s. */
const TIMEOUT_MS = 15_000;

/** Of an answer this much is kept, for people to read. */
const RESPONSE_BYTES_MAX = 4_096;

interface DueCallback {
  readonly id: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly round: number;
  readonly tries: number;
  /** `null` when the webhook has no callback any more. */
  readonly url: string | null;
  readonly secretVersion: number;
  readonly sealed: Buffer;
}

/** A job that comes too early or twice finds nothing here. */
const READ_DUE = `
  select c.id, c.call_id as "callId", c.webhook_id as "webhookId", c.round, c.tries, w.url,
    w.secret_version as "secretVersion", w.sealed
  from callbacks c left join webhook_callbacks w on w.webhook_id = c.webhook_id
  where c.id = $1 and c.status = 'PENDING' and c.next_attempt_at <= now()`;

/** One attempt, made. */
interface MadeAttempt {
  readonly result: AttemptResult;
  readonly atMs: number;
  readonly durationMs: number;
  readonly error: string | null;
  readonly responseBody: string | null;
}

/**
 * Writes an attempt and what follows from it, the next job included. When the callback was replayed or superseded
 * while the attempt was under way, only the attempt is written: the rest is no longer its own to decide.
 */
const WRITE = `
  with target as materialized (
    select id, attempts + 1 as number, status = 'PENDING' and round = $2 and tries = $3 as current
    from callbacks where id = $1 for update
  ),
  moved as (
    update callbacks c set attempts = t.number, tries = c.tries + t.current::integer,
      status = case when t.current then $4::text else c.status end,
      next_attempt_at = case when t.current then now() + $5::float8 * interval '1 millisecond' else c.next_attempt_at end,
      finished_at = case when t.current and $4::text <> 'PENDING' then now() else c.finished_at end
    from target t where c.id = t.id
    returning c.id, t.number, c.next_attempt_at, t.current and $4::text = 'PENDING' as again
  ),
  noted as (
    insert into callback_attempts (callback_id, number, at, duration_ms, http_status, error, response_body)
    select id, number, to_timestamp($6::float8 / 1000), $7::integer, $8::smallint, $9::text, $10::text from moved
  ),
  specs as (select array(select ${sendCallbackJobSql('id', 'next_attempt_at')} from moved where again) as specs)
  select case when cardinality(specs) > 0 then (select count(*) from graphile_worker.add_jobs(specs)) end from specs`;

/**
 * The handler of `send_callback` jobs: sends a callback once and writes what became of it.
 *
 * A process that dies in between leaves the job to another one, which sends the same again: the receiver knows it by its
 * `webhook-id`, which is the same for every attempt. https://www.standardwebhooks.com
 */
export function createSendCallbackHandler(options: SendCallbackOptions): JobHandler {
  const { sql, log } = options;
  return async (payload, { signal }) => {
    const id = callbackIdOf(payload);
    if (id === undefined) {
      log.error('a job names no callback; it is dropped');
      return;
    }
    const { rows } = await sql.query<DueCallback>({ name: 'read-due-callback', text: READ_DUE, values: [id] });
    const due = rows[0];
    if (due === undefined) return;
    const made = await attempt(options, due, signal);
    if (made === 'superseded') return;
    const plan = planAfter(made.result, due.tries);
    await write(sql, due, made, plan);
    if (plan.status === 'FAILED') {
      log.warn({ callbackId: formatId('callback', id), error: made.error }, 'a callback is given up');
    }
  };
}

function callbackIdOf(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !('callbackId' in payload)) return undefined;
  return typeof payload.callbackId === 'string' ? payload.callbackId : undefined;
}

async function write(sql: Sql, due: DueCallback, made: MadeAttempt, plan: CallbackPlan): Promise<void> {
  await sql.query({
    name: 'write-callback-attempt',
    text: WRITE,
    values: [
      due.id,
      due.round,
      due.tries,
      plan.status,
      plan.status === 'PENDING' ? plan.delayMs : null,
      made.atMs,
      made.durationMs,
      made.result.type === 'answered' ? made.result.httpStatus : null,
      made.error,
      made.responseBody,
    ],
  });
}

/**
 * @returns `superseded` when the call is being retried since a moment ago.
 * @throws the signal's reason when the process stops: nothing is written then, and the job stays.
 */
async function attempt(
  options: SendCallbackOptions,
  due: DueCallback,
  signal: AbortSignal,
): Promise<MadeAttempt | 'superseded'> {
  const { sql, outbound, keyring, clock } = options;
  const [call, executions] = await Promise.all([readCall(sql, due.callId), readCallExecutions(sql, due.callId)]);
  const atMs = clock.nowMs();
  const startedMs = clock.monotonicMs();
  const ended = (result: AttemptResult, error: string | null, responseBody: string | null = null): MadeAttempt => ({
    result,
    atMs,
    durationMs: Math.round(clock.monotonicMs() - startedMs),
    error,
    responseBody,
  });

  if (due.url === null) return ended({ type: 'unsendable' }, 'The webhook has no callback URL any more.');
  if (call === undefined) return ended({ type: 'unsendable' }, 'The call was removed when its retention time ended.');
  if (call.finishedAt === null) return 'superseded';
  const secret = keyring.open(due.sealed, callbackSecretSealedFor(due.webhookId, due.secretVersion)).toString('utf8');
  const messageId = formatId('callback', due.id);
  const body = callbackBody({ ...call, finishedAt: call.finishedAt }, standingExecutions(executions));
  const at = new Date(atMs);
  try {
    const response = await outbound.request({
      method: 'POST',
      url: due.url,
      headers: {
        accept: '*/*',
        'accept-encoding': 'identity',
        'content-type': 'application/json',
        'user-agent': 'Workhook',
        'webhook-id': messageId,
        'webhook-timestamp': String(Math.floor(atMs / 1_000)),
        'webhook-signature': new Webhook(secret).sign(messageId, at, body),
      },
      body,
      signal,
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: RESPONSE_BYTES_MAX,
    });
    return ended(answerOf(response, clock.nowMs()), statusFault(response.status), textOf(response.body));
  } catch (error) {
    if (!(error instanceof AppError)) throw error; // the process stops
    return ended({ type: error.code === 'OUTBOUND_REFUSED' ? 'unsendable' : 'unanswered' }, error.message);
  }
}

function answerOf({ status, headers }: OutboundResponse, nowMs: number): AttemptResult {
  const retryAfter = headers['retry-after'];
  return {
    type: 'answered',
    httpStatus: status,
    retryAfterMs: typeof retryAfter === 'string' ? parseRetryAfter(retryAfter, nowMs) : undefined,
  };
}

function statusFault(status: number): string | null {
  if (status >= 200 && status <= 299) return null;
  const redirect = status >= 300 && status <= 399 ? ' Redirects are not followed.' : '';
  return `The receiver answered with status ${status}.${redirect}`;
}

/** PostgreSQL's text has no U+0000. */
function textOf(body: Buffer): string {
  return body.toString('utf8').replaceAll('\0', '\u{fffd}');
}

import type { Sql } from '../db/database.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import type { Dispatch, ExecutionMode } from './call-modes.js';
import type { CallOutcome } from './call.entity.js';
import { NO_DURATION_BUCKET } from './duration-buckets.js';
import { statisticsUpsertSql } from './statistics-sql.js';

/** How many calls of one webhook were turned away for one reason in one minute. */
export interface RejectedCount {
  readonly webhookId: string;
  /** Start of the minute, Unix milliseconds. */
  readonly minuteMs: number;
  readonly outcome: CallOutcome;
  readonly calls: number;
}

/** A rejected call that is kept for people to look at. */
export interface RejectedRow {
  readonly callId: string;
  readonly webhookId: string;
  readonly receivedAtMs: number;
  readonly executionMode: ExecutionMode;
  readonly dispatch: Dispatch;
  readonly outcome: CallOutcome;
  readonly httpStatus: number | null;
  readonly isTest: boolean;
  readonly sourceIp: string;
  /** A JSON object, credentials removed. */
  readonly headersJson: string;
  readonly body: Buffer;
  readonly reason: string;
  readonly code: string | null;
}

/**
 * Counts and rows in one statement, so in one transaction with their notification. Sent once more because its commit
 * was not confirmed, it finds its rows, waits for them if they are just being committed, and counts nothing.
 *
 * A call that was turned away is over when it came: it has no executions, and its duration of 0 is in no percentile.
 * Bodies come as one binary parameter with offsets: the driver would print an array of them as text.
 */
const STORE = `
  with new_calls as (
    insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, http_status, duration_ms,
      is_test, source_ip, request_headers, request_body, rejection_reason, rejection_code, pending, finished_at)
    select id, webhook_id, to_timestamp(received_ms / 1000), mode, dispatch, outcome, http_status, 0,
      is_test, source_ip, headers::json, substring($6::bytea from body_at for body_bytes), reason, code, 0,
      to_timestamp(received_ms / 1000)
    from unnest($7::uuid[], $8::uuid[], $9::float8[], $10::text[], $11::text[], $12::text[], $13::smallint[],
      $14::boolean[], $15::text[], $16::text[], $17::integer[], $18::integer[], $19::text[], $20::text[])
      as t(id, webhook_id, received_ms, mode, dispatch, outcome, http_status, is_test, source_ip, headers, body_at,
        body_bytes, reason, code)
    on conflict do nothing
    returning id
  ),
  counted as (
    select webhook_id, to_timestamp(minute_ms / 1000) as bucket_start, $1::smallint as shard, outcome,
      ${NO_DURATION_BUCKET}::smallint as duration_bucket, calls, 0::bigint as prompt_tokens, 0::bigint as completion_tokens
    from unnest($2::uuid[], $3::float8[], $4::text[], $5::bigint[]) as t(webhook_id, minute_ms, outcome, calls)
    where cardinality($7::uuid[]) = 0 or exists (select from new_calls)
  ),
  statistics as (${statisticsUpsertSql('counted')})
  select count(pg_notify('${CHANNEL}', payload)) from unnest($21::text[]) as n(payload)`;

/**
 * Writes counts and rows in one transaction.
 *
 * @param shard this process's shard of the counters.
 * @param counts at most one a webhook, minute and outcome.
 */
export async function storeRejectedCalls(
  sql: Sql,
  shard: number,
  counts: readonly RejectedCount[],
  rows: readonly RejectedRow[],
): Promise<void> {
  let at = 1; // SQL counts from 1
  const bodyAt = rows.map(({ body }) => (at += body.length) - body.length);
  await sql.query({
    name: 'store-rejected-calls',
    text: STORE,
    values: [
      shard,
      counts.map((count) => count.webhookId),
      counts.map((count) => count.minuteMs),
      counts.map((count) => count.outcome),
      counts.map((count) => count.calls),
      Buffer.concat(rows.map((row) => row.body)),
      rows.map((row) => row.callId),
      rows.map((row) => row.webhookId),
      rows.map((row) => row.receivedAtMs),
      rows.map((row) => row.executionMode),
      rows.map((row) => row.dispatch),
      rows.map((row) => row.outcome),
      rows.map((row) => row.httpStatus),
      rows.map((row) => row.isTest),
      rows.map((row) => row.sourceIp),
      rows.map((row) => row.headersJson),
      bodyAt,
      rows.map((row) => row.body.length),
      rows.map((row) => row.reason),
      rows.map((row) => row.code),
      encodeEvents(rows.map(({ callId, webhookId }) => ({ kind: 'call-received', callId, webhookId }))),
    ],
  });
}

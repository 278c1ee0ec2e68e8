import type { Sql } from '../db/database.js';
import type { DomainEvent } from '../events/event.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import { RUN_EXECUTION } from '../queue/enqueue.js';
import type { Dispatch, ExecutionMode } from './call-modes.js';
import { NO_DURATION_BUCKET } from './duration-buckets.js';
import { claimKeysSql, type IdempotencyKey, type Repeat } from './idempotency.js';
import { statisticsUpsertSql } from './statistics-sql.js';

/** A call that was authenticated and validated, and the executions that it starts, in the order of its workers. */
export interface CallToStore {
  readonly callId: string;
  readonly webhookId: string;
  /** The version that it was authenticated against. */
  readonly webhookVersion: number;
  readonly receivedAtMs: number;
  readonly executionMode: ExecutionMode;
  readonly dispatch: Dispatch;
  readonly isTest: boolean;
  readonly sourceIp: string;
  /** A JSON object, credentials removed. */
  readonly headersJson: string;
  readonly body: Buffer;
  readonly executions: readonly { readonly executionId: string; readonly workerId: string }[];
  /** By what a repeat of it is known; a call without one has no repeats. */
  readonly idempotency?: IdempotencyKey | undefined;
  /** It waits until it is released (`flow/release-calls.ts`); without it, it runs at once. */
  readonly flow?: CallFlow | undefined;
}

/** What the flow control of a call's webhook says about it. */
export interface CallFlow {
  /** By what it belongs together with others: they run in the order of their acceptance. Empty for none. */
  readonly lane: Buffer;
  /** Later calls of its lane may take its place. */
  readonly debounced: boolean;
}

/**
 * Whether it is stored, or its webhook changed since it was looked up, or it came before: then nothing of it was
 * written.
 */
export type StoreResult = 'stored' | 'stale' | Repeat;

/** The columns of {@link IdempotencyKey}s and, behind the parameters of every batch, their values. */
const KEY_COLUMNS = ', key_hash, body_hash, delivery_id, started, window_ms';
const KEY_PARAMETERS = ', $20::bytea[], $21::bytea[], $22::text[], $23::text[], $24::float8[]';

/** The same of {@link CallFlow}s. They come after those of keys, if there are such. */
const FLOW_COLUMNS = ', lane, debounced';
const flowParameters = (keyed: boolean): string =>
  keyed ? ', $26::bytea[], $27::boolean[]' : ', $20::bytea[], $21::boolean[]';

const ENTER_FLOW = `
  entered as (
    insert into flow_calls (call_id, webhook_id, lane, due_at)
    select call_id, webhook_id, lane, case when not debounced then now() end
    from input where fresh and lane is not null order by ordinal
  ),`;

/** What is to be stored: whatever has no key, or got it. */
const CLAIM = `
  claimed as (${claimKeysSql('(select * from received where proven and key_hash is not null) r', '$25::integer')}),
  input as materialized (
    select r.*, r.proven and (r.key_hash is null or c.call_id = r.call_id) as fresh,
      c.call_id as first_call_id, c.body_hash = r.body_hash as same_body, c.started as first_started
    from received r left join claimed c on r.proven and c.key_hash = r.key_hash
  ),`;

const REPEATS = `
    (select json_agg(json_build_object('ordinal', ordinal, 'callId', first_call_id, 'sameBody', same_body,
        'executions', first_started)) from input where proven and not fresh) as repeats,`;

/**
 * One statement, one round trip and one commit for a whole batch: calls, executions, jobs, statistics and the
 * notification. One statement that does it all took 58 µs of PostgreSQL a call in batches, one transaction a call
 * 270 µs and more, most of it waiting for the disk.
 *
 * Bodies and headers come as one binary parameter with offsets: as a `bytea[]` or `text[]` the driver would print and
 * escape every byte of them into an array literal.
 *
 * Batches in which no call has an idempotency key have a statement without a word about keys, so they pay nothing; the
 * same holds for flow control. Calls under it begin as WAITING, without jobs: a release makes those.
 */
const storeSql = (keyed: boolean, flow: boolean): string => `
  with proven as materialized (
    select id, version from webhooks where id = any($3::uuid[]) and active and (deleted_at is null or by_hand)
  ),
  ${keyed ? 'received' : 'input'} as materialized (
    select t.*, p.id is not null as ${keyed ? 'proven' : 'fresh'}
    from unnest($2::uuid[], $3::uuid[], $4::integer[], $5::float8[], $6::text[], $7::text[], $8::boolean[], $9::text[],
        $10::integer[], $11::integer[], $12::integer[], $13::smallint[]${keyed ? KEY_PARAMETERS : ''}${flow ? flowParameters(keyed) : ''})
      with ordinality as t(call_id, webhook_id, version, received_ms, mode, dispatch, is_test, source_ip,
        headers_at, body_at, end_at, workers${keyed ? KEY_COLUMNS : ''}${flow ? FLOW_COLUMNS : ''}, ordinal)
    left join proven p on p.id = t.webhook_id and p.version = t.version
  ),
  ${keyed ? CLAIM : ''}
  new_calls as (
    insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, http_status, is_test,
      source_ip, request_headers, request_body, pending${keyed ? ', delivery_id' : ''}${flow ? ', flow' : ''})
    select call_id, webhook_id, to_timestamp(received_ms / 1000), mode, dispatch, 'ACCEPTED',
      case mode when 'ASYNC' then 202 end, is_test, source_ip,
      convert_from(substring($1::bytea from headers_at for body_at - headers_at), 'UTF8')::json,
      substring($1::bytea from body_at for end_at - body_at), workers${keyed ? ', delivery_id' : ''}${flow ? ", case when lane is not null then 'HELD' end" : ''}
    from input where fresh
  ),
  new_executions as (
    insert into executions (id, call_id, webhook_id, worker_id, position, status, queued_at)
    select e.id, i.call_id, i.webhook_id, e.worker_id, e.position,
      case when ${flow ? 'i.lane is null and ' : ''}(e.position = 0 or i.dispatch = 'PARALLEL') then 'QUEUED' else 'WAITING' end,
      to_timestamp(i.received_ms / 1000)
    from unnest($14::uuid[], $15::integer[], $16::text[], $17::smallint[]) as e(id, ordinal, worker_id, position)
    join input i on i.ordinal = e.ordinal and i.fresh
    returning id, status
  ),
  jobs as (
    select count(*) from graphile_worker.add_jobs(array(
      select ('${RUN_EXECUTION}', json_build_object('executionId', id), null, null, null, null, null, null)::graphile_worker.job_spec
      from new_executions where status = 'QUEUED'
    ))
  ),
  counted as (
    select webhook_id, date_trunc('minute', to_timestamp(received_ms / 1000), 'UTC') as bucket_start,
      $18::smallint as shard, 'ACCEPTED' as outcome, ${NO_DURATION_BUCKET}::smallint as duration_bucket,
      count(*) as calls, 0::bigint as prompt_tokens, 0::bigint as completion_tokens
    from input where fresh group by webhook_id, bucket_start
  ),
  statistics as (${statisticsUpsertSql('counted')}),
  ${flow ? ENTER_FLOW : ''}
  notified as (select count(pg_notify('${CHANNEL}', payload)) from unnest($19::text[]) as n(payload))
  select array(select ordinal::integer from input where not ${keyed ? 'proven' : 'fresh'}) as stale,
    ${keyed ? REPEATS : ''}
    (select count from jobs) as jobs, (select count from notified) as notified`;

const STORE = {
  'store-calls': storeSql(false, false),
  'store-calls-keyed': storeSql(true, false),
  'store-calls-flow': storeSql(false, true),
  'store-calls-keyed-flow': storeSql(true, true),
} as const;

/**
 * Stores a batch of calls in one transaction.
 *
 * @param shard this process's shard of the counters.
 * @param retentionDays beyond which a stored call has no repeats, for it may be gone; 0 keeps everything.
 * @returns a result a call, in the order given.
 */
export async function storeCalls(
  sql: Sql,
  shard: number,
  calls: readonly CallToStore[],
  retentionDays = 0,
): Promise<readonly StoreResult[]> {
  const keyed = calls.some((call) => call.idempotency !== undefined);
  const flow = calls.some((call) => call.flow !== undefined);
  const name = `store-calls${keyed ? '-keyed' : ''}${flow ? '-flow' : ''}` as const;
  const values = [
    ...parametersOf(calls, shard),
    ...(keyed ? [...keyParametersOf(calls), retentionDays] : []),
    ...(flow ? [calls.map((call) => call.flow?.lane), calls.map((call) => call.flow?.debounced)] : []),
  ];
  const { rows } = await sql.query<{ stale: number[]; repeats?: (Repeat & { ordinal: number })[] | null }>({
    name,
    text: STORE[name],
    values,
  });
  const { stale, repeats } = rows[0]!;
  const results = calls.map((): StoreResult => 'stored');
  for (const ordinal of stale) results[ordinal - 1] = 'stale';
  for (const { ordinal, ...repeat } of repeats ?? []) results[ordinal - 1] = repeat;
  return results;
}

function keyParametersOf(calls: readonly CallToStore[]): unknown[] {
  const keys = calls.map((call) => call.idempotency);
  return [
    keys.map((key) => key?.keyHash),
    keys.map((key) => key?.bodyHash),
    keys.map((key) => key?.deliveryId),
    calls.map((call) => (call.idempotency === undefined ? null : JSON.stringify(call.executions))),
    keys.map((key) => key?.windowMs),
  ];
}

function parametersOf(calls: readonly CallToStore[], shard: number): unknown[] {
  const chunks: Buffer[] = [];
  const headersAt: number[] = [];
  const bodyAt: number[] = [];
  const endAt: number[] = [];
  let at = 1; // SQL counts from 1
  const executionIds: string[] = [];
  const ordinals: number[] = [];
  const workerIds: string[] = [];
  const positions: number[] = [];
  calls.forEach((call, i) => {
    const headers = Buffer.from(call.headersJson);
    chunks.push(headers, call.body);
    headersAt.push(at);
    bodyAt.push((at += headers.length));
    endAt.push((at += call.body.length));
    call.executions.forEach((execution, position) => {
      executionIds.push(execution.executionId);
      ordinals.push(i + 1);
      workerIds.push(execution.workerId);
      positions.push(position);
    });
  });
  return [
    Buffer.concat(chunks),
    calls.map((call) => call.callId),
    calls.map((call) => call.webhookId),
    calls.map((call) => call.webhookVersion),
    calls.map((call) => call.receivedAtMs),
    calls.map((call) => call.executionMode),
    calls.map((call) => call.dispatch),
    calls.map((call) => call.isTest),
    calls.map((call) => call.sourceIp),
    headersAt,
    bodyAt,
    endAt,
    calls.map((call) => call.executions.length),
    executionIds,
    ordinals,
    workerIds,
    positions,
    shard,
    encodeEvents(calls.map(received)),
  ];
}

function received(call: CallToStore): DomainEvent {
  return { kind: 'call-received', callId: call.callId, webhookId: call.webhookId };
}

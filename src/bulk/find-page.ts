import type { Sql } from '../db/database.js';
import { Conditions } from '../db/keyset.js';
import type { BulkFilter, BulkKind } from './bulk-operation.js';

/** Where a page is looked for. */
export interface PageQuery {
  readonly kind: BulkKind;
  readonly filter: BulkFilter;
  /** Only behind this id. */
  readonly position: string;
  /** Only before this id. */
  readonly untilId: string;
  /** The operation's start: what a retry of it makes is none of its own. */
  readonly createdAt: Date;
}

/** What was found, and up to where was looked. */
export interface FoundPage {
  /** In their order. */
  readonly ids: readonly string[];
  readonly lookedAt: number;
  /** The last id that was looked at; `null` when there is nothing more. */
  readonly last: string | null;
}

/** What is done in one transaction. */
const PAGE_ITEMS = 50;

/** What one statement looks at, so that it takes milliseconds however seldom the filter matches. */
const LOOKED_AT_MAX = 2_000;

/** Without a choice: what was rejected or only repeats is not replayed unless somebody says so. */
const DEFAULTS = {
  outcomes: ['SUCCEEDED', 'FAILED'],
  RETRY: ['FAILED', 'TIMED_OUT'],
  CANCEL: ['QUEUED', 'WAITING', 'RUNNING'],
  callbackStatuses: ['FAILED'],
} as const;

/** Of a call, whether it started a worker; its executions lie in its millisecond. */
const startedWorker = (place: string): string => `exists (
      select from executions e
      where e.id between (left(i.id::text, 13) || '-0000-0000-000000000000')::uuid
          and (left(i.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
        and e.call_id = i.call_id and e.worker_id = ${place})`;

/** Looks for the next ones, in the order of their ids, which is that in which their calls came. */
export async function findPage(sql: Sql, query: PageQuery): Promise<FoundPage> {
  const { kind, filter, position, untilId } = query;
  const { webhookId, callId, workerId } = filter;
  const range = new Conditions();
  range.add(position, (id) => `id > ${id}`);
  range.add(untilId, (id) => `id < ${id}`);
  const source = SOURCES[kind];
  if (source.indexedByWebhook) range.add(webhookId, (id) => `webhook_id = ${id}`);
  const where = new ConditionsAfter(range);
  if (!source.indexedByWebhook) where.add(webhookId, (id) => `i.webhook_id = ${id}`);
  where.add(callId, (id) => `i.call_id = ${id}`);
  source.choose(where, query);
  where.add(workerId, (id) => (source.hasWorker ? `i.worker_id = ${id}` : startedWorker(id)));
  const { rows } = await sql.query<FoundPage & { readonly lookedAt: number }>(
    `with looked as materialized (
       select ${source.columns} from ${source.table} where ${range.text} order by id limit ${LOOKED_AT_MAX}
     ),
     found as materialized (select id from looked i where ${where.text} order by id limit ${PAGE_ITEMS}),
     -- Behind a full page there may be more of what was looked at.
     reached as (
       select case when count(*) = ${PAGE_ITEMS} then max(id::text) end as last from found
     )
     select array(select id from found order by id) as ids,
       coalesce((select last from reached), (select max(id::text) from looked)) as last,
       (select count(*) from looked where (select last from reached) is null or id::text <= (select last from reached))::integer
         as "lookedAt"`,
    range.values,
  );
  return rows[0]!;
}

/** More conditions of the same statement: their values are numbered behind those of the first ones. */
class ConditionsAfter {
  readonly #first: Conditions;
  readonly #texts: string[] = [];

  constructor(first: Conditions) {
    this.#first = first;
  }

  add(value: unknown, condition: (place: string) => string): void {
    if (value !== undefined) this.#texts.push(condition(this.#first.place(value)));
  }

  get text(): string {
    return this.#texts.length === 0 ? 'true' : this.#texts.join(' and ');
  }
}

interface Source {
  readonly table: string;
  readonly columns: string;
  readonly hasWorker: boolean;
  /** Otherwise one statement would look through the whole table for a webhook that is seldom there. */
  readonly indexedByWebhook: boolean;
  choose(where: ConditionsAfter, query: PageQuery): void;
}

const OF_EXECUTIONS: Omit<Source, 'choose'> = {
  table: 'executions',
  columns: 'id, call_id, webhook_id, worker_id, status, retried_by, queued_at',
  hasWorker: true,
  indexedByWebhook: false,
};

const SOURCES: Readonly<Record<BulkKind, Source>> = {
  REPLAY: {
    table: 'calls',
    columns: 'id, id as call_id, outcome',
    hasWorker: false,
    indexedByWebhook: true,
    choose: (where, { filter }) =>
      where.add(filter.outcomes ?? DEFAULTS.outcomes, (list) => `i.outcome = any(${list}::text[])`),
  },
  RETRY: {
    ...OF_EXECUTIONS,
    choose: (where, { filter, createdAt }) => {
      where.add(filter.statuses ?? DEFAULTS.RETRY, (list) => `i.status = any(${list}::text[])`);
      where.add(createdAt, (at) => `i.retried_by is null and i.queued_at < ${at}`);
    },
  },
  CANCEL: {
    ...OF_EXECUTIONS,
    choose: (where, { filter }) =>
      where.add(filter.statuses ?? DEFAULTS.CANCEL, (list) => `i.status = any(${list}::text[])`),
  },
  REPLAY_CALLBACKS: {
    table: 'callbacks',
    columns: 'id, call_id, status',
    hasWorker: false,
    indexedByWebhook: true,
    choose: (where, { filter }) =>
      where.add(filter.callbackStatuses ?? DEFAULTS.callbackStatuses, (list) => `i.status = any(${list}::text[])`),
  },
};

import type { CallOutcome } from '../../calls/call.entity.js';
import type { Sql } from '../../db/database.js';

/** What is read of a call that is to be replayed. Ids are UUIDs but the workers'. */
export interface ReplaySource {
  readonly id: string;
  readonly webhookId: string;
  readonly outcome: CallOutcome;
  readonly isTest: boolean;
  /** Credentials removed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** What it started, in the order of its workers; without retries. The version is `null` before the first attempt. */
  readonly workers: readonly { readonly workerId: string; readonly workerVersion: number | null }[];
}

const READ = `
  select c.id, c.webhook_id as "webhookId", c.outcome, c.is_test as "isTest", c.request_headers as headers,
    c.request_body as body,
    (select coalesce(json_agg(json_build_object('workerId', e.worker_id, 'workerVersion', e.worker_version)
        order by e.position), '[]')
      from executions e
      where e.id between (left(c.id::text, 13) || '-0000-0000-000000000000')::uuid
          and (left(c.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
        and e.call_id = c.id and e.retry_of is null) as workers
  from calls c where c.id = any($1::uuid[])`;

/** Reads some calls in one query; those that are gone are not in the map. */
export async function readReplaySources(sql: Sql, ids: readonly string[]): Promise<ReadonlyMap<string, ReplaySource>> {
  const { rows } = await sql.query<ReplaySource>(READ, [ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

import { createHash } from 'node:crypto';
import type pg from 'pg';
import { recordAudit } from '../access/audit.js';
import { idempotencyKeyFaults } from '../access/creation-key.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { rawTransaction } from '../db/raw-transaction.js';
import { RETRYABLE, type WorkerVersionChoice } from '../executions/retry.js';
import { EXECUTION_STATUSES, type ExecutionStatus, isTerminal } from '../executions/states.js';
import type { Clock } from '../lib/clock.js';
import { formatId, newUuidV7, uuidV7Floor, uuidV7Time } from '../lib/ids.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import type { BulkFilter, BulkKind } from './bulk-operation.js';
import { bulkJobSql } from './bulk-job.js';

export interface StartBulkInput {
  readonly kind: BulkKind;
  readonly filter: Omit<BulkFilter, 'from' | 'to'> & {
    readonly from?: Date | undefined;
    readonly to?: Date | undefined;
  };
  readonly workerVersion?: WorkerVersionChoice | undefined;
  /** Asked again with the same one, the same operation is given. */
  readonly idempotencyKey?: string | undefined;
}

const INSERT = `
  insert into bulk_operations (id, kind, filter, worker_version, key_hash, input_hash, position, until_id, created_by)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (key_hash) do nothing`;

/**
 * Begins to do something to many, in the background. What comes after this moment is left alone.
 *
 * @returns the operation's id.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function startBulkOperation(
  { pool, clock }: { readonly pool: pg.Pool; readonly clock: Clock },
  principal: Principal | undefined,
  input: StartBulkInput,
): Promise<Outcome<string>> {
  requirePermission(principal, 'executions:operate');
  const userErrors = faultsOf(input);
  if (userErrors.length > 0) return { ok: false, userErrors };
  return await rawTransaction(pool, async (tx) => {
    const { kind, workerVersion, idempotencyKey } = input;
    const inputHash = hashOf(kind, workerVersion ?? null, input.filter);
    const keyHash = idempotencyKey === undefined ? null : hashOf(principal.userId, idempotencyKey);
    const before = keyHash && (await startedBefore(tx.sql, keyHash, inputHash));
    if (before) return before;
    const unknown = await unknownFaults(tx.sql, input.filter);
    if (unknown.length > 0) return { ok: false, userErrors: unknown };
    const nowMs = clock.nowMs();
    const { fromMs, toMs } = await rangeOf(tx.sql, input, nowMs);
    const filter: BulkFilter = {
      ...input.filter,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
    };
    const id = newUuidV7(nowMs);
    const { rowCount } = await tx.sql.query(INSERT, [
      id,
      kind,
      JSON.stringify(filter),
      workerVersion ?? null,
      keyHash,
      inputHash,
      uuidV7Floor(fromMs),
      uuidV7Floor(toMs),
      principal.userId,
    ]);
    if (rowCount === 0) return (await startedBefore(tx.sql, keyHash!, inputHash))!;
    await tx.sql.query(`select count(*) from graphile_worker.add_jobs(array[${bulkJobSql('$1::uuid')}])`, [id]);
    await recordAudit(tx, principal, {
      action: 'bulk-operation.started',
      subjectId: formatId('bulkOperation', id),
      details: { kind, filter: JSON.stringify(filter), workerVersion: workerVersion ?? null },
    });
    return succeeded(id);
  });
}

/** What the key has started; `undefined` when it is free. */
async function startedBefore(sql: Sql, keyHash: Buffer, inputHash: Buffer): Promise<Outcome<string> | undefined> {
  const { rows } = await sql.query<{ id: string; input_hash: Buffer }>(
    'select id, input_hash from bulk_operations where key_hash = $1',
    [keyHash],
  );
  if (rows[0] === undefined) return undefined;
  const { id, input_hash: firstHash } = rows[0];
  if (firstHash.equals(inputHash)) return succeeded(id);
  const message = 'This key was used before for something else.';
  return refused({ field: ['idempotencyKey'], message, code: 'IDEMPOTENCY_MISMATCH' });
}

/** What can be done only to some: another status would find nothing, or what was not meant. */
const STATUSES: Partial<Record<BulkKind, { readonly possible: readonly ExecutionStatus[]; readonly message: string }>> =
  {
    RETRY: { possible: RETRYABLE, message: `Only ${RETRYABLE.join(', ')} executions can be retried.` },
    CANCEL: {
      possible: EXECUTION_STATUSES.filter((status) => !isTerminal(status)),
      message: 'An execution that has ended cannot be canceled.',
    },
  };

/** One mistake must not be done to everything that there is. */
function faultsOf({ kind, filter, idempotencyKey }: StartBulkInput): readonly UserError[] {
  const { webhookId, callId, workerId, from, to, statuses } = filter;
  const isNarrow = [webhookId, callId, workerId, from].some((part) => part !== undefined);
  const faults = idempotencyKeyFaults(idempotencyKey);
  if (!isNarrow) {
    const message = 'Say of which webhook, worker or call, or from which time on.';
    faults.push({ field: ['filter'], message, code: 'REQUIRED' });
  }
  const { possible = EXECUTION_STATUSES, message = '' } = STATUSES[kind] ?? {};
  if (statuses?.some((status) => !possible.includes(status)) === true) {
    faults.push({ field: ['filter', 'statuses'], message, code: 'INVALID' });
  }
  if (from !== undefined && to !== undefined && from >= to) {
    faults.push({ field: ['filter', 'to'], message: 'The end lies before the beginning.', code: 'OUT_OF_RANGE' });
  }
  return faults;
}

/** A mistyped id must not look like success. What is deleted still has calls. */
async function unknownFaults(
  sql: Sql,
  { webhookId, callId, workerId }: StartBulkInput['filter'],
): Promise<readonly UserError[]> {
  const { rows } = await sql.query<{ field: string; noun: string }>(
    `select field, noun from (values
       ('webhookId', 'webhook', $1::uuid is null or exists (select from webhooks where id = $1)),
       ('callId', 'call', $2::uuid is null or exists (select from calls where id = $2)),
       ('workerId', 'worker', $3::text is null or exists (select from workers where id = $3))
     ) as named(field, noun, is_known) where not is_known`,
    [webhookId ?? null, callId ?? null, workerId ?? null],
  );
  return rows.map(({ field, noun }) => ({
    field: ['filter', field],
    message: `There is no such ${noun}.`,
    code: 'NOT_FOUND',
  }));
}

const OLDEST = 'select id from calls order by id limit 1';
const OLDEST_OF_WEBHOOK = 'select id from calls where webhook_id = $1 order by id limit 1';

async function rangeOf(
  sql: Sql,
  { filter: { webhookId, callId, from, to } }: StartBulkInput,
  nowMs: number,
): Promise<{ readonly fromMs: number; readonly toMs: number }> {
  if (callId !== undefined) return { fromMs: uuidV7Time(callId), toMs: uuidV7Time(callId) + 1 };
  const toMs = Math.min(to?.getTime() ?? nowMs, nowMs);
  if (from !== undefined) return { fromMs: Math.max(0, from.getTime()), toMs };
  const { rows } =
    webhookId === undefined
      ? await sql.query<{ id: string }>(OLDEST)
      : await sql.query<{ id: string }>(OLDEST_OF_WEBHOOK, [webhookId]);
  return { fromMs: rows[0] === undefined ? toMs : uuidV7Time(rows[0].id), toMs };
}

function hashOf(...parts: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

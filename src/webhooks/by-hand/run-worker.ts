import { createHash } from 'node:crypto';
import type pg from 'pg';
import { recordAudit } from '../../access/audit.js';
import { idempotencyKeyFaults } from '../../access/creation-key.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { IdempotencyKey, Repeat } from '../../calls/idempotency.js';
import { BY_HAND_WEBHOOK_ID } from '../../calls/by-hand.js';
import { type CallToStore, storeCalls } from '../../calls/store-calls.js';
import { COLD_SHARD } from '../../calls/statistics-shard.js';
import { rawTransaction } from '../../db/raw-transaction.js';
import { AppError } from '../../errors.js';
import type { Clock } from '../../lib/clock.js';
import { formatId, newUuidV7 } from '../../lib/ids.js';
import { type Outcome, refused, succeeded } from '../../lib/user-error.js';
import type { CallLimiter } from '../../rate-limits/limiter.js';
import { hasUnstorableText } from '../../workers/schema-validator.js';
import type { AcceptCallOptions } from '../accept-options.js';

export interface RunWorkerDeps {
  readonly pool: pg.Pool;
  readonly validateInput: AcceptCallOptions['validateInput'];
  readonly limiter: Pick<CallLimiter, 'take'>;
  readonly findRepeat: AcceptCallOptions['findRepeat'];
  readonly clock: Clock;
  readonly retentionDays: number;
}

export interface RunWorkerInput {
  readonly workerId: string;
  /** What the worker gets, as a JSON value. */
  readonly input: unknown;
  /** Asked again with the same one within 24 hours, the same run is given. */
  readonly idempotencyKey?: string | null | undefined;
}

/** UUIDs. */
export interface RunByHand {
  readonly callId: string;
  readonly executionId: string;
}

const INPUT_BYTES_MAX = 1_048_576;
const KEY_WINDOW_MS = 86_400_000;

/**
 * Runs a worker without a webhook: a call of the row that stands for runs by hand, with all that a call has.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, NOT_FOUND when there is no such worker.
 */
export async function runWorker(
  deps: RunWorkerDeps,
  principal: Principal | undefined,
  { workerId, input, idempotencyKey }: RunWorkerInput,
): Promise<Outcome<RunByHand>> {
  requirePermission(principal, 'executions:operate');
  const keyFaults = idempotencyKeyFaults(idempotencyKey);
  if (keyFaults.length > 0) return { ok: false, userErrors: keyFaults };
  const body = Buffer.from(JSON.stringify(input));
  if (body.length > INPUT_BYTES_MAX || hasUnstorableText(input)) {
    const message = `The input is JSON of at most ${INPUT_BYTES_MAX} bytes that can be stored.`;
    return refused({ field: ['input'], message, code: 'INVALID' });
  }
  const key = keyOf(principal, { workerId, idempotencyKey }, body);
  const first = key && (await deps.findRepeat(key)); // before anything that may have changed since
  if (first !== undefined) return repeated(first);
  const faults = await deps.validateInput([workerId], input, deps.clock.monotonicMs());
  if (faults.length > 0) {
    return refused(
      ...faults.map(({ pointer, message }) => ({
        field: ['input', ...pointer.split('/').slice(1)],
        message: `The worker does not take it at ${pointer || '/'}: ${message}`,
        code: 'INPUT_REFUSED',
      })),
    );
  }
  await takeQuota(deps.limiter, principal);
  return await rawTransaction(deps.pool, async (tx) => {
    const { rowCount } = await tx.sql.query('select from workers where id = $1 and deleted_at is null for share', [
      workerId,
    ]);
    if (rowCount === 0) throw new AppError('NOT_FOUND', 'There is no such worker.');
    await tx.sql.query(ADD_WEBHOOK, [BY_HAND_WEBHOOK_ID, principal.userId]);
    const call = callOf(workerId, body, deps.clock.nowMs(), key);
    const [stored] = await storeCalls(tx.sql, COLD_SHARD, [call], deps.retentionDays);
    if (stored === 'stale') throw new AppError('CONFLICT', 'Workers cannot be run by hand now.', { retryable: true });
    if (stored !== 'stored') return repeated(stored!);
    const { executionId } = call.executions[0]!;
    await recordAudit(tx, principal, {
      action: 'worker.run',
      subjectId: workerId,
      details: { call: formatId('call', call.callId), execution: formatId('execution', executionId) },
    });
    return succeeded({ callId: call.callId, executionId });
  });
}

/** Who runs the first worker by hand owns the row; nothing follows from it. */
const ADD_WEBHOOK = `
  insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id, deleted_at, by_hand)
  values ($1, 'runs by hand', true, 'ASYNC', 'PARALLEL', 'SECRET_HEADER', $2, now(), true) on conflict do nothing`;

/** Runs count against the limits as calls do, against that of whoever runs. @throws AppError RATE_LIMITED. */
async function takeQuota(limiter: RunWorkerDeps['limiter'], { userId }: Principal): Promise<void> {
  const decision = await limiter.take({ webhookId: BY_HAND_WEBHOOK_ID, ownerId: userId });
  if (decision.allowed) return;
  const { policy, perMinute, retryAfterMs } = decision.refusal;
  const message = `The ${policy} limit of ${perMinute} calls a minute is exhausted.`;
  throw new AppError('RATE_LIMITED', message, { retryAfterMs });
}

function callOf(
  workerId: string,
  body: Buffer,
  receivedAtMs: number,
  idempotency: IdempotencyKey | undefined,
): CallToStore {
  return {
    callId: newUuidV7(receivedAtMs),
    webhookId: BY_HAND_WEBHOOK_ID,
    webhookVersion: 1,
    receivedAtMs,
    executionMode: 'ASYNC',
    dispatch: 'PARALLEL',
    isTest: false,
    sourceIp: '',
    headersJson: '{"content-type":"application/json"}',
    body,
    executions: [{ executionId: newUuidV7(receivedAtMs), workerId }],
    idempotency,
  };
}

/** A user's keys are their own, as with everything that is made. */
function keyOf(
  { userId }: Principal,
  { workerId, idempotencyKey }: Pick<RunWorkerInput, 'workerId' | 'idempotencyKey'>,
  body: Buffer,
): IdempotencyKey | undefined {
  if (idempotencyKey === null || idempotencyKey === undefined) return undefined;
  return {
    keyHash: hashOf('by-hand', userId, idempotencyKey),
    bodyHash: hashOf(workerId, body.toString()),
    deliveryId: idempotencyKey,
    windowMs: KEY_WINDOW_MS,
  };
}

function repeated({ callId, sameBody, executions }: Repeat): Outcome<RunByHand> {
  if (sameBody) return succeeded({ callId, executionId: executions[0]!.executionId });
  const message = 'This key was used before for something else.';
  return refused({ field: ['idempotencyKey'], message, code: 'IDEMPOTENCY_MISMATCH' });
}

function hashOf(...parts: readonly string[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

import { createHash } from 'node:crypto';
import type pg from 'pg';
import { recordAudit } from '../../access/audit.js';
import { idempotencyKeyFaults } from '../../access/creation-key.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { IdempotencyKey } from '../../calls/idempotency.js';
import { rawTransaction } from '../../db/raw-transaction.js';
import { AppError } from '../../errors.js';
import type { WorkerVersionChoice } from '../../executions/retry.js';
import { formatId } from '../../lib/ids.js';
import { type Outcome, refused, succeeded } from '../../lib/user-error.js';
import { prepareReplay, type PrepareReplayDeps } from './prepare-replay.js';
import { readReplaySources } from './replay-source.js';
import { storeReplays } from './store-replays.js';

export interface ReplayDeps extends PrepareReplayDeps {
  readonly pool: pg.Pool;
  readonly retentionDays: number;
}

export interface ReplayCallInput {
  /** A UUID. */
  readonly id: string;
  readonly workerVersion: WorkerVersionChoice;
  /** Asked again with the same one within 24 hours, the same replay is given. */
  readonly idempotencyKey?: string | undefined;
}

const KEY_WINDOW_MS = 86_400_000;

/** A webhook that changes meanwhile is looked up again this often. */
const STALE_RETRIES_MAX = 3;

/**
 * Makes a new call with the body and the headers of another one.
 *
 * @returns the new call's id.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT when the webhook changes all the time.
 */
export async function replayCall(
  deps: ReplayDeps,
  principal: Principal | undefined,
  input: ReplayCallInput,
): Promise<Outcome<string>> {
  requirePermission(principal, 'executions:operate');
  const { id, workerVersion, idempotencyKey } = input;
  const userErrors = idempotencyKeyFaults(idempotencyKey);
  if (userErrors.length > 0) return { ok: false, userErrors };
  for (let retry = 0; retry < STALE_RETRIES_MAX; retry += 1) {
    const source = (await readReplaySources(deps.pool, [id])).get(id);
    if (source === undefined) throw new AppError('NOT_FOUND', 'There is no such call.');
    const prepared = await prepareReplay(deps, source, workerVersion);
    if (!prepared.ok) return prepared;
    const { call } = prepared.value;
    const idempotency = keyOf(input, source.webhookId);
    const result = await rawTransaction(deps.pool, async (tx) => {
      const replay = { ...prepared.value, call: { ...call, idempotency } };
      const [stored] = await storeReplays(tx.sql, [replay], deps.retentionDays);
      if (stored === 'stored') {
        await recordAudit(tx, principal, {
          action: 'call.replayed',
          subjectId: formatId('call', id),
          details: { replayedBy: formatId('call', call.callId), workerVersion },
        });
      }
      return stored!;
    });
    if (result === 'stored') return succeeded(call.callId);
    if (result !== 'stale') return repeated(result);
  }
  throw new AppError('CONFLICT', 'The webhook is being changed. Try again.', { retryable: true });
}

function repeated({ callId, sameBody }: { callId: string; sameBody: boolean }): Outcome<string> {
  if (sameBody) return succeeded(callId);
  const message = 'This key was used before for something else.';
  return refused({ field: ['idempotencyKey'], message, code: 'IDEMPOTENCY_MISMATCH' });
}

/** A sender's keys have other words in the place of `replay`, so they never meet. */
function keyOf({ id, workerVersion, idempotencyKey }: ReplayCallInput, webhookId: string): IdempotencyKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  return {
    keyHash: hashOf(webhookId, 'replay', idempotencyKey),
    bodyHash: hashOf(id, workerVersion),
    deliveryId: idempotencyKey,
    windowMs: KEY_WINDOW_MS,
  };
}

function hashOf(...parts: readonly string[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

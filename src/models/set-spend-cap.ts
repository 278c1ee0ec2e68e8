import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Database } from '../db/database.js';
import { AppError } from '../errors.js';
import { publish } from '../events/publish.js';
import { formatId } from '../lib/ids.js';
import { printNanos } from '../lib/nanos.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import type { SpendCap } from './spend-caps.js';

/** What is left out stays as it is; `null` takes a cap away. */
export interface SetSpendCapInput {
  /** A UUID. */
  readonly webhookId: string;
  readonly tokensPerDay?: number | null | undefined;
  readonly costNanosPerDay?: bigint | null | undefined;
  readonly runsPerDay?: number | null | undefined;
}

const WHOLE_MAX = Number.MAX_SAFE_INTEGER;

/** A million dollars a day. */
const COST_MAX = 1_000_000_000_000_000n;

/**
 * Sets what a webhook may spend on a day in UTC. It holds in every process at once, for the day under way too; 0 stops
 * all that spends.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function setSpendCap(
  { database }: { readonly database: Pick<Database, 'transaction'> },
  principal: Principal | undefined,
  input: SetSpendCapInput,
): Promise<Outcome<SpendCap>> {
  requirePermission(principal, 'spend-caps:write');
  const faults = faultsOf(input);
  if (faults.length > 0) return refused(...faults);
  const { webhookId, tokensPerDay, costNanosPerDay, runsPerDay } = input;
  return await database.transaction(async (em) => {
    const [webhook] = await em.execute<unknown[]>(
      'select 1 from webhooks where id = ? and deleted_at is null for update',
      [webhookId],
    );
    if (webhook === undefined) throw new AppError('NOT_FOUND', 'There is no such webhook.');
    await em.execute('insert into spend_caps (webhook_id) values (?) on conflict do nothing', [webhookId]);
    const [row] = await em.execute<{ tokens: string | null; cost: string | null; runs: string | null }[]>(
      `update spend_caps set
         tokens_per_day = case when ? then ?::bigint else tokens_per_day end,
         cost_nanos_per_day = case when ? then ?::bigint else cost_nanos_per_day end,
         runs_per_day = case when ? then ?::bigint else runs_per_day end, updated_at = now()
       where webhook_id = ?
       returning tokens_per_day::text as tokens, cost_nanos_per_day::text as cost, runs_per_day::text as runs`,
      [
        tokensPerDay !== undefined,
        tokensPerDay ?? null,
        costNanosPerDay !== undefined,
        costNanosPerDay?.toString() ?? null,
        runsPerDay !== undefined,
        runsPerDay ?? null,
        webhookId,
      ],
    );
    const { tokens, cost, runs } = row!;
    const cap: SpendCap = {
      tokensPerDay: tokens === null ? null : Number(tokens),
      costNanosPerDay: cost === null ? null : BigInt(cost),
      runsPerDay: runs === null ? null : Number(runs),
    };
    await publish(em, [{ kind: 'spend-cap-changed', webhookId }]);
    await recordAudit(em, principal, {
      action: 'spend-cap.set',
      subjectId: formatId('webhook', webhookId),
      details: {
        tokensPerDay: cap.tokensPerDay,
        costPerDay: cap.costNanosPerDay === null ? null : printNanos(cap.costNanosPerDay),
        runsPerDay: cap.runsPerDay,
      },
    });
    return succeeded(cap);
  });
}

function faultsOf({ tokensPerDay, costNanosPerDay, runsPerDay }: SetSpendCapInput): UserError[] {
  const faults: UserError[] = [];
  for (const [field, value] of Object.entries({ tokensPerDay, runsPerDay })) {
    if (typeof value !== 'number' || (Number.isInteger(value) && value >= 0 && value <= WHOLE_MAX)) continue;
    faults.push({ field: [field], message: 'This must be a whole number from 0.', code: 'OUT_OF_RANGE' });
  }
  if (typeof costNanosPerDay === 'bigint' && costNanosPerDay > COST_MAX) {
    faults.push({ field: ['costPerDay'], message: 'A million dollars a day are the most.', code: 'OUT_OF_RANGE' });
  }
  return faults;
}

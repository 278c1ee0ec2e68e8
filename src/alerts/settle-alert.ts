import type pg from 'pg';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { type RawTransaction, rawTransaction } from '../db/raw-transaction.js';
import { AppError } from '../errors.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';
import type { AlertStatus } from './alert.js';

const ACKNOWLEDGE = `
  update alerts set status = 'ACKNOWLEDGED', acknowledged_at = now(), acknowledged_by = $2, changed_at = now()
  where id = $1`;

const RESOLVE = `
  update alerts set status = 'RESOLVED', resolved_at = now(), resolved_by = $2, changed_at = now() where id = $1`;

/**
 * Says that somebody looks after an alert.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function acknowledgeAlert(
  pool: pg.Pool,
  principal: Principal | undefined,
  { id }: { readonly id: string },
): Promise<Outcome<null>> {
  return await settle(pool, principal, id, 'ACKNOWLEDGED');
}

/**
 * Says that an alert is dealt with. While its pattern goes on it is not opened again.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function resolveAlert(
  pool: pg.Pool,
  principal: Principal | undefined,
  { id }: { readonly id: string },
): Promise<Outcome<null>> {
  return await settle(pool, principal, id, 'RESOLVED');
}

async function settle(
  pool: pg.Pool,
  principal: Principal | undefined,
  id: string,
  to: Exclude<AlertStatus, 'OPEN'>,
): Promise<Outcome<null>> {
  requirePermission(principal, 'alerts:operate');
  return await rawTransaction(pool, async (tx) => {
    const { rows } = await tx.sql.query<{ status: AlertStatus; webhookId: string }>(
      'select status, webhook_id as "webhookId" from alerts where id = $1 for update',
      [id],
    );
    const [alert] = rows;
    if (alert === undefined) throw new AppError('NOT_FOUND', 'There is no such alert.');
    if (alert.status === 'RESOLVED') {
      return refused({ field: ['id'], message: 'It is resolved already.', code: 'ALREADY_RESOLVED' });
    }
    if (alert.status === to) {
      return refused({ field: ['id'], message: 'It is acknowledged already.', code: 'ALREADY_ACKNOWLEDGED' });
    }
    await write(tx, principal, { id, webhookId: alert.webhookId }, to);
    return succeeded(null);
  });
}

async function write(
  tx: RawTransaction,
  principal: Principal,
  { id, webhookId }: { readonly id: string; readonly webhookId: string },
  to: Exclude<AlertStatus, 'OPEN'>,
): Promise<void> {
  await tx.sql.query(to === 'RESOLVED' ? RESOLVE : ACKNOWLEDGE, [id, principal.userId]);
  await tx.sql.query(`select pg_notify('${CHANNEL}', payload) from unnest($1::text[]) as n(payload)`, [
    encodeEvents([{ kind: 'alert-changed', alertId: id, webhookId }]),
  ]);
  await recordAudit(tx, principal, {
    action: to === 'RESOLVED' ? 'alert.resolved' : 'alert.acknowledged',
    subjectId: formatId('alert', id),
    details: { webhook: formatId('webhook', webhookId) },
  });
}

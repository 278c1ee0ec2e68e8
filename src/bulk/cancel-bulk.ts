import type pg from 'pg';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { rawTransaction } from '../db/raw-transaction.js';
import { AppError } from '../errors.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';

/**
 * Ends a bulk operation behind the page that it is at. What it did stays done.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function cancelBulkOperation(
  pool: pg.Pool,
  principal: Principal | undefined,
  { id }: { readonly id: string },
): Promise<Outcome<null>> {
  requirePermission(principal, 'executions:operate');
  return await rawTransaction(pool, async (tx) => {
    // Waits for the page that is being done, whose transaction holds the row.
    const { rows } = await tx.sql.query<{ status: string }>(
      'select status from bulk_operations where id = $1 for update',
      [id],
    );
    const status = rows[0]?.status;
    if (status === undefined) throw new AppError('NOT_FOUND', 'There is no such bulk operation.');
    if (status === 'COMPLETED' || status === 'CANCELED') {
      return refused({ field: ['id'], message: 'It has ended already.', code: 'ALREADY_ENDED' });
    }
    await tx.sql.query("update bulk_operations set status = 'CANCELED', finished_at = now() where id = $1", [id]);
    await tx.sql.query(`select pg_notify('${CHANNEL}', payload) from unnest($1::text[]) as n(payload)`, [
      encodeEvents([{ kind: 'bulk-changed', bulkOperationId: id }]),
    ]);
    await recordAudit(tx, principal, {
      action: 'bulk-operation.canceled',
      subjectId: formatId('bulkOperation', id),
    });
    return succeeded(null);
  });
}

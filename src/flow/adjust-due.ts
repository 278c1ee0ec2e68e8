import type { EntityManager } from '@mikro-orm/postgresql';
import type { Debounce } from './plan-debounce.js';

/**
 * Lets calls that wait for their time profit from a shorter debounce, or from none any more. A longer one is for calls
 * to come. To be called under the webhook's lock.
 *
 * @param debounce `null` when every call is to run.
 */
export async function adjustDue(em: EntityManager, webhookId: string, debounce: Debounce | null): Promise<void> {
  const { quietMs, delayMsMax } = debounce ?? { quietMs: 0, delayMsMax: 0 };
  await em.execute(
    `update flow_calls set due_at = least(due_at, accepted_at + ?::float8 * interval '1 millisecond',
       burst_at + ?::float8 * interval '1 millisecond')
     where webhook_id = ? and state in ('HELD', 'READY') and burst_at is not null`,
    [quietMs, delayMsMax, webhookId],
  );
}

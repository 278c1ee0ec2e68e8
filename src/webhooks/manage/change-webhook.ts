import { LockMode } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { assertVersion } from '../../db/expected-version.js';
import { AppError } from '../../errors.js';
import { publish } from '../../events/publish.js';
import type { Clock } from '../../lib/clock.js';
import { type Webhook, WebhookEntity } from '../webhook.entity.js';

/**
 * Reads a webhook and locks it until the end of the transaction.
 *
 * @param expectedVersion the version that the caller has seen; `undefined` changes whatever there is.
 * @throws AppError NOT_FOUND, CONFLICT when it was changed since.
 */
export async function lockForChange(
  em: EntityManager,
  id: string,
  expectedVersion: number | undefined,
): Promise<Webhook> {
  const webhook = await em.findOne(WebhookEntity, { id, deletedAt: null }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (webhook === null) throw new AppError('NOT_FOUND', 'There is no such webhook.');
  assertVersion('The webhook', webhook.version, expectedVersion);
  return webhook;
}

/** Raises the version, writes what was changed and tells every process. */
export async function writeChange(em: EntityManager, clock: Clock, webhook: Webhook): Promise<void> {
  webhook.version += 1;
  webhook.updatedAt = new Date(clock.nowMs());
  await em.flush();
  await publish(em, [{ kind: 'webhook-changed', webhookId: webhook.id }]);
}

import type { EntityManager } from '@mikro-orm/postgresql';
import { WebhookWorkerEntity } from '../webhook.entity.js';

/** Makes these, in this order, the workers of a webhook. */
export async function putWorkers(em: EntityManager, webhookId: string, workerIds: readonly string[]): Promise<void> {
  await em.nativeDelete(WebhookWorkerEntity, { webhookId });
  if (workerIds.length === 0) return;
  await em.insertMany(
    WebhookWorkerEntity,
    workerIds.map((workerId, position) => ({ webhookId, position, workerId })),
  );
}

import { AppError } from '../../errors.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';

/**
 * Reads the argument `webhookId` of a subscription.
 *
 * @returns a UUID; `undefined` when none was given.
 * @throws AppError BAD_USER_INPUT, NOT_FOUND: nothing would ever come of a webhook that there is not.
 */
export async function readWebhookId(
  { webhookId }: { readonly webhookId?: string | null },
  { loaders }: GraphqlContext,
): Promise<string | undefined> {
  if (webhookId === undefined || webhookId === null) return undefined;
  const id = readId('webhook', webhookId);
  if ((await loaders.webhooks.load(id)) === undefined) throw new AppError('NOT_FOUND');
  return id;
}

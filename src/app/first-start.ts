import { systemPrincipal } from '../access/principal.js';
import { curlCommand } from '../webhooks/manage/curl-command.js';
import { createWebhook } from '../webhooks/manage/create-webhook.js';
import type { Parts } from './parts.js';

/** The worker that the example runs: it returns what it was sent. */
const EXAMPLE_WORKER = 'worker-echo';

const EXAMPLE_BODY = '{"hello":"world"}';

/**
 * Makes the example webhook of a first start.
 *
 * @returns a curl command with its secret, which works as it stands; `undefined` when the operator's workers have no echo.
 */
export async function createExampleWebhook(
  parts: Parts,
  ownerId: string,
  publicUrl: string,
): Promise<string | undefined> {
  const { database, keyring, clock, log } = parts;
  const created = await createWebhook({ database, keyring, clock }, systemPrincipal(ownerId, 'startup'), {
    name: 'Example',
    description: 'Made by the first start. It answers with what it was sent.',
    workerIds: [EXAMPLE_WORKER],
    executionMode: 'SYNC',
    authentication: { method: 'SECRET_HEADER' },
  });
  if (!created.ok) {
    log.warn({ errors: created.userErrors }, 'the example webhook was not made');
    return undefined;
  }
  const { webhook, secret } = created.value;
  return curlCommand({ webhook, publicUrl, secret, body: EXAMPLE_BODY });
}

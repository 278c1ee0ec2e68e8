import { systemPrincipal } from '../access/principal.js';
import { revealSecret } from '../secrets/reveal-secret.js';
import { createWebhook } from '../webhooks/manage/create-webhook.js';
import { curlCommand } from '../webhooks/manage/curl-command.js';
import { readWebhooks } from '../webhooks/manage/read-webhooks.js';
import type { WebhookView } from '../webhooks/manage/webhook-view.js';
import type { Parts } from './parts.js';

/** The worker that the example runs: it returns what it was sent. */
const EXAMPLE_WORKER = 'worker-echo';

/** Also how a later start knows the example: whoever edits the webhook makes it their own. */
const EXAMPLE_DESCRIPTION = 'Made by the first start. It answers with what it was sent.';

const EXAMPLE_BODY = '{"hello":"world"}';

/**
 * Makes the example webhook of a first start.
 *
 * @returns a curl command that works as it stands; `undefined` when the operator's workers have no echo.
 */
export async function createExampleWebhook(
  parts: Parts,
  ownerId: string,
  publicUrl: string,
): Promise<string | undefined> {
  const deps = { ...parts, bodyBytesCeiling: parts.config.bodyBytesCeiling };
  const created = await createWebhook(deps, systemPrincipal(ownerId, 'startup'), {
    name: 'Example',
    description: EXAMPLE_DESCRIPTION,
    workerIds: [EXAMPLE_WORKER],
    executionMode: 'SYNC',
    dispatch: 'PARALLEL',
    active: true,
    authentication: { method: 'SECRET_HEADER' },
  });
  if (created.ok) return commandFor(created.value.webhook, created.value.secret!, publicUrl);
  parts.log.warn({ errors: created.userErrors }, 'the example webhook was not made');
  return undefined;
}

/**
 * The same command at a later start of the embedded installation, whose operator sits at the terminal. Its secret is
 * revealed as through the API: it stands in the audit log.
 *
 * @returns `undefined` when the example is gone, inactive or has become something else.
 */
export async function findExampleCommand(
  parts: Parts,
  ownerId: string,
  publicUrl: string,
): Promise<string | undefined> {
  const { rows } = await parts.database.pool.query<{ id: string }>(
    'select id from webhooks where description = $1 and active and deleted_at is null order by created_at limit 1',
    [EXAMPLE_DESCRIPTION],
  );
  const id = rows[0]?.id;
  if (id === undefined) return undefined;
  const startup = systemPrincipal(ownerId, 'startup');
  try {
    const [webhook] = await readWebhooks(parts, startup, [id]);
    const { secret } = await revealSecret(parts, startup, { webhookId: id });
    return webhook === undefined ? undefined : commandFor(webhook, secret, publicUrl);
  } catch (error) {
    parts.log.warn({ err: error }, 'the example command cannot be shown'); // somebody deletes it at this moment
    return undefined;
  }
}

function commandFor(webhook: WebhookView, secret: string, publicUrl: string): string {
  const { id, authentication } = webhook;
  return curlCommand({ publicUrl, webhookId: id, authentication, secret, body: EXAMPLE_BODY });
}

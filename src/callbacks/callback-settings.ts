import type { EntityManager } from '@mikro-orm/postgresql';
import { parseOutboundUrl } from '../outbound/outbound-url.js';
import type { UserError } from '../lib/user-error.js';
import type { Keyring, SealedFor } from '../secrets/seal.js';
import { sealedColumn } from '../secrets/sealed-place.js';
import { newSecret, secretHint } from '../secrets/secret-rules.js';

const URL_CHARACTERS_MAX = 2_048;

/** What the signing secret of a webhook's callbacks belongs to. */
export function callbackSecretSealedFor(webhookId: string, version: number): SealedFor {
  return { table: 'webhook_callbacks', row: webhookId, version };
}

/** What is wrong with a callback URL. Whether its address may be reached is found out when it is dialled. */
export function callbackUrlFaults(url: string | null | undefined): readonly UserError[] {
  if (url === null || url === undefined) return [];
  const field = ['callbackUrl'];
  if (url.length > URL_CHARACTERS_MAX) {
    return [{ field, message: `A URL has at most ${URL_CHARACTERS_MAX} characters.`, code: 'TOO_LONG' }];
  }
  if (parseOutboundUrl(url) !== undefined) return [];
  const message = 'A callback URL is an http or https URL without user name and password.';
  return [{ field, message, code: 'INVALID_URL' }];
}

export interface CallbackChange {
  readonly changed: boolean;
  /** A new signing secret, shown this once: the webhook had no callback before. */
  readonly secret?: string;
}

/**
 * Gives a webhook a callback URL, another one, or none, in the caller's transaction, which has locked the webhook. The
 * signing secret is made with the first URL and goes with the last.
 */
export async function putCallback(
  em: EntityManager,
  keyring: Keyring,
  webhookId: string,
  url: string | null,
): Promise<CallbackChange> {
  const [present] = await em.execute<{ url: string }[]>('select url from webhook_callbacks where webhook_id = ?', [
    webhookId,
  ]);
  if (url === null) {
    await em.execute('delete from webhook_callbacks where webhook_id = ?', [webhookId]);
    return { changed: present !== undefined };
  }
  const { href } = new URL(url);
  if (present === undefined) {
    const secret = newSecret();
    await em.execute(
      `insert into webhook_callbacks (webhook_id, url, secret_version, sealed, hint) values (?, ?, 1, decode(?, 'hex'), ?)`,
      [webhookId, href, seal(keyring, webhookId, 1, secret), secretHint(secret)],
    );
    return { changed: true, secret };
  }
  if (present.url === href) return { changed: false };
  await em.execute('update webhook_callbacks set url = ?, updated_at = now() where webhook_id = ?', [href, webhookId]);
  return { changed: true };
}

/** Replaces the signing secret at once. @returns the new one; `undefined` when the webhook has no callback. */
export async function replaceCallbackSecret(
  em: EntityManager,
  keyring: Keyring,
  webhookId: string,
): Promise<string | undefined> {
  const [present] = await em.execute<{ version: number }[]>(
    'select secret_version as version from webhook_callbacks where webhook_id = ? for update',
    [webhookId],
  );
  if (present === undefined) return undefined;
  const secret = newSecret();
  const version = present.version + 1;
  await em.execute(
    `update webhook_callbacks set secret_version = ?, sealed = decode(?, 'hex'), hint = ?, updated_at = now()
     where webhook_id = ?`,
    [version, seal(keyring, webhookId, version, secret), secretHint(secret), webhookId],
  );
  return secret;
}

function seal(keyring: Keyring, webhookId: string, version: number, secret: string): string {
  return keyring.seal(secret, callbackSecretSealedFor(webhookId, version)).toString('hex');
}

/** For a change of the encryption keys. */
export const SEALED_CALLBACK_SECRETS = sealedColumn({
  table: 'webhook_callbacks',
  id: 'webhook_id::text',
  row: 'webhook_id::text',
  version: 'secret_version',
  column: 'sealed',
});

import type { UserError } from '../../lib/user-error.js';
import type { Provider } from '../verify/provider/provider.js';
import type { AuthenticationInput } from './authentication-input.js';

/**
 * Checks what concerns the sender of a webhook.
 *
 * @param provider what the input's id names; `undefined` when there is none of it.
 * @param presentProvider the sender whose secret the webhook has already.
 */
export function providerFaults(
  { method, provider: id, headerName, headerPrefix, secret }: AuthenticationInput,
  provider: Provider | undefined,
  presentProvider: string | null,
): readonly UserError[] {
  const field = ['authentication', 'provider'];
  if (method !== 'PROVIDER') {
    if (id === null || id === undefined) return [];
    return [{ field, message: 'Only the method PROVIDER has a provider.', code: 'NOT_APPLICABLE' }];
  }
  if (id === null || id === undefined) return [{ field, message: 'PROVIDER needs a provider.', code: 'REQUIRED' }];
  if (provider === undefined) {
    return [{ field, message: 'There is no such provider; `providers` lists them.', code: 'UNKNOWN_PROVIDER' }];
  }
  const faults: UserError[] = [];
  if ((headerName ?? headerPrefix ?? null) !== null) {
    const at = ['authentication', (headerName ?? null) === null ? 'headerPrefix' : 'headerName'];
    faults.push({ field: at, message: `${provider.name} has headers of its own.`, code: 'NOT_APPLICABLE' });
  }
  const secretField = ['authentication', 'secret'];
  const mayWait = provider.secretFrom === 'sender-later' || id === presentProvider;
  if ((secret ?? null) !== null || !mayWait) faults.push(...senderSecretFaults(provider, secret, secretField));
  return faults;
}

/** What is wrong with a sender's secret, or with its missing where the sender makes it. */
export function senderSecretFaults(
  { name, setup, secretFrom, secretForm }: Provider,
  secret: string | null | undefined,
  field: readonly string[],
): readonly UserError[] {
  if (secret === null || secret === undefined) {
    if (secretFrom === 'user') return [];
    return [{ field, message: `${name} gives you the secret; bring it here. ${setup}`.trim(), code: 'REQUIRED' }];
  }
  if (secretForm?.pattern.test(secret) !== false) return [];
  const message = `This is no secret of ${name}, which is ${secretForm.description}.`;
  return [{ field, message, code: 'INVALID_SECRET' }];
}

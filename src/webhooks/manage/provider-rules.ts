import type { UserError } from '../../lib/user-error.js';
import { findProvider } from '../verify/provider/providers.js';
import type { AuthenticationInput } from './authentication-input.js';

/**
 * Checks what concerns the sender of a webhook.
 *
 * @param presentProvider the sender whose secret the webhook has already.
 */
export function providerFaults(
  { method, provider: id, headerName, headerPrefix, secret }: AuthenticationInput,
  presentProvider: string | null,
): readonly UserError[] {
  const field = ['authentication', 'provider'];
  if (method !== 'PROVIDER') {
    if (id === null || id === undefined) return [];
    return [{ field, message: 'Only the method PROVIDER has a provider.', code: 'NOT_APPLICABLE' }];
  }
  if (id === null || id === undefined) return [{ field, message: 'PROVIDER needs a provider.', code: 'REQUIRED' }];
  const provider = findProvider(id);
  if (provider === undefined) {
    return [{ field, message: 'There is no such provider; `providers` lists them.', code: 'UNKNOWN_PROVIDER' }];
  }
  const faults: UserError[] = [];
  if ((headerName ?? headerPrefix ?? null) !== null) {
    const at = ['authentication', (headerName ?? null) === null ? 'headerPrefix' : 'headerName'];
    faults.push({ field: at, message: `${provider.name} has headers of its own.`, code: 'NOT_APPLICABLE' });
  }
  const secretField = ['authentication', 'secret'];
  if (secret === null || secret === undefined) {
    if (provider.secretFrom === 'sender' && id !== presentProvider) {
      const message = `${provider.name} gives you the secret; bring it here. ${provider.setup}`;
      faults.push({ field: secretField, message, code: 'REQUIRED' });
    }
  } else if (provider.secretForm?.pattern.test(secret) === false) {
    const message = `This is no secret of ${provider.name}, which is ${provider.secretForm.description}.`;
    faults.push({ field: secretField, message, code: 'INVALID_SECRET' });
  }
  return faults;
}

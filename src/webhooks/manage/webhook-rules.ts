import type { EntityManager } from '@mikro-orm/postgresql';
import { isWorkerId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import { ownSecretFaults } from '../../secrets/secret-rules.js';
import { METHOD_DEFAULTS } from '../verify/method-defaults.js';
import type { AuthenticationInput } from './authentication-input.js';
import { providerFaults } from './provider-rules.js';
import { isReservedHeader } from './reserved-headers.js';
import type { Provider } from '../verify/provider/provider.js';
import type { AuthenticationMethod } from '../webhook.entity.js';

const WORKERS_MAX = 20;
const HEADER_CHARACTERS_MAX = 100;
export const DESCRIPTION_CHARACTERS_MAX = 2_000;

/** A caller, or a proxy on its way, gives up sooner than this. */
const SYNC_TIMEOUT_MS_MAX = 300_000;

/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** What is wrong with the time that a sync call may wait, in milliseconds; `null` is the default. */
export function syncTimeoutFaults(syncTimeoutMs: number | null): readonly UserError[] {
  if (syncTimeoutMs === null) return [];
  if (Number.isInteger(syncTimeoutMs) && syncTimeoutMs >= 1 && syncTimeoutMs <= SYNC_TIMEOUT_MS_MAX) return [];
  return [
    { field: ['syncTimeout'], message: 'A sync call waits from 1 millisecond to 5 minutes.', code: 'OUT_OF_RANGE' },
  ];
}

/**
 * @param provider what the input's id names.
 * @param presentProvider the sender whose secret the webhook has already.
 */
export function authenticationFaults(
  authentication: AuthenticationInput,
  provider: Provider | undefined,
  presentProvider: string | null = null,
): readonly UserError[] {
  const { method, headerName, headerPrefix, secret } = authentication;
  return [
    ...providerFaults(authentication, provider, presentProvider),
    ...headerNameFaults(method, headerName ?? null),
    ...(headerPrefix === null || headerPrefix === undefined ? [] : headerPrefixFaults(headerPrefix)),
    ...(secret === null || secret === undefined ? [] : ownSecretFaults(['authentication', 'secret'], secret)),
  ];
}

function headerNameFaults(method: AuthenticationMethod, headerName: string | null): readonly UserError[] {
  const field = ['authentication', 'headerName'];
  if (headerName === null) {
    if (method === 'PROVIDER' || METHOD_DEFAULTS[method].headerName !== '') return [];
    return [{ field, message: 'A custom header needs a name.', code: 'REQUIRED' }];
  }
  if (headerName.length > HEADER_CHARACTERS_MAX) {
    return [{ field, message: `A header name has at most ${HEADER_CHARACTERS_MAX} characters.`, code: 'TOO_LONG' }];
  }
  if (!TOKEN.test(headerName)) {
    const message = "A header name has only letters, digits and !#$%&'*+-.^_`|~.";
    return [{ field, message, code: 'INVALID_HEADER_NAME' }];
  }
  if (isReservedHeader(headerName)) {
    return [{ field, message: `The header ${headerName} has another meaning in HTTP.`, code: 'RESERVED_HEADER' }];
  }
  return [];
}

function headerPrefixFaults(headerPrefix: string): readonly UserError[] {
  const field = ['authentication', 'headerPrefix'];
  if (headerPrefix.length > HEADER_CHARACTERS_MAX) {
    return [{ field, message: `A prefix has at most ${HEADER_CHARACTERS_MAX} characters.`, code: 'TOO_LONG' }];
  }
  if (/^(?:[!-~][ -~]*)?$/.test(headerPrefix)) return [];
  const message = 'A prefix has only printable ASCII characters and does not begin with a space.';
  return [{ field, message, code: 'INVALID_CHARACTERS' }];
}

/**
 * Checks the workers of a webhook and locks their rows until the end of the transaction, so that none is deleted while
 * the webhook begins to use it.
 */
export async function workerFaults(em: EntityManager, workerIds: readonly string[]): Promise<readonly UserError[]> {
  const field = ['workerIds'];
  if (workerIds.length === 0) return [{ field, message: 'A webhook needs at least one worker.', code: 'REQUIRED' }];
  if (workerIds.length > WORKERS_MAX) {
    return [{ field, message: `A webhook has at most ${WORKERS_MAX} workers.`, code: 'TOO_MANY' }];
  }
  const found = await em.execute<{ id: string }[]>(
    `select id from workers where id = any(string_to_array(?, ',')) and deleted_at is null order by id for share`,
    [workerIds.filter(isWorkerId).join(',')],
  );
  const known = new Set(found.map(({ id }) => id));
  return workerIds.flatMap((id, i) => {
    const at = [...field, String(i)];
    if (workerIds.indexOf(id) < i) return [{ field: at, message: 'This worker is there twice.', code: 'DUPLICATE' }];
    return known.has(id) ? [] : [{ field: at, message: 'There is no such worker.', code: 'UNKNOWN_WORKER' }];
  });
}

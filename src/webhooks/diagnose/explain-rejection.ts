import type { Explain } from '../../calls/rejected-calls.js';
import type { Sql } from '../../db/database.js';
import type { Keyring } from '../../secrets/seal.js';
import type { ProviderRequest } from '../verify/provider/provider.js';
import { Budget } from './budget.js';
import { diagnose } from './diagnose.js';
import { readDiagnosedWebhook } from './read-diagnosed-webhook.js';

/**
 * What one rejected call may cost: some 7 ms. All single mistakes of three secrets over a body of 32 KiB are within it,
 * and few pairs; `diagnoseSignature` tries more.
 */
const TRIES_MAX = 250;
const BYTES_MAX = 6 * 1_048_576;

/** A larger body is not kept for it: too little of it could be tried. */
const BODY_BYTES_MAX = 131_072;

export interface ExplainerDeps {
  readonly sql: Sql;
  readonly keyring: Keyring;
}

/**
 * Prepares the precise reason of a call that was not authenticated. Nothing is done before it is run, off the
 * request's path; until then it holds the request.
 *
 * @param webhookId a UUID.
 * @param receivedAtMs when the call came, Unix milliseconds.
 */
export function explainRejection(
  { sql, keyring }: ExplainerDeps,
  webhookId: string,
  request: ProviderRequest,
  receivedAtMs: number,
): Explain | undefined {
  if (request.body.length > BODY_BYTES_MAX) return undefined;
  return {
    bytes: request.body.length,
    run: async () => {
      const webhook = await readDiagnosedWebhook({ sql, keyring }, webhookId, receivedAtMs);
      const budget = new Budget(TRIES_MAX, BYTES_MAX);
      const found = webhook && diagnose(webhook, request, { nowMs: receivedAtMs, budget });
      // Its secret was changed in the meantime.
      if (found === undefined || found.code === 'VALID') {
        return { code: 'AUTHENTICATION_FAILED', reason: 'The secret was changed while the call was on its way.' };
      }
      return { code: found.code, reason: found.message };
    },
  };
}

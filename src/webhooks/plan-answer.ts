import type { ExecutionMode } from '../calls/call-modes.js';
import { parsePrefer, waitApplied } from '../lib/prefer.js';
import { headerValues } from './verify/incoming-headers.js';
import type { IngressWebhook } from './read-ingress-webhooks.js';

/** How a call is to be answered: what its webhook says, changed by what its caller prefers. */
export interface AnswerPlan {
  /** SYNC: the answer waits for the executions, whatever the webhook's own mode is. */
  readonly executionMode: ExecutionMode;
  /** How long a SYNC answer waits, in milliseconds. */
  readonly waitMs: number;
  /** For the header `Preference-Applied`. */
  readonly preferenceApplied?: string;
}

export interface AnswerPlanOptions {
  /** For webhooks without a time of their own. */
  readonly syncTimeoutMs: number;
  /** The most that a caller can make a call wait, beyond its webhook's own time. */
  readonly preferWaitMsMax: number;
}

/**
 * Applies `Prefer: respond-async` and `Prefer: wait=N`. With both, the answer waits for as long as `wait` says and is
 * 202 then (RFC 7240, 4.3).
 */
export function planAnswer(
  webhook: Pick<IngressWebhook, 'executionMode' | 'syncTimeoutMs'>,
  rawHeaders: readonly string[],
  { syncTimeoutMs, preferWaitMsMax }: AnswerPlanOptions,
): AnswerPlan {
  const { executionMode } = webhook;
  const ownMs = executionMode === 'SYNC' ? (webhook.syncTimeoutMs ?? syncTimeoutMs) : 0;
  const { respondAsync, waitMs } = parsePrefer(headerValues(rawHeaders, 'prefer'));
  if (waitMs !== undefined) {
    const grantedMs = Math.min(waitMs, Math.max(preferWaitMsMax, ownMs));
    const applied = waitApplied(grantedMs);
    return {
      executionMode: grantedMs > 0 ? 'SYNC' : 'ASYNC',
      waitMs: grantedMs,
      preferenceApplied: respondAsync ? `respond-async, ${applied}` : applied,
    };
  }
  if (respondAsync) return { executionMode: 'ASYNC', waitMs: 0, preferenceApplied: 'respond-async' };
  return { executionMode, waitMs: ownMs };
}

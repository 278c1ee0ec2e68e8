import type { CallOutcome } from '../calls/call.entity.js';
import type { RejectedCallRecorder } from '../calls/rejected-calls.js';
import type { IncomingCall } from './accept-outcome.js';
import { recordedHeaders } from './verify/incoming-headers.js';
import type { IngressWebhook } from './webhook-cache.js';

/** A handshake can come unsigned, and what it carries is for its answer only. */
const BODILESS: ReadonlySet<CallOutcome> = new Set(['REJECTED_AUTHENTICATION', 'HANDSHAKE']);

/** Why a call was turned away, for the webhook's owner. */
export interface Refusal {
  readonly outcome: CallOutcome;
  /** `null`: the first call's, for a repeat. */
  readonly httpStatus: number | null;
  readonly reason: string;
}

/**
 * Records a request that becomes no call: a rejected one, a repeat or a handshake. Of one that was not authenticated neither the body nor the presented credential is kept:
 * whoever sent it has no claim on our disk, and a mistyped secret is still most of a secret.
 */
export function noteRejected(
  recorder: RejectedCallRecorder,
  webhook: IngressWebhook,
  incoming: IncomingCall,
  refusal: Refusal,
): void {
  recorder.record({
    webhookId: webhook.id,
    ...refusal,
    sourceIp: incoming.sourceIp,
    requestHeaders: recordedHeaders(incoming.rawHeaders, webhook.authentication.headerName),
    body: BODILESS.has(refusal.outcome) ? Buffer.alloc(0) : incoming.body,
    isTest: incoming.isTest,
    executionMode: webhook.executionMode,
    dispatch: webhook.dispatch,
  });
}

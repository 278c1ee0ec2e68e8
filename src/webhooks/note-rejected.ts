import type { CallOutcome } from '../calls/call.entity.js';
import type { Explain, RejectedCallRecorder } from '../calls/rejected-calls.js';
import type { ErrorCode } from '../errors.js';
import type { AcceptOutcome, IncomingCall } from './accept-outcome.js';
import { recordedHeaders, unprovenHeaders } from './verify/incoming-headers.js';
import { tokenHeaderOf } from './verify/provider/providers.js';
import type { IngressWebhook } from './read-ingress-webhooks.js';

/** A handshake can come unsigned, and what it carries is for its answer only. */
const BODILESS: ReadonlySet<CallOutcome> = new Set(['REJECTED_AUTHENTICATION', 'REJECTED_ADDRESS', 'HANDSHAKE']);

type RejectionRecorder = Pick<RejectedCallRecorder, 'record'>;

/** Why a call was turned away, for the webhook's owner. */
export interface Refusal {
  readonly outcome: CallOutcome;
  /** `null`: the first call's, for a repeat. */
  readonly httpStatus: number | null;
  readonly reason: string;
  /** The same for a program. */
  readonly code?: string | undefined;
  /** Finds a more precise reason. */
  readonly explain?: Explain | undefined;
}

/** A request that becomes no call: how it is answered, and what is recorded of it. */
export interface TurnedAway {
  readonly outcome: AcceptOutcome;
  /** Without it nothing is recorded. */
  readonly refusal?: Refusal;
  /** The secret that authenticated it, a UUID. */
  readonly secretId?: string;
}

/** What a rejected call is recorded with, as its caller was told. */
const REJECTION_CODES: Partial<Record<AcceptOutcome['type'], ErrorCode>> = {
  unauthenticated: 'AUTHENTICATION_FAILED',
  'address-not-allowed': 'ADDRESS_NOT_ALLOWED',
  inactive: 'WEBHOOK_INACTIVE',
  'rate-limited': 'RATE_LIMITED',
  'unsupported-media-type': 'UNSUPPORTED_MEDIA_TYPE',
  'malformed-body': 'MALFORMED_BODY',
  'invalid-input': 'INVALID_INPUT',
  'malformed-idempotency-key': 'IDEMPOTENCY_KEY_INVALID',
  'idempotency-mismatch': 'IDEMPOTENCY_MISMATCH',
};

/** Records what was turned away, with the code that its caller was told. */
export function noteTurnedAway(
  recorder: RejectionRecorder,
  webhook: IngressWebhook,
  incoming: IncomingCall,
  { outcome, refusal }: TurnedAway,
): void {
  if (refusal === undefined) return;
  noteRejected(recorder, webhook, incoming, { code: REJECTION_CODES[outcome.type], ...refusal });
}

/**
 * Records a request that becomes no call: a rejected one, a repeat or a handshake. Of one that was not authenticated
 * neither the body nor the presented credential is kept: whoever sent it has no claim on our disk, and a mistyped
 * secret is still most of a secret.
 */
export function noteRejected(
  recorder: RejectionRecorder,
  webhook: IngressWebhook,
  incoming: IncomingCall,
  refusal: Refusal,
): void {
  recorder.record({
    webhookId: webhook.id,
    ...refusal,
    sourceIp: incoming.sourceIp,
    requestHeaders: () => shownHeaders(webhook, incoming, refusal),
    body: BODILESS.has(refusal.outcome) ? Buffer.alloc(0) : incoming.body,
    isTest: incoming.isTest,
    executionMode: webhook.executionMode,
    dispatch: webhook.dispatch,
  });
}

function shownHeaders(
  { authentication, secrets }: IngressWebhook,
  { rawHeaders }: IncomingCall,
  { outcome }: Refusal,
): Record<string, string> {
  const isProven = outcome !== 'REJECTED_AUTHENTICATION' && outcome !== 'REJECTED_ADDRESS';
  const { provider, headerName } = authentication;
  return recordedHeaders(isProven ? rawHeaders : unprovenHeaders(rawHeaders), {
    header: (provider && tokenHeaderOf(provider)) ?? headerName,
    secrets: secrets.map(({ secret }) => secret),
  });
}

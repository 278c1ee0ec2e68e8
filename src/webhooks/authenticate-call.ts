import type { Explain } from '../calls/rejected-calls.js';
import type { IncomingCall } from './accept-outcome.js';
import type { Refusal, TurnedAway } from './note-rejected.js';
import type { IngressWebhook } from './read-ingress-webhooks.js';
import { barredBy } from './rules/barred-by.js';
import { DECOY_WEBHOOK } from './verify/decoy.js';
import { answerHandshake } from './verify/provider/handshake.js';
import type { ProviderRequest } from './verify/provider/provider.js';
import { verifyProvider } from './verify/provider/verify-provider.js';
import { type Verification, verifyCredential } from './verify/verify-credential.js';

export interface AuthenticateOptions {
  /** The base of our URLs as senders know them, without a trailing slash. */
  readonly publicUrl: () => string;
  /** Prepares the precise reason of a call that was not authenticated, for the webhook (a UUID). */
  readonly explain: (webhookId: string, request: ProviderRequest, receivedAtMs: number) => Explain | undefined;
}

/** A call whose credential is one of its active webhook's. */
export interface AuthenticCall {
  readonly webhook: IngressWebhook;
  /** A UUID. */
  readonly secretId: string;
}

/** Of a credential that came from where none may come. */
const NOT_LOOKED_AT: Verification = { verified: false, reason: 'the credential was not looked at' };

/**
 * Decides whether a call is the sender's: by address and client certificate, then by its credential over the raw bytes,
 * then by whether the webhook is active. Senders' handshakes are answered on the way. A pure function of the call, the
 * time and what is known of the webhook; a webhook that is not there costs the same time.
 */
export function authenticateCall(
  options: AuthenticateOptions,
  known: IngressWebhook | undefined,
  incoming: IncomingCall,
  receivedAtMs: number,
): AuthenticCall | TurnedAway {
  const webhook = known ?? DECOY_WEBHOOK;
  const { provider } = webhook.authentication;
  if (incoming.method === 'GET' && provider?.handshake !== 'meta-subscribe')
    return { outcome: { type: 'method-not-allowed' } };
  const barred = known === undefined || incoming.isTest ? undefined : barredBy(webhook, incoming);
  const verification = barred ? NOT_LOOKED_AT : verify(options, webhook, incoming, receivedAtMs);
  if (known === undefined) return { outcome: { type: 'not-found' } };
  if (barred !== undefined) return barred;
  const handshake = handshakeOf(options, webhook, incoming, verification, receivedAtMs);
  if (handshake !== undefined) return handshake;
  if (incoming.method === 'GET') {
    return unauthenticated(known.id, { reason: 'the verify token is wrong', code: 'VERIFY_TOKEN_WRONG' });
  }
  if (!verification.verified) {
    const explain = options.explain(known.id, signedRequest(options, incoming), receivedAtMs);
    return unauthenticated(known.id, { reason: verification.reason, explain });
  }
  const { secretId } = verification;
  if (known.active) return { webhook: known, secretId };
  return {
    outcome: { type: 'inactive', webhookId: known.id },
    refusal: { outcome: 'REJECTED_INACTIVE', httpStatus: 403, reason: 'the webhook is not active' },
    secretId,
  };
}

function verify(
  options: AuthenticateOptions,
  { authentication, secrets }: IngressWebhook,
  incoming: IncomingCall,
  nowMs: number,
): Verification {
  const { provider } = authentication;
  return provider === undefined
    ? verifyCredential(authentication, secrets, incoming.rawHeaders, incoming.body, nowMs)
    : verifyProvider(provider, secrets, { ...incoming, publicUrl: options.publicUrl() }, nowMs);
}

function handshakeOf(
  options: AuthenticateOptions,
  webhook: IngressWebhook,
  incoming: IncomingCall,
  verification: Verification,
  nowMs: number,
): TurnedAway | undefined {
  const { provider } = webhook.authentication;
  if (provider?.handshake === undefined) return undefined;
  const secrets = webhook.secrets.filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs);
  const verifiedBy = verification.verified ? secrets.find(({ id }) => id === verification.secretId) : undefined;
  const answer = answerHandshake(
    provider,
    { ...incoming, publicUrl: options.publicUrl() },
    {
      webhookId: webhook.id,
      verifiedBy: verifiedBy?.secret,
      secrets: secrets.map(({ secret }) => secret),
    },
  );
  if (answer === undefined) return undefined;
  return {
    outcome: { type: 'handshake', webhookId: webhook.id, answer },
    refusal: { outcome: 'HANDSHAKE', httpStatus: answer.status, reason: provider.handshake },
  };
}

function unauthenticated(webhookId: string, why: Pick<Refusal, 'reason' | 'code' | 'explain'>): TurnedAway {
  return {
    outcome: { type: 'unauthenticated', webhookId },
    refusal: { outcome: 'REJECTED_AUTHENTICATION', httpStatus: 401, ...why },
  };
}

function signedRequest(options: AuthenticateOptions, incoming: IncomingCall): ProviderRequest {
  const { method, target, rawHeaders, body } = incoming;
  return { method, target, rawHeaders, body, publicUrl: options.publicUrl() };
}

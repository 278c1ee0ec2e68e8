import type { CallToStore } from '../calls/store-calls.js';
import { newUuidV7 } from '../lib/ids.js';
import type { IncomingCall } from './accept-outcome.js';
import type { AcceptedForms } from './parse-body.js';
import type { AnswerPlan } from './plan-answer.js';
import type { IngressWebhook } from './read-ingress-webhooks.js';
import { recordedHeaders, type WebhookCredentials } from './verify/incoming-headers.js';
import { tokenHeaderOf } from './verify/provider/providers.js';

/** Makes what is stored of a call to a webhook: it begins the webhook's workers. */
export function callToStore(
  webhook: IngressWebhook,
  incoming: IncomingCall,
  receivedAtMs: number,
  { executionMode }: Pick<AnswerPlan, 'executionMode'>,
  more: Pick<CallToStore, 'idempotency' | 'flow'>,
): CallToStore {
  return {
    callId: newUuidV7(receivedAtMs),
    webhookId: webhook.id,
    webhookVersion: webhook.version,
    receivedAtMs,
    executionMode,
    dispatch: webhook.dispatch,
    isTest: incoming.isTest,
    sourceIp: incoming.sourceIp,
    headersJson: JSON.stringify(recordedHeaders(incoming.rawHeaders, credentialsOf(webhook))),
    body: incoming.body,
    executions: webhook.workerIds.map((workerId) => ({ executionId: newUuidV7(receivedAtMs), workerId })),
    ...more,
  };
}

/** What a webhook's bodies may be besides a JSON object. */
export function acceptedForms({ authentication, rules }: IngressWebhook): AcceptedForms | undefined {
  const { provider } = authentication;
  return rules.acceptAnyJson ? { ...provider, acceptAnyJson: true } : provider;
}

/** What is not recorded of a webhook's calls, nor seen by its filter. */
export function credentialsOf({ authentication, secrets }: IngressWebhook): WebhookCredentials {
  const { headerName, method, provider } = authentication;
  const own = method === 'HMAC_SIGNATURE' ? undefined : headerName; // a signature is no secret
  return {
    header: provider === undefined ? own : tokenHeaderOf(provider),
    secrets: secrets.map(({ secret }) => secret),
  };
}

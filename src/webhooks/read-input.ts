import type { IdempotencyKey } from '../calls/idempotency.js';
import type { Logger } from '../lib/logger.js';
import type { InputFault } from '../workers/worker-run.js';
import type { IncomingCall } from './accept-outcome.js';
import { acceptedForms, credentialsOf } from './call-to-store.js';
import { readIdempotencyKey } from './idempotency-key.js';
import type { TurnedAway } from './note-rejected.js';
import { type AcceptedForms, parseBody } from './parse-body.js';
import type { IngressWebhook } from './read-ingress-webhooks.js';
import { headerValues } from './verify/incoming-headers.js';

export interface InputOptions {
  /** The largest body that may come to a webhook, in bytes. */
  readonly bodyBytesMaxOf: (webhook: IngressWebhook) => number;
  /** How long a repeated call is known, in milliseconds, when its webhook does not say. */
  readonly idempotencyWindowMs: number;
  readonly log: Logger;
}

/** What a call's workers are to get, before their schemas were asked. */
export interface CallInput {
  /** The JSON to keep, which for JSON are the bytes as they came. */
  readonly body: Buffer;
  /** The body, parsed. */
  readonly inputParams: unknown;
}

/** Reads a call's body by the webhook's rules: its size, its form and what the filter takes. */
export function readInput(
  options: InputOptions,
  webhook: IngressWebhook,
  incoming: IncomingCall,
): CallInput | TurnedAway {
  const { id: webhookId, rules } = webhook;
  const { rawHeaders, body } = incoming;
  // The transport asked before it read the body; the limit may have been lowered meanwhile.
  const bytesMax = options.bodyBytesMaxOf(webhook);
  if (body.length > bytesMax) return { outcome: { type: 'too-large', webhookId, bytesMax } };
  const parsed = parseBody(rawHeaders, body, acceptedForms(webhook));
  if ('fault' in parsed) {
    const { fault: type, detail } = parsed;
    const httpStatus = type === 'malformed-body' ? 400 : 415;
    return {
      outcome: { type, webhookId, detail },
      refusal: { outcome: 'REJECTED_MALFORMED', httpStatus, reason: detail },
    };
  }
  const passes =
    rules.filter?.passes({ input: parsed.inputParams, rawHeaders, credentials: credentialsOf(webhook) }, (reason) =>
      options.log.warn({ webhookId, reason }, 'a filter failed, so calls pass it'),
    ) ?? true;
  if (passes) return parsed;
  return {
    outcome: { type: 'ignored', webhookId, executionMode: webhook.executionMode },
    refusal: { outcome: 'IGNORED', httpStatus: 200, reason: 'the filter does not take it' },
  };
}

/** What becomes of a call that does not fit its workers' input schemas. */
export function schemaRefusal(webhookId: string, faults: readonly InputFault[]): TurnedAway {
  const reason = faults.map((fault) => `${fault.workerId} ${fault.pointer || '/'}: ${fault.message}`).join('; ');
  return {
    outcome: { type: 'invalid-input', webhookId, faults },
    refusal: { outcome: 'REJECTED_INPUT', httpStatus: 400, reason },
  };
}

/** @returns the call's key, nothing for a call without one, or what becomes of a call whose key is malformed. */
export function keyOfInput(
  { idempotencyWindowMs }: InputOptions,
  webhook: IngressWebhook,
  { rawHeaders }: IncomingCall,
  { body, inputParams }: CallInput,
): IdempotencyKey | TurnedAway | undefined {
  const key = readIdempotencyKey({ webhook, rawHeaders, body, inputParams, windowMs: idempotencyWindowMs });
  if (key !== 'malformed') return key;
  const reason = 'the Idempotency-Key header is not well-formed';
  return {
    outcome: { type: 'malformed-idempotency-key', webhookId: webhook.id },
    refusal: { outcome: 'REJECTED_MALFORMED', httpStatus: 400, reason },
  };
}

/** Whatever any webhook takes. */
const ANY_FORM: AcceptedForms = { sendsArrays: true, sendsForms: true, acceptAnyJson: true };

/**
 * The key of a call that is about to be turned away for its input. Its body is read as widely as any rules would have
 * it: by other ones it may have been accepted before. What no rules take was never accepted, so it has no key here.
 */
export function keyOfRefused(
  options: InputOptions,
  webhook: IngressWebhook,
  incoming: IncomingCall,
): IdempotencyKey | undefined {
  const { idempotencyPointer, authentication } = webhook;
  const mayHaveKey =
    idempotencyPointer !== undefined ||
    authentication.provider !== undefined ||
    headerValues(incoming.rawHeaders, 'idempotency-key').length > 0;
  if (!mayHaveKey) return undefined;
  const parsed = parseBody(incoming.rawHeaders, incoming.body, ANY_FORM);
  if ('fault' in parsed) return undefined;
  const key = keyOfInput(options, webhook, incoming, parsed);
  return key === undefined || 'outcome' in key ? undefined : key;
}

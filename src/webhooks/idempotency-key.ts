import { createHash } from 'node:crypto';
import type { IdempotencyKey } from '../calls/idempotency.js';
import { deliveryIdOf } from './verify/provider/delivery-id.js';
import { headerValues } from './verify/incoming-headers.js';
import { idAt } from './id-at.js';
import type { IngressWebhook } from './read-ingress-webhooks.js';

const KEY_CHARACTERS_MAX = 255;

const NOTHING = Buffer.alloc(0);

/** An sf-string (RFC 8941, 3.3.3), as draft-ietf-httpapi-idempotency-key-header has it. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/;

/** What most senders write instead. */
const BARE = /^[!#-~](?:[ -~]*[!-~])?$/;

/** What is read to find a call's key. */
export interface KeyedCall {
  readonly webhook: Pick<IngressWebhook, 'id' | 'authentication' | 'idempotencyWindowMs' | 'idempotencyPointer'>;
  readonly rawHeaders: readonly string[];
  /** JSON. */
  readonly body: Buffer;
  /** The body, parsed. */
  readonly inputParams: unknown;
  /** When the webhook does not say. */
  readonly windowMs: number;
}

/**
 * Finds by what a repeat of a call is known: the Idempotency-Key header, else what the webhook's pointer finds in the
 * body, else the id that the webhook's kind of sender gives a delivery.
 *
 * A repeat must have the first call's body, byte by byte, but for senders' own ids: those vouch for what is the same,
 * and some senders put the time of the try into the body. They would take a refusal for a failure, and try on.
 *
 * @returns nothing for a call without a key, `malformed` for a header that is no key.
 */
export function readIdempotencyKey(call: KeyedCall): IdempotencyKey | undefined | 'malformed' {
  const { webhook, rawHeaders, inputParams } = call;
  const values = headerValues(rawHeaders, 'idempotency-key');
  if (values.length > 0) {
    const key = values.length === 1 ? parseKey(values[0]!) : undefined;
    return key === undefined ? 'malformed' : keyOf(call, 'header', key, call.body);
  }
  const pointer = webhook.idempotencyPointer;
  const id = pointer === undefined ? undefined : idAt(call.body, inputParams, pointer);
  if (id !== undefined) return keyOf(call, `pointer ${pointer}`, id, call.body);
  const provider = webhook.authentication.provider;
  const deliveryId = provider === undefined ? undefined : deliveryIdOf(provider, rawHeaders, call.body, inputParams);
  return deliveryId === undefined ? undefined : keyOf(call, `delivery ${provider!.id}`, deliveryId, NOTHING);
}

function parseKey(value: string): string | undefined {
  const quoted = QUOTED.exec(value)?.[1]?.replaceAll(/\\(.)/g, '$1');
  const key = quoted ?? (BARE.test(value) ? value : '');
  return key.length >= 1 && key.length <= KEY_CHARACTERS_MAX ? key : undefined;
}

function keyOf({ webhook, windowMs }: KeyedCall, kind: string, key: string, toMatch: Buffer): IdempotencyKey {
  return {
    keyHash: sha256(JSON.stringify([webhook.id, kind, key])),
    bodyHash: sha256(toMatch),
    // PostgreSQL's text has no U+0000.
    deliveryId: key.slice(0, KEY_CHARACTERS_MAX).replaceAll('\0', '\u{fffd}'),
    windowMs: webhook.idempotencyWindowMs ?? windowMs,
  };
}

function sha256(content: string | Buffer): Buffer {
  return createHash('sha256').update(content).digest();
}

import { createHmac } from 'node:crypto';
import { formatId } from '../../../lib/ids.js';
import { isForm } from '../../form-body.js';
import { headerValues } from '../incoming-headers.js';
import { queryOf } from './base-string.js';
import { parseUntrusted, valuesAt } from './json-path.js';
import type { Provider, ProviderRequest } from './provider.js';
import { isSameText } from './schemes.js';

/** What a sender is answered that only asks whether we are there. */
export interface HandshakeAnswer {
  readonly status: 200 | 204;
  readonly contentType: string;
  readonly body: string;
}

/** A webhook as handshakes need it. */
export interface HandshakeContext {
  readonly webhookId: string;
  /** The secret that verified the request; without one it was not verified. */
  readonly verifiedBy: string | undefined;
  /** Those that are valid now. */
  readonly secrets: readonly string[];
}

/** No handshake is longer, and calls are parsed once as it is. */
const BODY_BYTES_MAX = 8_192;

/** What we repeat to senders is theirs, but it need not be long, nor a page. */
const ECHO_CHARACTERS_MAX = 4_096;

/**
 * Recognises the requests by which a sender tries an address, and answers them; they are no calls.
 *
 * @returns `undefined` for everything else, also for a handshake that should be signed and is not.
 */
export function answerHandshake(
  provider: Provider,
  request: ProviderRequest,
  context: HandshakeContext,
): HandshakeAnswer | undefined {
  const { verifiedBy } = context;
  switch (provider.handshake) {
    case 'graph-validation-token':
      return request.method === 'POST' ? echo(queryOf(request.target).get('validationToken')) : undefined;
    case 'meta-subscribe':
      return request.method === 'GET' ? metaSubscribe(request, context) : undefined;
    case 'woocommerce-ping':
      return wooCommercePing(request);
    case 'github-ping':
    case 'slack-url-verification':
    case 'zoom-url-validation':
    case 'discord-ping':
      return verifiedBy === undefined ? undefined : signedHandshake(provider.handshake, request, verifiedBy);
    default:
      return undefined;
  }
}

/** Those that are signed as any call. */
function signedHandshake(
  kind: 'github-ping' | 'slack-url-verification' | 'zoom-url-validation' | 'discord-ping',
  request: ProviderRequest,
  secret: string,
): HandshakeAnswer | undefined {
  if (kind === 'github-ping') {
    const isPing = headerValues(request.rawHeaders, 'x-github-event')[0] === 'ping';
    return isPing ? json({ success: true, handshake: 'ping' }) : undefined;
  }
  if (request.body.length > BODY_BYTES_MAX) return undefined;
  const body = parseUntrusted(request.body);
  const [type] = valuesAt(body, kind === 'zoom-url-validation' ? 'event' : 'type');
  if (kind === 'slack-url-verification') {
    const [challenge] = valuesAt(body, 'challenge');
    return type === 'url_verification' && isEchoed(challenge) ? json({ challenge }) : undefined;
  }
  if (kind === 'zoom-url-validation') {
    const [plainToken] = valuesAt(body, 'payload.plainToken');
    if (type !== 'endpoint.url_validation' || !isEchoed(plainToken)) return undefined;
    return json({ plainToken, encryptedToken: createHmac('sha256', secret).update(plainToken).digest('hex') });
  }
  // Interactions ping with 1; webhook events ping with 0, and there 1 is an event.
  if (type === 0) return { status: 204, contentType: 'application/json', body: '' };
  return type === 1 && valuesAt(body, 'event').length === 0 ? json({ type: 1 }) : undefined;
}

/**
 * The verify token is the webhook's id, or its secret. The id is enough: whoever knows it can call, but not sign, and
 * a query ends up in logs.
 */
function metaSubscribe(request: ProviderRequest, context: HandshakeContext): HandshakeAnswer | undefined {
  const query = queryOf(request.target);
  const token = query.get('hub.verify_token') ?? '';
  let known = false;
  for (const expected of [formatId('webhook', context.webhookId), ...context.secrets]) {
    if (isSameText(token, expected)) known = true;
  }
  return known && query.get('hub.mode') === 'subscribe' ? echo(query.get('hub.challenge')) : undefined;
}

/** Sent unsigned when a webhook is saved; anything but exactly 200 disables it there. */
function wooCommercePing(request: ProviderRequest): HandshakeAnswer | undefined {
  if (request.body.length > 40 || !isForm(request.rawHeaders)) return undefined;
  if (!/^webhook_id=\d+$/.test(Buffer.from(request.body).toString('latin1'))) return undefined;
  return json({ success: true, handshake: 'ping' });
}

function json(body: object): HandshakeAnswer {
  return { status: 200, contentType: 'application/json', body: JSON.stringify(body) };
}

function echo(text: string | null): HandshakeAnswer | undefined {
  return isEchoed(text) ? { status: 200, contentType: 'text/plain; charset=utf-8', body: text } : undefined;
}

function isEchoed(text: unknown): text is string {
  return typeof text === 'string' && text !== '' && text.length <= ECHO_CHARACTERS_MAX;
}

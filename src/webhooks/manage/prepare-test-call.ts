import { createHmac } from 'node:crypto';
import { recordAudit } from '../../access/audit.js';
import { idempotencyKeyFaults } from '../../access/creation-key.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { AppError } from '../../errors.js';
import { formatId, newRandomUuid } from '../../lib/ids.js';
import { type Outcome, refused, succeeded, type UserError } from '../../lib/user-error.js';
import { isValid } from '../../secrets/plan-rotation.js';
import { openSecret, readSecretVersions, rotatable, type SecretDeps } from '../../secrets/secret-versions.js';
import type { IncomingCall } from '../accept-outcome.js';
import { webhookPath } from '../webhook-path.js';
import { type SenderProof, signAs } from '../verify/provider/sign.js';
import type { AuthenticationView } from './webhook-view.js';
import { readChangedWebhook } from './webhook-view.js';

export interface TestCallDeps extends SecretDeps {
  /** The base of our URLs as senders know them: some sign it. */
  readonly publicUrl: () => string;
}

export interface TestCallInput {
  /** A UUID. */
  readonly webhookId: string;
  /** The body, as a JSON value. */
  readonly payload: unknown;
  /** More headers: an object of names and texts. */
  readonly headers?: unknown;
  /** By which a repeat is known, as its sender's Idempotency-Key. */
  readonly idempotencyKey?: string | null | undefined;
}

/** A test call, ready for the ingress. */
export interface PreparedTestCall {
  /** With the newest secret that is valid in it: for the ingress only. */
  readonly incoming: IncomingCall;
  readonly authentication: AuthenticationView;
  readonly body: string;
  /** The headers that were asked for. */
  readonly headers: Readonly<Record<string, string>>;
}

const HEADERS_MAX = 50;
const VALUE_CHARACTERS_MAX = 4_096;

/** They frame the body or belong to the connection, so the ingress gets them from the transport alone. */
const FRAMING_HEADERS = new Set(['connection', 'content-encoding', 'content-length', 'host', 'transfer-encoding']);

/**
 * Makes a call to a webhook as its sender would, signed with the newest secret that is valid. Whoever tests sees the
 * answer, never the secret; that they do is recorded before the call is sent.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function prepareTestCall(
  deps: TestCallDeps,
  principal: Principal | undefined,
  { webhookId, payload, headers: given, idempotencyKey }: TestCallInput,
): Promise<Outcome<PreparedTestCall>> {
  requirePermission(principal, 'webhooks:test');
  const em = deps.database.em();
  const there = await em.execute<unknown[]>('select 1 from webhooks where id = ? and deleted_at is null', [webhookId]);
  if (there.length === 0) throw new AppError('NOT_FOUND', 'There is no such webhook.');
  const { authentication } = await readChangedWebhook(em, webhookId);

  const headers = readHeaders(given);
  if (headers === undefined) {
    return refused({ field: ['headers'], message: 'Headers are an object of names and texts.', code: 'INVALID' });
  }
  const keyFaults = idempotencyKeyFaults(idempotencyKey);
  if (keyFaults.length > 0) return { ok: false, userErrors: keyFaults };
  if (idempotencyKey !== undefined && idempotencyKey !== null) {
    // An sf-string (RFC 8941, 3.3.3): any of its characters can stand in one.
    headers['Idempotency-Key'] = `"${idempotencyKey.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  }
  const versions = await readSecretVersions(em, webhookId);
  const valid = versions.find((row) => isValid(rotatable(row), deps.clock.nowMs()));
  if (valid === undefined) throw new AppError('NOT_FOUND', 'There is no such webhook.');
  const body = JSON.stringify(payload);
  const target = webhookPath(webhookId);
  const proof = prove(deps, authentication, openSecret(deps.keyring, valid), { target, body });
  if (proof === undefined) {
    const message = 'Only the sender itself can sign its calls: send a test from there.';
    return refused({ field: ['id'], message, code: 'CANNOT_BE_SIGNED' });
  }
  const userErrors = headerFaults(headers, new Set(proof.headers.map(([name]) => name.toLowerCase())));
  if (userErrors.length > 0) return { ok: false, userErrors };
  const typed = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const incoming: IncomingCall = {
    webhookId: formatId('webhook', webhookId),
    method: 'POST',
    target: proof.target,
    rawHeaders: [
      ...(typed ? [] : ['Content-Type', 'application/json']),
      ...Object.entries(headers).flat(),
      ...proof.headers.flat(),
    ],
    body: Buffer.from(body),
    sourceIp: '',
    isTest: true,
  };
  await deps.database.transaction((tx) =>
    recordAudit(tx, principal, { action: 'webhook.tested', subjectId: incoming.webhookId }),
  );
  return succeeded({ incoming, authentication, body, headers });
}

function credentialOf({ method }: AuthenticationView, secret: string, body: string): string {
  return method === 'HMAC_SIGNATURE' ? createHmac('sha256', secret).update(body).digest('hex') : secret;
}

/** What shows that the call is the sender's: by the webhook's method. @returns `undefined` when that cannot be made. */
function prove(
  deps: TestCallDeps,
  authentication: AuthenticationView,
  secret: string,
  { target, body }: { readonly target: string; readonly body: string },
): SenderProof | undefined {
  const { provider, sender, headerName, headerPrefix } = authentication;
  if (provider === null) {
    return { headers: [[headerName, headerPrefix + credentialOf(authentication, secret, body)]], target };
  }
  const request = { method: 'POST', publicUrl: deps.publicUrl(), target, body: Buffer.from(body) };
  return sender && signAs(sender, secret, request, { id: `msg_${newRandomUuid()}`, nowMs: deps.clock.nowMs() });
}

function readHeaders(given: unknown): Record<string, string> | undefined {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'object' || Array.isArray(given)) return undefined;
  const entries = Object.entries(given as Record<string, unknown>);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return undefined;
  return Object.fromEntries(entries);
}

function headerFaults(headers: Readonly<Record<string, string>>, proving: ReadonlySet<string>): UserError[] {
  const entries = Object.entries(headers);
  if (entries.length > HEADERS_MAX) {
    return [{ field: ['headers'], message: `A test has at most ${HEADERS_MAX} headers.`, code: 'TOO_MANY' }];
  }
  return entries.flatMap(([name, value]) => {
    const field = ['headers', name];
    const lower = name.toLowerCase();
    // RFC 9110: 5.6.2 for names, 5.5 for values
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name)) {
      return [{ field, message: 'This is no name for a header.', code: 'INVALID_HEADER_NAME' }];
    }
    if (proving.has(lower) || FRAMING_HEADERS.has(lower)) {
      return [{ field, message: `The header ${name} is set by Workhook.`, code: 'RESERVED_HEADER' }];
    }
    if (value.length > VALUE_CHARACTERS_MAX || !/^(?:[!-~](?:[ -~]*[!-~])?)?$/.test(value)) {
      const message = `A header's text is at most ${VALUE_CHARACTERS_MAX} printable ASCII characters, without a space at either end.`;
      return [{ field, message, code: 'INVALID_CHARACTERS' }];
    }
    return [];
  });
}

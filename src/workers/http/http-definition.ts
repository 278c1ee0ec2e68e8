import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../../errors.js';
import { OUTBOUND_METHODS } from '../../outbound/outbound-client.js';
import type { Keyring } from '../../secrets/seal.js';

/**
 * What `worker_versions.definition` holds for an HTTP worker. Header values can be credentials, so they are sealed. What
 * has a default is missing in definitions of before it existed: they run as they did.
 */
const HttpDefinition = z.object({
  method: z.enum(OUTBOUND_METHODS),
  /** An absolute URL; with a connection, a path below its base URL. */
  url: z.string(),
  /** For showing; the values are in `headersSealed`. */
  headerNames: z.array(z.string()),
  /** Base64 of the sealed JSON object of the headers. */
  headersSealed: z.string(),
  /** Base64 of the sealed `whsec_…` secret. */
  signingSecretSealed: z.string(),
  /** Whether URL and headers are templates. */
  templated: z.boolean().default(false),
  /** `conn-…` */
  connectionId: z.string().nullable().default(null),
  /** Templates of query parameters. */
  query: z.record(z.string(), z.string()).default({}),
  /** A JSON template of the request's body; null sends the input as it came. */
  body: z.unknown().default(null),
  /** A JSON template of the result; null gives the whole response. */
  result: z.unknown().default(null),
  /** When the response is a success; null: when its status is 2xx. */
  successWhen: z.string().nullable().default(null),
  headersTimeoutMs: z.int().nullable().default(null),
  bodyTimeoutMs: z.int().nullable().default(null),
  responseBytesMax: z.int().nullable().default(null),
});
type HttpDefinition = z.output<typeof HttpDefinition>;

/** An HTTP worker's settings with its secrets in plain text. */
export interface HttpSettings extends Omit<HttpDefinition, 'headerNames' | 'headersSealed' | 'signingSecretSealed'> {
  readonly headers: Readonly<Record<string, string>>;
  /** `whsec_` and base64, as Standard Webhooks has it. */
  readonly signingSecret: string;
}

/** Standard Webhooks asks for 24 to 64 bytes (specification, "Signature scheme"). */
const SECRET_BYTES = { least: 24, most: 64, made: 32 };

/** The method of a definition. */
export const httpMethod = z.enum(OUTBOUND_METHODS).default('POST');

/** A secret in the form of Standard Webhooks. */
export const signingSecret = z.string().refine(isSigningSecret, {
  message: `must be "whsec_" and the base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes`,
});

function isSigningSecret(text: string): boolean {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (base64 === undefined || base64.length % 4 !== 0) return false;
  const { length } = Buffer.from(base64, 'base64');
  return length >= SECRET_BYTES.least && length <= SECRET_BYTES.most;
}

/** A new random signing secret. */
export function newSigningSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES.made).toString('base64')}`;
}

/** Seals settings for a worker's version: they open for no other row and version. */
export function sealDefinition(
  keyring: Keyring,
  workerId: string,
  version: number,
  settings: HttpSettings,
): HttpDefinition {
  const { headers, signingSecret: secret, ...shown } = settings;
  const seal = (part: string, text: string): string =>
    keyring.seal(text, additionalData(workerId, version, part)).toString('base64');
  return {
    ...shown,
    headerNames: Object.keys(headers),
    headersSealed: seal('headers', JSON.stringify(headers)),
    signingSecretSealed: seal('signing-secret', secret),
  };
}

/** @throws AppError INTERNAL_SERVER_ERROR when the stored definition is not one; what the keyring throws. */
export function openDefinition(
  keyring: Keyring,
  workerId: string,
  version: number,
  definition: Readonly<Record<string, unknown>>,
): HttpSettings {
  const { headerNames: _, headersSealed, signingSecretSealed, ...shown } = readHttpDefinition(workerId, definition);
  const open = (part: string, sealed: string): string =>
    keyring.open(Buffer.from(sealed, 'base64'), additionalData(workerId, version, part)).toString('utf8');
  return {
    ...shown,
    headers: JSON.parse(open('headers', headersSealed)) as Record<string, string>,
    signingSecret: open('signing-secret', signingSecretSealed),
  };
}

/** Reads a stored definition, for what may be shown of it: everything but what is sealed. */
export function readHttpDefinition(workerId: string, definition: Readonly<Record<string, unknown>>): HttpDefinition {
  const parsed = HttpDefinition.safeParse(definition);
  if (parsed.success) return parsed.data;
  throw new AppError('INTERNAL_SERVER_ERROR', undefined, {
    detail: `the definition of ${workerId} is not an HTTP worker's`,
  });
}

function additionalData(
  workerId: string,
  version: number,
  part: string,
): { table: string; row: string; version: number } {
  return { table: 'worker_versions', row: `${workerId}/${part}`, version };
}

import { z } from 'zod';
import { headerFault, outboundHeaders } from '../outbound/outbound-headers.js';
import { outboundUrl } from '../outbound/outbound-url.js';
import { descriptionFaults, nameFaults } from '../lib/text-rules.js';
import type { Outcome, UserError } from '../lib/user-error.js';
import { CONNECTION_AUTHENTICATIONS, type ConnectionAuthenticationKind } from './connection.entity.js';
import { inputMessage } from '../lib/input-message.js';

/** How a connection proves itself, in plain text. */
export interface ConnectionAuthenticationInput {
  readonly kind: ConnectionAuthenticationKind;
  /** BASIC: the user name. HEADER: the header's name. QUERY: the parameter's name. */
  readonly name?: string | null | undefined;
  /** The token, password or value. */
  readonly secret?: string | null | undefined;
}

/** Everything that can be said of a connection. */
export interface ConnectionInput {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** An http or https URL without a query; requests stay below it. */
  readonly baseUrl: string;
  readonly authentication?: ConnectionAuthenticationInput | undefined;
  /** Sent with every request. They are sealed and not shown again. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const DESCRIPTION_CHARACTERS_MAX = 2_000;
const SECRET_CHARACTERS_MAX = 8_192;
const NAME_CHARACTERS_MAX = 200;

const AUTHENTICATION = z
  .object({
    kind: z.enum(CONNECTION_AUTHENTICATIONS),
    name: z.string().max(NAME_CHARACTERS_MAX).nullish(),
    secret: z.string().max(SECRET_CHARACTERS_MAX).nullish(),
  })
  .superRefine(({ kind, name, secret }, context) => {
    for (const [field, message] of authenticationFaults(kind, name ?? '', secret ?? '')) {
      context.addIssue({ code: 'custom', path: [field], message });
    }
  })
  .transform(({ kind, name, secret }) => ({ kind, name: name ?? '', secret: secret ?? '' }));

const FIELDS = z
  .object({
    name: z.string(),
    description: z
      .string()
      .nullish()
      .transform((text) => text ?? null),
    baseUrl: outboundUrl.refine((url) => !/[?#]/.test(url), 'must have no query and no fragment'),
    authentication: AUTHENTICATION.default({ kind: 'NONE', name: '', secret: '' }),
    headers: outboundHeaders.default({}),
  })
  .superRefine(({ authentication, headers }, context) => {
    const { kind, name } = authentication;
    const taken = kind === 'HEADER' ? name : kind === 'BEARER' || kind === 'BASIC' ? 'Authorization' : undefined;
    const twice = Object.keys(headers).find((header) => header.toLowerCase() === taken?.toLowerCase());
    if (twice !== undefined) {
      context.addIssue({ code: 'custom', path: ['headers', twice], message: 'is set by the authentication' });
    }
  });
export type ConnectionFields = z.output<typeof FIELDS>;

/** Checks all fields and finds all faults. No message repeats a secret. */
export function parseConnectionInput(input: ConnectionInput): Outcome<ConnectionFields> {
  const parsed = FIELDS.safeParse(input, { error: inputMessage });
  const userErrors: UserError[] = [
    ...nameFaults(['name'], input.name),
    ...descriptionFaults(['description'], input.description ?? '', DESCRIPTION_CHARACTERS_MAX),
    ...(parsed.error?.issues ?? []).map(({ path, message, code }) => ({
      field: path.map(String),
      message,
      code: code === 'too_big' ? 'TOO_LONG' : 'INVALID',
    })),
  ];
  if (!parsed.success || userErrors.length > 0) return { ok: false, userErrors };
  return { ok: true, value: { ...parsed.data, name: parsed.data.name.trim() } };
}

type Fault = readonly [field: 'name' | 'secret', message: string];

function authenticationFaults(kind: ConnectionAuthenticationKind, name: string, secret: string): readonly Fault[] {
  const needed: Fault[] = secret === '' ? [['secret', 'is needed']] : [];
  const nameless: Fault[] = name === '' ? [] : [['name', `has no meaning with ${kind}`]];
  switch (kind) {
    case 'NONE':
      return [...nameless, ...(secret === '' ? [] : [['secret', 'has no meaning with NONE'] as const])];
    case 'BEARER':
      return [...nameless, ...needed, ...headerValueFaults(secret)];
    case 'BASIC':
      // RFC 7617, 2: a colon ends the user name. The password may be empty.
      return name === '' || /[:\p{Cc}]/u.test(name) ? [['name', 'must be a user name without a colon']] : [];
    case 'HEADER': {
      const fault = headerFault(name, '');
      return [...(fault === undefined ? [] : [['name', fault] as const]), ...needed, ...headerValueFaults(secret)];
    }
    case 'QUERY':
      return [...(/^[\w.~[\]-]+$/.test(name) ? [] : [['name', 'must be the name of a parameter'] as const]), ...needed];
  }
}

function headerValueFaults(secret: string): readonly Fault[] {
  return headerFault('x', secret) === undefined && secret.trim() === secret
    ? []
    : [['secret', 'must be able to stand in a header, without spaces at its ends']];
}

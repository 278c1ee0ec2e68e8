import { z } from 'zod';
import type { UserError } from '../../lib/user-error.js';
import { isReservedHeader } from '../manage/reserved-headers.js';
import type { Provider, Scheme } from '../verify/provider/provider.js';
import { inputMessage } from '../../lib/input-message.js';

/*
 * The form of the built-in table (verify/provider/provider.ts), narrowed where a user could do harm: these texts stand
 * in shell commands that other users are shown, so none has a character that a shell takes for its own.
 */

const form = (pattern: RegExp, message: string): z.ZodString => z.string().regex(pattern, message);

const HEADER = form(/^[A-Za-z0-9_-]{1,100}$/, 'a header name has letters, digits, - and _').refine(
  (name) => !isReservedHeader(name),
  'this header has another meaning in HTTP',
);
const ITEM = form(/^[A-Za-z0-9_.-]{1,50}$/, 'a name has letters, digits and _ . -');
const SEPARATOR = form(/^[ ,;:=|&./_~-]{1,5}$/, 'a separator is 1 to 5 of , ; : = | & . / _ ~ - and spaces');
const PATH = form(
  /^(?=.{1,200}$)(?:[A-Za-z0-9_-]+|\[\])(?:\.[A-Za-z0-9_-]+|\[\])*$/,
  'a path is names with full stops between them, and [] for every element, such as value[].id',
);
const ENCODING = z.enum(['hex', 'base64']);

const PARTS = ['body', 'escapedBody', 'timestamp', 'id', 'method', 'url', 'formParameters'] as const;
const BASE_FORM = `a base is text or a list of 1 to 4: plain characters and the parts ${PARTS.map((part) => `{${part}}`).join(' ')}`;

const BASE = form(
  new RegExp(`^(?=[^]{1,500}$)(?:[A-Za-z0-9 \\n,;:=|&./_~+@#?*()<>^%-]|\\{(?:${PARTS.join('|')})\\})+$`),
  BASE_FORM,
);

const SIGNED = {
  enc: ENCODING,
  header: HEADER,
  extract: z.strictObject({ item: SEPARATOR.optional(), kv: SEPARATOR, field: ITEM }).optional(),
  ts: z
    .discriminatedUnion('from', [
      z.strictObject({ from: z.literal('header'), name: HEADER, ...timeRule() }),
      z.strictObject({ from: z.literal('signature'), name: ITEM, ...timeRule() }),
      z.strictObject({ from: z.literal('body'), name: PATH, ...timeRule() }),
    ])
    .optional(),
  base: z.union([BASE.transform((base) => [base]), z.array(BASE).min(1).max(4)], BASE_FORM),
  idHeader: HEADER.optional(),
  url: z.enum(['any-port', 'decoded']).optional(),
  bodyHashParameter: ITEM.optional(),
};

function timeRule() {
  return {
    unit: z.enum(['s', 'ms', 'iso']),
    toleranceMs: z.int().min(1_000, 'from 1,000').max(86_400_000, 'at most 86,400,000, a day'),
  };
}

const SCHEME = z.discriminatedUnion('scheme', [
  z.strictObject({
    scheme: z.literal('hmac'),
    alg: z.enum(['sha1', 'sha256', 'sha512']),
    ...SIGNED,
    key: z
      .strictObject({
        enc: ENCODING,
        strip: form(/^[A-Za-z0-9_-]{0,20}$/, 'at most 20 letters, digits, _ and -').default(''),
      })
      .optional(),
  }),
  z.strictObject({
    scheme: z.literal('asymmetric'),
    alg: z.enum(['ed25519', 'ecdsa-p256']),
    ...SIGNED,
    key: z.strictObject({ enc: ENCODING }),
  }),
  z.discriminatedUnion('from', [
    z.strictObject({ scheme: z.literal('token'), from: z.literal('header'), name: HEADER }),
    z.strictObject({ scheme: z.literal('token'), from: z.literal('body'), name: PATH }),
  ]),
]);

const DEFINITION = z.strictObject({
  schemes: z.tuple([SCHEME], SCHEME).refine((schemes) => schemes.length <= 4, 'a provider has at most four schemes'),
  secretFrom: z.enum(['user', 'sender', 'sender-later']).default('user'),
  dedup: z
    .strictObject({
      headers: z.array(HEADER).min(1).max(4).optional(),
      within: HEADER.optional(),
      body: z.tuple([PATH], PATH).optional(),
      hash: z.boolean().optional(),
    })
    .default({}),
  handshake: z
    .enum([
      'github-ping',
      'slack-url-verification',
      'zoom-url-validation',
      'discord-ping',
      'meta-subscribe',
      'graph-validation-token',
      'woocommerce-ping',
    ])
    .optional(),
  sendsArrays: z.literal(true).optional(),
  sendsForms: z.literal(true).optional(),
  setup: z
    .string()
    .max(2_000)
    .regex(/^[^\p{Cc}]*$/u, 'one line of text')
    .default(''),
});

/** All that a user says of a provider but its name. */
export type ProviderDefinition = Omit<Provider, 'id' | 'name' | 'secretForm'>;

export type ParsedDefinition =
  | { readonly definition: ProviderDefinition }
  | { readonly userErrors: readonly UserError[] };

/** Checks a definition that a user wrote, and names every fault by its place. */
export function parseDefinition(given: unknown): ParsedDefinition {
  const parsed = DEFINITION.safeParse(given, { error: inputMessage });
  if (!parsed.success) {
    return { userErrors: parsed.error.issues.map(({ path, message }) => invalid(path.map(String), message)) };
  }
  const definition = parsed.data as ProviderDefinition;
  const userErrors = [
    ...definition.schemes.flatMap((scheme, i) =>
      schemeFaults(scheme, definition).map(([member, message]) => invalid(['schemes', String(i), member], message)),
    ),
    ...tokenFaults(definition),
  ];
  return userErrors.length > 0 ? { userErrors } : { definition };
}

function invalid(path: readonly string[], message: string): UserError {
  return { field: ['definition', ...path], message: `${message}.`, code: 'INVALID_DEFINITION' };
}

type Fault = readonly [member: string, message: string];

/** What no field shows by itself: a part without its source, a source that nothing is made of, a body left unsigned. */
function schemeFaults(scheme: Scheme, { secretFrom, sendsForms }: ProviderDefinition): Fault[] {
  if (scheme.scheme === 'token') return [];
  const { base, ts, idHeader, extract, bodyHashParameter, url } = scheme;
  const every = (part: string): boolean => base.every((one) => one.includes(`{${part}}`));
  const some = (part: string): boolean => base.some((one) => one.includes(`{${part}}`));
  const faults: Fault[] = [];
  const bodyIsSigned = base.every((one) => /\{(?:body|escapedBody)\}/.test(one));
  const hashIsSigned = bodyHashParameter !== undefined && every('url') && (!sendsForms || every('formParameters'));
  if (!bodyIsSigned && !hashIsSigned) faults.push(['base', 'each must have {body}, or anybody could replace the body']);
  if (ts === undefined || ts.from === 'body') {
    if (some('timestamp')) faults.push(['base', '{timestamp} needs a ts from a header or the signature']);
  } else if (!every('timestamp')) {
    faults.push(['base', 'each must have {timestamp}: a time that is not signed proves nothing']);
  }
  if (ts?.from === 'signature' && extract?.item === undefined) {
    faults.push(['ts', 'a time in the signature needs an extract with an item']);
  }
  if (some('id') && idHeader === undefined) faults.push(['base', '{id} needs an idHeader']);
  if (!some('id') && idHeader !== undefined) faults.push(['idHeader', 'no base has {id}']);
  if ((url !== undefined || bodyHashParameter !== undefined) && !some('url')) {
    faults.push([url === undefined ? 'bodyHashParameter' : 'url', 'no base has {url}']);
  }
  return [...faults, ...keyFaults(scheme, secretFrom)];
}

function keyFaults(scheme: Exclude<Scheme, { scheme: 'token' }>, secretFrom: Provider['secretFrom']): Fault[] {
  if (secretFrom !== 'user') return [];
  if (scheme.scheme === 'asymmetric') {
    return [['scheme', 'the sender has the private key, so secretFrom is sender or sender-later']];
  }
  if (scheme.key === undefined || (scheme.key.enc === 'base64' && scheme.key.strip === 'whsec_')) return [];
  return [['key', 'a secret that is made here is whsec_ and base64: strip whsec_, or let secretFrom be sender']];
}

/** One header at most carries the secret itself: it is the one that is never recorded. */
function tokenFaults({ schemes }: ProviderDefinition): UserError[] {
  const [, second] = schemes.flatMap((scheme, i) => (scheme.scheme === 'token' && scheme.from === 'header' ? [i] : []));
  if (second === undefined) return [];
  return [invalid(['schemes', String(second)], 'one scheme at most takes the secret from a header')];
}

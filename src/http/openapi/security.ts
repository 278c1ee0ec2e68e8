import { SESSION_COOKIE } from '../../access/session-cookie.js';
import { METHOD_DEFAULTS } from '../../webhooks/verify/method-defaults.js';
import { headerOf, PROVIDERS } from '../../webhooks/verify/provider/providers.js';

/** One of several ways; each way is one scheme here. */
type Requirement = Readonly<Record<string, readonly string[]>>;

const inHeader = (name: string, description: string): object => ({ type: 'apiKey', in: 'header', name, description });

const { SECRET_HEADER, HMAC_SIGNATURE, API_KEY } = METHOD_DEFAULTS;

/** The methods of a webhook, with their default headers, and what opens results. */
const OWN_SCHEMES = {
  secretHeader: inHeader(SECRET_HEADER.headerName, "The webhook's secret. Header and prefix can be set for a webhook."),
  hmacSignature: inHeader(
    HMAC_SIGNATURE.headerName,
    `\`${HMAC_SIGNATURE.headerPrefix}\` and the hex HMAC-SHA256 of the raw body; the key is the text of the secret.`,
  ),
  bearerToken: { type: 'http', scheme: 'bearer', description: "The webhook's secret; for results also an API token." },
  apiKey: inHeader(API_KEY.headerName, "The webhook's secret."),
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: SESSION_COOKIE,
    description: 'Somebody who has signed in to the dashboard.',
  },
  signedLink: {
    type: 'apiKey',
    in: 'query',
    name: 'signature',
    description: 'With `expires`: the link in the `Location` of a 202.',
  },
};

const SENDERS = PROVIDERS.filter((provider) => headerOf(provider) !== '');

export const SECURITY_SCHEMES: Readonly<Record<string, object>> = {
  ...OWN_SCHEMES,
  ...Object.fromEntries(
    SENDERS.map((sender) => [
      `sender-${sender.id}`,
      inHeader(headerOf(sender), `The method PROVIDER: as ${sender.name} proves itself.`),
    ]),
  ),
};

/** What a call authenticates with: one of these, the one of its webhook. The proof of some senders stands in the body. */
export const CALL_SECURITY: readonly Requirement[] = [
  { secretHeader: [] },
  { hmacSignature: [] },
  { bearerToken: [] },
  { apiKey: [] },
  ...SENDERS.map((sender) => ({ [`sender-${sender.id}`]: [] })),
  {},
];

/** What opens a result. */
export const RESULT_SECURITY: readonly Requirement[] = [
  { bearerToken: [] },
  { secretHeader: [] },
  { apiKey: [] },
  { session: [] },
  { signedLink: [] },
];

export const NO_SECURITY: readonly Requirement[] = [{}];

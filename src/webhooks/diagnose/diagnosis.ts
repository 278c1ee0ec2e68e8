import type { Authentication } from '../verify/verify-credential.js';

/**
 * Every way in which a request can fail to be authentic that is told apart, with what to do about it. The codes are for
 * programs and may not change; docs/signatures.md lists them.
 */
export const REMEDIES = {
  VALID: '',
  HEADER_MISSING: 'Send the header; a proxy on the way may have removed it.',
  HEADER_MISNAMED: "Correct the header's name at the sender, or set it on the webhook.",
  OTHER_METHOD: 'Set the authentication of the webhook to what the sender does, or the other way round.',
  HEADER_REPEATED: 'Send the header once; a proxy or a client library may add it a second time.',
  HEADER_EMPTY: 'Put the credential into the header; the variable that should hold it may be unset.',
  PREFIX_MISSING: 'Put the prefix before the credential, or set the prefix of the webhook to an empty text.',
  PREFIX_WRONG: 'Write exactly the prefix of the webhook, in its case, or set another prefix on the webhook.',
  SIGNATURE_ITEM_MISSING: 'Send the signature under its own name.',
  SIGNATURE_MALFORMED: 'Send the whole signature, in the encoding that is expected.',
  SIGNATURE_ENCODING: 'Encode the bytes of the signature as is expected.',
  SIGNATURE_ALGORITHM: 'Sign with the algorithm that is expected.',
  SIGNATURE_WRONG: 'Compare the secret and the exact bytes that are signed at the sender.',
  SIGNATURE_SENT: 'Send the secret itself, or set the method of the webhook to HMAC_SIGNATURE.',
  SECRET_SENT: 'Send a signature of the body. The secret itself was sent: consider it leaked, and replace it.',
  SECRET_WRONG: 'Compare the secret at the sender with that of the webhook: the hint is its end.',
  SECRET_EXPIRED: 'Give the sender the secret that is active now.',
  SECRET_REVOKED: 'Give the sender the secret that is active now.',
  SECRET_OF_OTHER_WEBHOOK: "Give the sender this webhook's own secret, or let it call the other webhook.",
  SECRET_DECORATED:
    'Remove spaces, quotes and line breaks around the secret: echo adds a line break, echo -n does not.',
  KEY_PREFIX: 'Take the text of the secret whole, or as the sender says.',
  KEY_DECODED: "Take the secret's text as it is as the key: its bytes, not what they decode to.",
  KEY_NOT_DECODED: 'Decode what stands behind whsec_ from base64: those bytes are the key.',
  BODY_RESERIALIZED: 'Serialise once, sign those bytes and send the same bytes.',
  BODY_PRETTY_PRINTED: 'Serialise once, sign those bytes and send the same bytes.',
  BODY_KEYS_SORTED: 'Serialise once, sign those bytes and send the same bytes.',
  BODY_ESCAPED: 'Serialise once, sign those bytes and send the same bytes.',
  BODY_NEWLINE: 'Sign exactly what is sent: curl -d removes line breaks from a file, --data-binary does not.',
  BODY_NOT_SIGNED: 'Sign the body that is sent; a framework may have read it before it was signed.',
  BODY_HASH: "Put the hex SHA-256 of the raw body into the URL's parameter before the URL is signed.",
  CREDENTIAL_NOT_IN_BODY: 'Set the secret where the sender asks for it when it is set up.',
  SIGNED_STRING: 'Sign the parts that are expected, in their order.',
  URL_DIFFERS: 'Set PUBLIC_URL to what the sender calls, or let the sender call PUBLIC_URL.',
  TIMESTAMP_MISSING: 'Send the time that was signed.',
  TIMESTAMP_MALFORMED: 'Send the time in the form that is expected.',
  TIMESTAMP_UNIT: 'Send the time in the unit that is expected.',
  TIMESTAMP_OLD:
    "Compare the sender's clock with this one's; a replay, or a retry that is signed only once, is refused.",
  TIMESTAMP_FUTURE: "Compare the sender's clock with this one's.",
  PUBLIC_KEY_INVALID: "Set the secret of the webhook to the sender's public key, as the sender shows it.",
} as const satisfies Record<string, string>;

export type DiagnosisCode = keyof typeof REMEDIES;

/** What is wrong with a request, for the webhook's owner. Never a secret, nor a signature that would be right. */
export interface Diagnosis {
  readonly code: DiagnosisCode;
  /** One sentence. */
  readonly message: string;
  /** What to do, and what else is odd. */
  readonly hints: readonly string[];
}

/** One thing that is wrong; `text` goes on after "The signature is right, but". */
export interface Fault {
  readonly code: DiagnosisCode;
  readonly text: string;
}

export type SecretStatus = 'ACTIVE' | 'RETIRING' | 'EXPIRED' | 'REVOKED';

/** One version of the webhook's secret, ended ones too. */
export interface KnownSecret {
  readonly version: number;
  /** Its last characters, as everybody who sees the webhook sees them. */
  readonly hint: string;
  readonly secret: string;
  readonly status: SecretStatus;
  /** When it ends or ended, Unix milliseconds; `undefined` while it is active. */
  readonly endsAtMs: number | undefined;
}

/** A secret of another webhook of the same owner. */
export interface OtherSecret {
  /** The public id of that webhook. */
  readonly webhookId: string;
  readonly secret: string;
}

/** Whom a request claims to be authentic for. */
export interface DiagnosedWebhook {
  readonly authentication: Authentication;
  /** The newest first. */
  readonly secrets: readonly KnownSecret[];
  readonly others: readonly OtherSecret[];
}

/** Puts a diagnosis together. */
export function diagnosis(code: DiagnosisCode, message: string, more: readonly string[] = []): Diagnosis {
  return { code, message, hints: [REMEDIES[code], ...more].filter((hint) => hint !== '') };
}

/**
 * What is right but for some faults. The first one gives the code.
 *
 * @param what "signature" or "secret".
 */
export function rightBut(what: string, faults: readonly [Fault, ...Fault[]], more: readonly string[] = []): Diagnosis {
  const [first, ...others] = faults;
  const texts = faults.map(({ text }) => text).join(', and ');
  const remedies = others.map(({ code }) => REMEDIES[code]).filter((remedy) => remedy !== REMEDIES[first.code]);
  return diagnosis(first.code, `The ${what} is right, but ${texts}.`, [...remedies, ...more]);
}

export function isValidSecret({ status }: KnownSecret): boolean {
  return status === 'ACTIVE' || status === 'RETIRING';
}

/** That a secret is one that may not be presented any more. */
export function endedFault({ version, status, endsAtMs }: KnownSecret, what: 'signature' | 'secret'): Fault {
  const when = endsAtMs === undefined ? '' : ` at ${new Date(endsAtMs).toISOString()}`;
  const made = what === 'signature' ? 'made with' : 'it is';
  return status === 'EXPIRED'
    ? {
        code: 'SECRET_EXPIRED',
        text: `${made} version ${version} of the secret, which expired after a rotation${when}`,
      }
    : { code: 'SECRET_REVOKED', text: `${made} version ${version} of the secret, which was ended${when}` };
}

export function otherFault({ webhookId }: OtherSecret, what: 'signature' | 'secret'): Fault {
  return {
    code: 'SECRET_OF_OTHER_WEBHOOK',
    text: `${what === 'signature' ? 'made with' : 'it is'} the secret of another webhook, ${webhookId}`,
  };
}

import type { HmacScheme } from '../verify/provider/provider.js';
import { hmacKey } from '../verify/provider/schemes.js';
import type { Fault } from './diagnosis.js';

/** A key that a sender may have made of a secret's text. */
export interface KeyForm {
  readonly key: string | Buffer;
  /** `undefined` for the key that is right. */
  readonly fault: Fault | undefined;
}

const PREFIX = 'whsec_';

/** The right key first, then those that senders take by mistake. */
export function keyForms(scheme: HmacScheme, secret: string): KeyForm[] {
  const right = hmacKey(scheme, secret);
  const bare = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : undefined;
  const decodes = scheme.key !== undefined;
  const undecoded = 'the text of the secret was taken as the key, instead of what it decodes to';
  const forms: [key: string | Buffer, code: Fault['code'], text: string][] = [];
  if (decodes) {
    forms.push([secret, 'KEY_NOT_DECODED', undecoded]);
    if (bare !== undefined) {
      forms.push([bare, 'KEY_NOT_DECODED', `${undecoded}, without ${PREFIX}`]);
      forms.push([Buffer.from(secret, 'base64'), 'KEY_PREFIX', `${PREFIX} was decoded with the rest of the secret`]);
    }
  } else {
    const decoded = "the key was decoded from base64, instead of the secret's own text";
    if (bare === undefined) {
      forms.push([PREFIX + secret, 'KEY_PREFIX', `the key was taken with ${PREFIX} before it`]);
    } else {
      forms.push([bare, 'KEY_PREFIX', `the key was taken without its beginning, ${PREFIX}`]);
      forms.push([Buffer.from(bare, 'base64'), 'KEY_DECODED', `${decoded} (${PREFIX} is part of it)`]);
    }
    forms.push([Buffer.from(secret, 'base64'), 'KEY_DECODED', decoded]);
    if (/^(?:[0-9a-f]{2})+$/i.test(secret)) {
      forms.push([
        Buffer.from(secret, 'hex'),
        'KEY_DECODED',
        "the key was decoded from hex, instead of the secret's own text",
      ]);
    }
  }
  for (const [decorated, what] of DECORATIONS) {
    forms.push([decorated(secret), 'SECRET_DECORATED', `the key was taken with ${what}`]);
  }
  return [
    ...(right === undefined ? [] : [{ key: right, fault: undefined }]),
    ...forms.map(([key, code, text]) => ({ key, fault: { code, text } })),
  ];
}

const DECORATIONS: readonly (readonly [(secret: string) => string, string])[] = [
  [(secret) => `${secret}\n`, 'a line break behind it'],
  [(secret) => `${secret}\r\n`, 'CR and LF behind it'],
  [(secret) => `${secret} `, 'a space behind it'],
  [(secret) => ` ${secret}`, 'a space before it'],
  [(secret) => `"${secret}"`, 'quotes around it'],
  [(secret) => `'${secret}'`, 'single quotes around it'],
];

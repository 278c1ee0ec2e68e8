import type { UserError } from '../../lib/user-error.js';
import { type ClientCertificate, subjectAttributes } from './client-certificate.js';

/** Which client certificates may call: those that fit all that a rule says. */
export interface CertificateRule {
  /** SHA-256 of the certificate in hex, with or without colons. */
  readonly fingerprint?: string | null | undefined;
  /** Attributes that the subject has, such as `CN=client-*,O=Acme`; `*` alone is any verified certificate. */
  readonly subject?: string | null | undefined;
  /** A subject alternative name with its kind, such as `DNS:*.partner.example` or `URI:spiffe://acme/ns/*`. */
  readonly name?: string | null | undefined;
}

const RULES_MAX = 100;
const PATTERN_CHARACTERS_MAX = 500;

const FINGERPRINT = /^[0-9a-f]{64}$/;

/** A rule as it is kept: what it does not say is not there. */
export function plainCertificateRule({ fingerprint, subject, name }: CertificateRule): CertificateRule {
  return {
    ...(isGiven(fingerprint) && { fingerprint: plainFingerprint(fingerprint) }),
    ...(isGiven(subject) && { subject }),
    ...(isGiven(name) && { name }),
  };
}

/** Makes the forms in which fingerprints are printed one. */
function plainFingerprint(text: string): string {
  return text.replaceAll(':', '').trim().toLowerCase();
}

/** Whether a certificate fits one of the rules. */
export function fitsCertificateRules(certificate: ClientCertificate, rules: readonly CertificateRule[]): boolean {
  return rules.some(({ fingerprint, subject, name }) => {
    if (isGiven(fingerprint) && plainFingerprint(fingerprint) !== certificate.fingerprint) return false;
    if (isGiven(subject) && !fitsSubject(certificate.subject, subject)) return false;
    if (isGiven(name) && !certificate.names.some((candidate) => fits(candidate, name))) return false;
    return isGiven(fingerprint) || isGiven(subject) || isGiven(name);
  });
}

function fitsSubject(attributes: readonly string[], pattern: string): boolean {
  if (pattern.trim() === '*') return true;
  const wanted = subjectAttributes(pattern);
  return wanted.length > 0 && wanted.every((one) => attributes.some((attribute) => fits(attribute, one)));
}

/**
 * `*` stands for one or more characters, but for no full stop and no slash: `*.partner.example` is one label, and a
 * path is as deep as its pattern. Walked without a regular expression: a pattern with many stars takes no longer than
 * its length times that of the text.
 */
function fits(text: string, pattern: string): boolean {
  const [head = '', ...parts] = pattern.split('*');
  if (!text.startsWith(head)) return false;
  let ends = new Set([head.length]); // where what has fitted so far may end
  for (const part of parts) {
    const next = new Set<number>();
    let inStar = false;
    for (let i = Math.min(...ends) + 1; i <= text.length && ends.size > 0; i += 1) {
      inStar = (inStar || ends.has(i - 1)) && !'./'.includes(text[i - 1]!);
      if (inStar && text.startsWith(part, i)) next.add(i + part.length);
    }
    ends = next;
  }
  return ends.has(text.length);
}

/** What is wrong with a webhook's certificate rules. */
export function certificateFaults(field: readonly string[], rules: readonly CertificateRule[]): readonly UserError[] {
  if (rules.length > RULES_MAX) {
    return [{ field, message: `A webhook has at most ${RULES_MAX} rules for certificates.`, code: 'TOO_MANY' }];
  }
  return rules.flatMap(({ fingerprint, subject, name }, i) => {
    const at = (member: string): string[] => [...field, String(i), member];
    if (!isGiven(fingerprint) && !isGiven(subject) && !isGiven(name)) {
      const message = 'A rule says a fingerprint, a subject or a name.';
      return [{ field: [...field, String(i)], message, code: 'REQUIRED' }];
    }
    const faults: UserError[] = [];
    if (isGiven(fingerprint) && !FINGERPRINT.test(plainFingerprint(fingerprint))) {
      const message = 'A fingerprint is a SHA-256: 64 hex characters, with or without colons.';
      faults.push({ field: at('fingerprint'), message, code: 'INVALID_FINGERPRINT' });
    }
    if (isGiven(subject) && !isSubjectPattern(subject)) {
      const message = 'A subject is attributes such as CN=client-*,O=Acme, or * for any verified certificate.';
      faults.push({ field: at('subject'), message, code: 'INVALID_SUBJECT' });
    }
    if (isGiven(name) && !(isText(name) && /^(?:DNS|URI|EMAIL|IP):./.test(name))) {
      const message = 'A name has its kind in front: DNS:, URI:, EMAIL: or IP:.';
      faults.push({ field: at('name'), message, code: 'INVALID_NAME' });
    }
    return faults;
  });
}

function isSubjectPattern(subject: string): boolean {
  if (!isText(subject)) return false;
  if (subject.trim() === '*') return true;
  const attributes = subjectAttributes(subject);
  return attributes.length > 0 && attributes.every((attribute) => /^[A-Z][\w.-]*=./.test(attribute));
}

function isText(text: string): boolean {
  return text.length <= PATTERN_CHARACTERS_MAX && text.isWellFormed() && !/\p{Cc}/u.test(text);
}

function isGiven(text: string | null | undefined): text is string {
  return text !== null && text !== undefined && text !== '';
}

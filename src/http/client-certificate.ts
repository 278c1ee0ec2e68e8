import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type ClientCertificate, subjectAttributes } from '../webhooks/rules/client-certificate.js';
import { headerValues } from '../webhooks/verify/incoming-headers.js';

/** The headers in which a trusted proxy says which client certificate it verified; names in lower case. */
export interface CertificateHeaders {
  /** The certificate, or what Envoy says of it. */
  readonly certificate?: string | undefined;
  /** Must say `SUCCESS` (nginx), or `0` (HAProxy), for the others to count. */
  readonly verify?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly subject?: string | undefined;
}

/** The certificate that this server verified itself. */
export function socketCertificate(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : describeCertificate(certificate);
}

/**
 * The certificate that a trusted proxy verified. A header that comes twice counts for nothing: then the caller may have
 * sent one of them.
 */
export function headerCertificate(
  rawHeaders: readonly string[],
  names: CertificateHeaders,
): ClientCertificate | undefined {
  const only = (name: string | undefined): string | undefined => {
    const values = name === undefined ? [] : headerValues(rawHeaders, name);
    return values.length === 1 && values[0] !== '' ? values[0] : undefined;
  };
  if (names.verify !== undefined && !/^(?:success|0)$/i.test(only(names.verify) ?? '')) return undefined;
  const certificate = only(names.certificate);
  if (certificate !== undefined) return readCertificate(certificate);
  const fingerprint = only(names.fingerprint);
  const subject = only(names.subject);
  if (fingerprint === undefined && subject === undefined) return undefined;
  return { fingerprint: hexFingerprint(fingerprint), subject: subjectAttributes(subject ?? ''), names: [] };
}

const ENVOY = /^\s*(?:By|Hash|Cert|Chain|Subject|URI|DNS)=/i;

/** PEM, as it is or percent-encoded; base64 alone, or in colons (RFC 9440); or Envoy's list of facts. */
function readCertificate(text: string): ClientCertificate | undefined {
  if (ENVOY.test(text)) return envoyCertificate(text);
  try {
    const decoded = text.includes('%') ? decodeURIComponent(text) : text;
    const [leaf = ''] = decoded.split(',');
    const base64 = leaf.replaceAll(/-----(?:BEGIN|END) CERTIFICATE-----|[\s:]/g, '');
    return describeCertificate(new X509Certificate(Buffer.from(base64, 'base64')));
  } catch {
    return undefined;
  }
}

/** Each proxy appends an element: the last one is of whom the proxy that we trust heard from. */
function envoyCertificate(text: string): ClientCertificate | undefined {
  const facts = splitOutsideQuotes(splitOutsideQuotes(text, ',').at(-1) ?? '', ';').map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at).trim().toLowerCase(), unquoted(pair.slice(at + 1).trim())];
  });
  const all = (name: string): string[] =>
    facts.flatMap(([key, value]) => (key === name && value !== '' ? [value] : []));
  const [pem] = all('cert');
  if (pem !== undefined) return readCertificate(pem);
  const fingerprint = hexFingerprint(all('hash')[0]);
  const subject = subjectAttributes(all('subject')[0] ?? '');
  const names = [...all('uri').map((uri) => `URI:${uri}`), ...all('dns').map((dns) => `DNS:${dns}`)];
  return fingerprint === '' && subject.length + names.length === 0 ? undefined : { fingerprint, subject, names };
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts = [''];
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i]!;
    if (char === '\\' && quoted) {
      parts[parts.length - 1] += char + (text[(i += 1)] ?? '');
      continue;
    }
    if (char === '"') quoted = !quoted;
    if (char === separator && !quoted) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

/** What is escaped within quotes is a quote; other backslashes belong to the subject's own form. */
function unquoted(text: string): string {
  return /^".*"$/s.test(text) ? text.slice(1, -1).replaceAll('\\"', '"') : text;
}

function hexFingerprint(text: string | undefined): string {
  const hex = (text ?? '').replaceAll(':', '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(hex) ? hex : '';
}

function describeCertificate(certificate: X509Certificate): ClientCertificate {
  return {
    fingerprint: hexFingerprint(certificate.fingerprint256),
    subject: subjectAttributes(certificate.subject ?? ''),
    names: alternativeNames(certificate.subjectAltName ?? ''),
  };
}

const KINDS: Readonly<Record<string, string>> = { DNS: 'DNS', URI: 'URI', email: 'EMAIL', 'IP Address': 'IP' };

/** Node's form: `DNS:a.example, URI:"what has a comma, is quoted as in JSON"`. */
function alternativeNames(text: string): string[] {
  return Array.from(text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)).flatMap(([, kind, value]) => {
    const known = KINDS[kind!];
    if (known === undefined) return [];
    return [`${known}:${value!.startsWith('"') ? (JSON.parse(value!) as string) : value!}`];
  });
}

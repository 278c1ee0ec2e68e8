/** A client certificate that was verified, by this server or by a trusted proxy. */
export interface ClientCertificate {
  /** SHA-256 of its DER form: 64 lower-case hex characters; empty when a proxy does not say. */
  readonly fingerprint: string;
  /** The attributes of its subject, such as `CN=client-1`, in any order. */
  readonly subject: readonly string[];
  /** Its subject alternative names: `DNS:…`, `URI:…`, `EMAIL:…`, `IP:…`. */
  readonly names: readonly string[];
}

const SEPARATORS = ',;+\n';

/**
 * Takes a subject apart: `CN=a,O=b` (RFC 4514), or line by line as Node prints it. What is escaped or quoted stays in
 * its value. OpenSSL's old form, `/O=b/CN=a`, escapes nothing, so anybody's value could hold another attribute: of it
 * nothing fits anything.
 */
export function subjectAttributes(text: string): string[] {
  const attributes: string[] = [];
  let bytes: number[] = [];
  let quoted = false;
  const end = (): void => {
    const attribute = Buffer.from(bytes).toString('utf8').trim();
    if (attribute !== '')
      attributes.push(attribute.replace(/^(\w[\w.-]*)\s*=\s*/, (_, name: string) => `${name.toUpperCase()}=`));
    bytes = [];
  };
  const source = Buffer.from(text, 'utf8').toString('latin1');
  for (let i = 0; i < source.length; i += 1) {
    const char = source[i]!;
    const hex = /^\\([0-9a-f]{2})/i.exec(source.slice(i, i + 3))?.[1];
    if (hex !== undefined) {
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    } else if (char === '\\' && i + 1 < source.length) {
      i += 1;
      bytes.push(source.charCodeAt(i));
    } else if (char === '"') {
      quoted = !quoted;
    } else if (!quoted && SEPARATORS.includes(char)) {
      end();
    } else {
      bytes.push(source.charCodeAt(i));
    }
  }
  end();
  return attributes;
}

import { composeHeader } from '../verify/provider/extract.js';
import type { HmacScheme, Provider, TimestampRule } from '../verify/provider/provider.js';

export interface ProviderCommandOptions {
  readonly provider: Provider;
  readonly url: string;
  /** As the shell reads it: quoted, or a variable in quotes. */
  readonly secret: string;
  /** Quoted. */
  readonly body: string;
  /** Options of curl for further headers, quoted. */
  readonly headers: readonly string[];
}

const TIME_COMMANDS: Readonly<Record<TimestampRule['unit'], string>> = {
  s: '$(date +%s)',
  ms: '$(date +%s)000',
  iso: '$(date -u +%Y-%m-%dT%H:%M:%SZ)',
};

const HEX = "od -An -v -tx1 | tr -d ' \\n'";

/**
 * A command for a POSIX shell that signs as the sender does, with openssl, and calls. Of a sender that cannot be
 * imitated (it has a private key, or proves itself in the body) it is a comment that says so.
 */
export function providerCommand(options: ProviderCommandOptions): string {
  const { provider, url, secret, body, headers } = options;
  const scheme = provider.schemes.find((it) => it.scheme === 'token') ?? provider.schemes[0];
  if (scheme.scheme === 'token' && scheme.from === 'header') {
    return call(`'${url}'`, [...headers, `-H '${scheme.name}: '${secret}`], body);
  }
  if (scheme.scheme !== 'hmac' || scheme.ts?.from === 'body') {
    return `# ${provider.name} alone can make its calls: send a test from there.`;
  }
  const { ts, idHeader, bodyHashParameter } = scheme;
  const query =
    bodyHashParameter === undefined
      ? ''
      : `?${bodyHashParameter}=$(printf %s "$body" | openssl dgst -sha256 -binary | ${HEX})`;
  const time = ts?.from === 'signature' ? ([ts.name, '${timestamp}'] as const) : undefined;
  return [
    `body=${body}`,
    `url='${url}'${query === '' ? '' : `"${query}"`}`,
    ...(ts === undefined ? [] : [`timestamp=${TIME_COMMANDS[ts.unit]}`]),
    ...(idHeader === undefined ? [] : [`id=msg_$(date +%s)`]),
    `signature=$(${signing(scheme, secret)})`,
    call(
      '"$url"',
      [
        ...headers,
        `-H "${scheme.header}: ${composeHeader(scheme.extract, '${signature}', time)}"`,
        ...(ts?.from === 'header' ? [`-H "${ts.name}: \${timestamp}"`] : []),
        ...(idHeader === undefined ? [] : [`-H "${idHeader}: \${id}"`]),
      ],
      '"$body"',
    ),
  ].join('\n');
}

function call(url: string, headers: readonly string[], body: string): string {
  return [`curl -sS -X POST ${url}`, ...headers, `--data-raw ${body}`].join(' \\\n  ');
}

/** The base string goes through the shell as it is: it has no character of its own that means something there. */
function signing(scheme: HmacScheme, secret: string): string {
  const base = scheme.base[0]!.replaceAll('{method}', 'POST')
    .replaceAll('{formParameters}', '')
    .replaceAll('{escapedBody}', '{body}')
    .replaceAll(/\{(\w+)\}/g, '${$1}');
  const key =
    scheme.key === undefined
      ? `-hmac ${secret}`
      : `-mac HMAC -macopt hexkey:"$(printf %s ${secret} | sed 's/^${scheme.key.strip}//'${scheme.key.enc === 'hex' ? '' : ` | openssl base64 -d -A | ${HEX}`})"`;
  const encode = scheme.enc === 'hex' ? HEX : 'openssl base64 -A';
  return `printf %s "${base}" | openssl dgst -${scheme.alg} ${key} -binary | ${encode}`;
}

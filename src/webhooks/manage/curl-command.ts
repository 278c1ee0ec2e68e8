import { webhookPath } from '../webhook-path.js';
import { providerCommand } from './provider-command.js';
import type { AuthenticationView } from './webhook-view.js';

export interface CurlCommandOptions {
  /** The base of the URL, without a trailing slash. */
  readonly publicUrl: string;
  /** A UUID. */
  readonly webhookId: string;
  readonly authentication: AuthenticationView;
  /** Without it the command reads the variable WEBHOOK_SECRET. */
  readonly secret?: string | undefined;
  /** The body's text, sent as it is. */
  readonly body: string;
  /** More headers; one named Content-Type replaces ours. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * A command for a POSIX shell that calls a webhook and works as it stands. For HMAC_SIGNATURE it signs the very bytes
 * that it sends, with openssl, so that the body can be edited before it is run; so it does for PROVIDER, where a
 * sender can be imitated, and is a comment where not.
 */
export function curlCommand(options: CurlCommandOptions): string {
  const { publicUrl, webhookId, authentication, body } = options;
  const signed = authentication.method === 'HMAC_SIGNATURE';
  const headers = Object.entries(options.headers ?? {});
  if (!headers.some(([name]) => name.toLowerCase() === 'content-type')) {
    headers.unshift(['Content-Type', 'application/json']);
  }
  const secret = options.secret === undefined ? '"$WEBHOOK_SECRET"' : quote(options.secret);
  const url = publicUrl + webhookPath(webhookId);
  const typed = headers.map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`);
  const provider = authentication.sender;
  if (provider !== undefined) return providerCommand({ provider, url, secret, body: quote(body), headers: typed });
  const header = `${authentication.headerName}: ${authentication.headerPrefix}`;
  const proof = signed
    ? `${quote(header)}"$(printf %s "$body" | openssl dgst -sha256 -hmac ${secret} | sed 's/.*= *//')"`
    : options.secret === undefined
      ? quote(header) + secret
      : quote(header + options.secret);
  const curl = [
    `curl -sS -X POST ${quote(url)}`,
    ...typed,
    `-H ${proof}`,
    `--data-raw ${signed ? '"$body"' : quote(body)}`,
  ].join(' \\\n  ');
  return signed ? `body=${quote(body)}\n${curl}` : curl;
}

/** Quotes for a POSIX shell: nothing has a meaning within single quotes but the quote that ends them. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

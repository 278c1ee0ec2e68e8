import type { CreatedWebhook } from './gateway-process.js';

/** What a POST to a webhook was answered. */
export interface CallAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** POSTs JSON to a webhook of the method SECRET_HEADER, as its sender does. */
export async function postCall<Body>(
  { url, secret }: CreatedWebhook,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<CallAnswer<Body>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-webhook-secret': secret, ...headers },
    body,
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

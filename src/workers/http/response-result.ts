import type { OutboundResponse } from '../../outbound/outbound-client.js';
import { asJsonText, cutToJsonBytes, jsonObject, type JsonText, toJsonText } from '../../lib/json-text.js';

/** The endpoint's session is nobody's but ours; a caller must not get it. */
const WITHHELD_HEADERS = new Set(['set-cookie', 'set-cookie2']);

/**
 * A response as a result: `{ status, headers, body, truncated? }`. A JSON body stands in it as it came, number for
 * number; any other body is a string. What does not fit is cut, becomes a string, and `truncated` is true.
 */
export function responseResult(response: OutboundResponse, bytesMax: number): JsonText {
  const headers = shownHeaders(response);
  const build = (body: JsonText, truncated: boolean): JsonText =>
    jsonObject([
      ['status', response.status],
      ['headers', headers],
      ['body', body, 'raw'],
      ['truncated', truncated ? true : undefined],
    ]);

  const text = response.body.toString('utf8');
  if (!response.truncated) {
    const whole = build(jsonBody(headers['content-type'], text) ?? toJsonText(text), false);
    if (Buffer.byteLength(whole) <= bytesMax) return whole;
  }
  const room = bytesMax - Buffer.byteLength(build(toJsonText(''), true));
  return build(toJsonText(cutToJsonBytes(text, room)), true);
}

/** A response as templates see it: `{ status, headers, body, truncated }`, the body as in the result. */
export function responseScope(response: OutboundResponse): Readonly<Record<string, unknown>> {
  const { status, truncated } = response;
  const headers = shownHeaders(response);
  const text = response.body.toString('utf8');
  const json = truncated ? undefined : jsonBody(headers['content-type'], text);
  return { status, headers, body: json === undefined ? text : (JSON.parse(json) as unknown), truncated };
}

function shownHeaders(response: OutboundResponse): Record<string, string> {
  return Object.fromEntries(
    Object.entries(response.headers)
      .filter(([name]) => !WITHHELD_HEADERS.has(name))
      .map(([name, value]) => [name, typeof value === 'string' ? value : value.join(', ')]),
  );
}

/** The body's own text when it says that it is JSON and is. Nothing at all, as with 204, is null. */
function jsonBody(contentType: string | undefined, text: string): JsonText | undefined {
  if (text === '') return asJsonText('null');
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType ?? '')) return undefined;
  try {
    JSON.parse(text);
    return asJsonText(text.trim());
  } catch {
    return undefined;
  }
}

import { createHmac } from 'node:crypto';
import { expect } from '@jest/globals';
import type { CreatedWebhook } from './gateway-process.js';
import { RawConnection, type WireAnswer } from './raw-connection.js';

export function pathOf(webhook: CreatedWebhook): string {
  return new URL(webhook.url).pathname;
}

export function signatureOf(webhook: CreatedWebhook, body: string | Uint8Array): string {
  return `sha256=${createHmac('sha256', webhook.secret).update(body).digest('hex')}`;
}

export interface PostOptions {
  /** Lines that replace the usual ones of the same name; all others are added, also several of one name. */
  readonly headers?: readonly string[];
  readonly target?: string;
}

/** The bytes of a call that is right but for what a test says. */
export function post(webhook: CreatedWebhook, body: string | Uint8Array = '{}', options: PostOptions = {}): Buffer {
  const bytes = Buffer.from(body as Uint8Array);
  const given = options.headers ?? [];
  const names = new Set(given.map(nameOf));
  const usual = [
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${bytes.length}`,
    `X-Webhook-Signature: ${signatureOf(webhook, bytes)}`,
  ].filter(
    (line) => !names.has(nameOf(line)) && !(nameOf(line) === 'content-length' && names.has('transfer-encoding')),
  );
  const head = [`POST ${options.target ?? pathOf(webhook)} HTTP/1.1`, ...usual, ...given, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes]);
}

function nameOf(line: string): string {
  return line.split(':')[0]!.trim().toLowerCase();
}

/** One request on a connection of its own; @throws Error when there is no answer. */
export async function ask(port: number, ...chunks: readonly (string | Uint8Array)[]): Promise<WireAnswer> {
  const connection = await RawConnection.open(port);
  connection.send(...chunks);
  try {
    const answer = await connection.next();
    if (answer === undefined) throw new Error('The connection was closed without an answer.');
    return answer;
  } finally {
    connection.breakOff();
  }
}

export interface AnswerBody {
  readonly code?: string;
  readonly callId?: string;
  readonly results?: readonly { readonly success: boolean; readonly result?: unknown }[];
}

export const bodyOf = (answer: WireAnswer): AnswerBody => JSON.parse(answer.body) as AnswerBody;

export function expectProblem(answer: WireAnswer | undefined, status: number, code: string): void {
  expect(answer).toMatchObject({ status });
  expect(answer!.headers.get('content-type')).toBe('application/problem+json');
  expect(bodyOf(answer!)).toMatchObject({ success: false, status, code });
}

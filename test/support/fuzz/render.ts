import { createHmac } from 'node:crypto';
import {
  type BrokenSpec,
  type CallSpec,
  CANARY,
  type OtherSpec,
  type SenderSpec,
  type Target,
} from './request-spec.js';

/** A webhook of the run. */
export interface FuzzWebhook {
  readonly path: string;
  readonly secret: string;
  /** In lower case. */
  readonly headerName: string;
  /** What stands before the secret; `undefined` when the body is signed. */
  readonly prefix: string | undefined;
}

export type FuzzWebhooks = Readonly<Record<Target | 'unknown', FuzzWebhook>> & {
  /** The paths of the webhooks of known senders, by provider. */
  readonly senders: ReadonlyMap<string, string>;
};

/** The header that tells which request a stored call is of. */
export const NUMBER_HEADER = 'x-fuzz';

/** The bytes of a call. */
export function renderCall(spec: CallSpec, n: number, webhooks: FuzzWebhooks, extraLine?: string): Buffer {
  const webhook = spec.target === 'malformed' ? webhooks.unknown : webhooks[spec.target];
  const path = (spec.target === 'malformed' ? `/api/v1/webhooks/${spec.malformedId}` : webhook.path) + spec.query;
  const lines = [
    `POST ${spec.absoluteForm ? `http://${CANARY}.example${path}` : path} HTTP/1.1`,
    'Host: localhost',
    `${NUMBER_HEADER}: ${n}`,
    ...credentialLines(spec, webhook),
    ...spec.noise,
  ];
  if (spec.contentType.value !== undefined) lines.push(`Content-Type: ${spec.contentType.value}`);
  if (spec.contentEncoding !== undefined) lines.push(`Content-Encoding: ${spec.contentEncoding}`);
  if (spec.expectContinue) lines.push('Expect: 100-continue');
  if (extraLine !== undefined) lines.push(extraLine);
  lines.push(
    spec.transfer.type === 'length' ? `Content-Length: ${spec.body.bytes.length}` : 'Transfer-Encoding: chunked',
    '',
    '',
  );
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), ...renderBody(spec)]);
}

export function renderOther(spec: OtherSpec): Buffer {
  const lines = [`${spec.method} ${spec.target} HTTP/1.1`, 'Host: localhost', ...spec.noise, '', ''];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

export function renderSender(spec: SenderSpec, { senders }: FuzzWebhooks): Buffer {
  const head = [
    `${spec.method} ${senders.get(spec.provider)!}${spec.query} HTTP/1.1`,
    'Host: localhost',
    `Content-Type: ${spec.contentType}`,
    `Content-Length: ${spec.body.length}`,
    ...spec.lines,
    '',
    '',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), spec.body]);
}

/** The bytes of a call with its damage done. */
export function renderBroken({ call, damage }: BrokenSpec, n: number, webhooks: FuzzWebhooks): Buffer {
  switch (damage.type) {
    case 'line':
      return renderCall(call, n, webhooks, damage.line);
    case 'chunk': {
      const chunked = { ...call, transfer: { type: 'chunks', sizes: [1], extension: '', trailer: '' } } as const;
      const whole = renderCall(chunked, n, webhooks);
      return Buffer.concat([whole.subarray(0, whole.indexOf('\r\n\r\n') + 4), Buffer.from(damage.bytes, 'latin1')]);
    }
    case 'bytes': {
      let bytes = renderCall(call, n, webhooks);
      for (const [at, removed, inserted] of damage.edits) {
        const from = at % bytes.length;
        bytes = Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(from + removed)]);
      }
      return bytes;
    }
    case 'cut': {
      const whole = renderCall(call, n, webhooks);
      return whole.subarray(0, damage.at % whole.length);
    }
    case 'noise':
      return Buffer.from(damage.bytes);
  }
}

function credentialLines({ credential, body }: CallSpec, { headerName, prefix, secret }: FuzzWebhook): string[] {
  const line = (bytes: Uint8Array): string => {
    const value =
      prefix === undefined ? `sha256=${createHmac('sha256', secret).update(bytes).digest('hex')}` : prefix + secret;
    return `${headerName}: ${value}`;
  };
  if (typeof credential === 'object') return [`${headerName}: ${credential.value}`];
  switch (credential) {
    case 'right':
      return [line(body.bytes)];
    case 'twice':
      return [line(body.bytes), line(body.bytes)];
    case 'of another body':
      return [`${line(Buffer.concat([body.bytes, Buffer.from(' ')]))}${prefix === undefined ? '' : 'x'}`];
    case 'missing':
      return [];
  }
}

function renderBody({ transfer, body: { bytes } }: CallSpec): Uint8Array[] {
  if (transfer.type === 'length') return [bytes];
  const parts: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = transfer.sizes[i % transfer.sizes.length]! + (i < 20 ? 0 : bytes.length); // some chunks, not thousands
    const part = bytes.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}${transfer.extension}\r\n`), part, Buffer.from('\r\n'));
    at += size;
  }
  return [...parts, Buffer.from(`0\r\n${transfer.trailer}\r\n`)];
}

import { createHash } from 'node:crypto';
import { baseStrings } from './base-string.js';
import { composeHeader } from './extract.js';
import type { Provider, ProviderRequest } from './provider.js';
import { hmacSignature } from './schemes.js';
import { writeTimestamp } from './timestamp.js';

/** What makes a request one of the sender's: more headers, and the target that they are for. */
export interface SenderProof {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly target: string;
}

/**
 * Signs a test call as the sender would. The body of a sender whose proof or time stands in it must hold that already.
 *
 * @param id of the delivery, where the sender gives it one.
 * @returns `undefined` for senders whose private key we do not have, or whose key this secret cannot be.
 */
export function signAs(
  provider: Provider,
  secret: string,
  request: Omit<ProviderRequest, 'rawHeaders'>,
  { id, nowMs }: { readonly id: string; readonly nowMs: number },
): SenderProof | undefined {
  const { target } = request;
  const scheme = provider.schemes.find((it) => it.scheme === 'token') ?? provider.schemes[0];
  if (scheme.scheme === 'token') return { headers: scheme.from === 'header' ? [[scheme.name, secret]] : [], target };
  if (scheme.scheme === 'asymmetric') return undefined;

  const { bodyHashParameter: parameter, ts, idHeader, extract } = scheme;
  const hash = createHash('sha256').update(request.body).digest('hex');
  const signedTarget = parameter === undefined ? target : `${target}?${parameter}=${hash}`;
  const timestamp = ts === undefined ? '' : writeTimestamp(nowMs, ts.unit);
  const [base] = baseStrings(scheme, { ...request, target: signedTarget, rawHeaders: [] }, { timestamp, id });
  const signature = hmacSignature(scheme, secret, base!)?.toString(scheme.enc);
  if (signature === undefined) return undefined;
  const time = ts?.from === 'signature' ? ([ts.name, timestamp] as const) : undefined;
  return {
    headers: [
      [scheme.header, composeHeader(extract, signature, time)],
      ...(ts?.from === 'header' ? [[ts.name, timestamp] as const] : []),
      ...(idHeader === undefined ? [] : [[idHeader, id] as const]),
    ],
    target: signedTarget,
  };
}

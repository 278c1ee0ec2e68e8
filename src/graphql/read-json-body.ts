import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.js';

/** An operation and its variables; a document of 2,000 tokens is a small part of it. */
const BODY_BYTES_MAX = 1_048_576;

const JSON_MEDIA_TYPE = /^application\/(?:[\w.+-]+\+)?json *(?:;|$)/i;

/**
 * Reads the JSON of a POST.
 *
 * @returns `undefined` when the body says that it is not JSON: it is not read, and what a browser can send to other
 *   sites without asking them is never taken for an operation.
 * @throws AppError PAYLOAD_TOO_LARGE, MALFORMED_BODY.
 */
export async function readJsonBody(req: IncomingMessage): Promise<unknown> {
  if (!JSON_MEDIA_TYPE.test(req.headers['content-type'] ?? '')) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Left early, the loop destroys the request and with it the socket that the answer has to go through.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      throw new AppError('PAYLOAD_TOO_LARGE', `An operation may have ${BODY_BYTES_MAX} bytes.`);
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new AppError('MALFORMED_BODY');
  }
}

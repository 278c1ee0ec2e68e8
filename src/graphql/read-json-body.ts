import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.js';
import { readBody } from '../lib/read-body.js';

/** An operation and its variables; a document of 2,000 tokens is a small part of it. */
const BODY_BYTES_MAX = 1_048_576;

const JSON_MEDIA_TYPE = /^application\/(?:[\w.+-]+\+)?json *(?:;|$)/i;

/**
 * Reads the JSON of a POST.
 *
 * @returns `undefined` when the body says that it is not JSON: it is not read, and what a browser can send to other
 *   sites without asking them is never taken for an operation.
 * @throws AppError PAYLOAD_TOO_LARGE, MALFORMED_BODY; the latter also when the caller went away, and nobody hears it.
 */
export async function readJsonBody(req: IncomingMessage): Promise<unknown> {
  if (!JSON_MEDIA_TYPE.test(req.headers['content-type'] ?? '')) return undefined;
  const body = await readBody(req, BODY_BYTES_MAX);
  if (body === 'too-large') throw new AppError('PAYLOAD_TOO_LARGE', `An operation may have ${BODY_BYTES_MAX} bytes.`);
  if (body === 'aborted') throw new AppError('MALFORMED_BODY', 'The caller went away.');
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new AppError('MALFORMED_BODY');
  }
}

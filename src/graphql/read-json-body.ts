import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.js';
import { declaredLength, readBody } from '../lib/read-body.js';

/** What a body that could not be read is answered with. */
export function statusOfBodyFault({ code }: AppError): 400 | 413 | 415 {
  return code === 'PAYLOAD_TOO_LARGE' ? 413 : code === 'UNSUPPORTED_MEDIA_TYPE' ? 415 : 400;
}

/** An operation and its variables; a document of 2,000 tokens is a small part of it. */
export const OPERATION_BYTES_MAX = 1_048_576;

const JSON_MEDIA_TYPE = /^application\/(?:[\w.+-]+\+)?json *(?:;|$)/i;

/** JSON between systems is UTF-8 (RFC 8259, 8.1). */
const OTHER_CHARSET = /;\s*charset\s*=\s*(?!"?utf-8"?\s*(?:;|$))/i;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads the JSON of a POST.
 *
 * @returns `undefined` when the body says that it is not JSON: it is not read, and what a browser can send to other
 *   sites without asking them is never taken for an operation.
 * @throws AppError PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, MALFORMED_BODY; the last also when the caller went away, and
 *   nobody hears it.
 */
export async function readJsonBody(req: IncomingMessage): Promise<unknown> {
  const type = req.headers['content-type'] ?? '';
  if (!JSON_MEDIA_TYPE.test(type)) return undefined;
  if (req.headers['content-encoding'] !== undefined || OTHER_CHARSET.test(type)) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'An operation is JSON in UTF-8, without a Content-Encoding.');
  }
  const isTooLarge = (declaredLength(req) ?? 0) > OPERATION_BYTES_MAX;
  const body = isTooLarge ? 'too-large' : await readBody(req, OPERATION_BYTES_MAX);
  if (body === 'too-large')
    throw new AppError('PAYLOAD_TOO_LARGE', `An operation may have ${OPERATION_BYTES_MAX} bytes.`);
  if (body === 'aborted') throw new AppError('MALFORMED_BODY', 'The caller went away.');
  try {
    return JSON.parse(decoder.decode(body)) as unknown;
  } catch {
    throw new AppError('MALFORMED_BODY');
  }
}

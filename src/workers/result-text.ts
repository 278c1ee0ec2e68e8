import { AppError } from '../errors.js';
import { asJsonText, type JsonText } from '../lib/json-text.js';

/** The largest result, in bytes of JSON, when the operator does not say otherwise. */
export const RESULT_BYTES_MAX = 1_048_576;

/** Deeper results are refused: PostgreSQL's JSON parser and the readers' ones recurse. */
const RESULT_DEPTH_MAX = 500;

/**
 * Prints what a worker returned as JSON text. `undefined` is `null`.
 *
 * @throws AppError WORKER_OUTPUT_INVALID, not retryable, when it is not JSON (a function, a BigInt, a cycle).
 */
export function toResultText(value: unknown): JsonText {
  if (value === undefined) return asJsonText('null');
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (error) {
    throw new AppError('WORKER_OUTPUT_INVALID', 'The worker returned something that is not JSON.', {
      cause: error,
    });
  }
  if (text === undefined)
    throw new AppError('WORKER_OUTPUT_INVALID', 'The worker returned something that is not JSON.');
  return asJsonText(text);
}

/**
 * Checks that a result is of a size and depth that can be stored.
 *
 * @throws AppError WORKER_OUTPUT_INVALID, not retryable.
 */
export function checkResultText(text: JsonText, bytesMax: number): void {
  if (text.length > bytesMax || Buffer.byteLength(text) > bytesMax) {
    throw new AppError('WORKER_OUTPUT_INVALID', `The worker's result is larger than ${bytesMax} bytes.`);
  }
  if (depthReaches(text, RESULT_DEPTH_MAX)) {
    throw new AppError('WORKER_OUTPUT_INVALID', `The worker's result is nested deeper than ${RESULT_DEPTH_MAX}.`);
  }
}

/** Whether brackets are nested deeper than `most`. A short text cannot be. */
function depthReaches(text: string, most: number): boolean {
  if (text.length <= 2 * most) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') {
      inString = true;
    } else if (character === '{' || character === '[') {
      depth += 1;
      if (depth > most) return true;
    } else if (character === '}' || character === ']') {
      depth -= 1;
    }
  }
  return false;
}

/** Deeper JSON is refused: recursion anywhere behind the ingress could overflow the stack. */
export const JSON_DEPTH_MAX = 64;

export type JsonFault =
  | { readonly fault: 'byte-order-mark' | 'invalid-utf8' | 'empty' | 'too-deep' | 'not-an-object' }
  | { readonly fault: 'syntax'; readonly detail: string };

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Checks that bytes are JSON a webhook may store: valid UTF-8 without a byte order mark, an object, nested
 * at most {@link JSON_DEPTH_MAX} deep, and well-formed. The depth is found by a scan before parsing. Numbers that lose
 * precision, `\u0000`, lone surrogates and odd keys are fine: the bytes are stored, not the parsed value.
 *
 * @param shape what the outermost value may be.
 * @returns the parsed value and the text, or what is wrong.
 */
export function scanJson(
  bytes: Uint8Array,
  shape: 'objects' | 'objects and arrays' | 'any' = 'objects',
): { readonly value: unknown; readonly text: string } | JsonFault {
  if (bytes.length === 0) return { fault: 'empty' };
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return { fault: 'byte-order-mark' };
  if (depthOf(bytes) > JSON_DEPTH_MAX) return { fault: 'too-deep' };
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { fault: 'invalid-utf8' };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: 'syntax', detail: syntaxDetail(error) };
  }
  if (shape === 'any') return { value, text };
  if (typeof value !== 'object' || value === null) return { fault: 'not-an-object' };
  if (Array.isArray(value) && shape === 'objects') return { fault: 'not-an-object' };
  return { value, text };
}

/** Counts open brackets outside strings. Bytes above 127 never equal an ASCII byte in UTF-8, so bytes will do. */
function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
  }
  return deepest;
}

/** V8 quotes the text around a fault; that is payload, so only the position is kept. */
function syntaxDetail(error: unknown): string {
  const position = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
  return position === undefined ? 'it ends too early' : `there is an error at character ${position}`;
}

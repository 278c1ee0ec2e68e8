/**
 * Reads all values at a path such as `id`, `[].eventId` or `entry[].changes[].value.id`: members by name, `[]` for
 * every element. Only own members count.
 *
 * @returns in the order of the document; empty when there is nothing.
 */
export function valuesAt(document: unknown, path: string): unknown[] {
  let values: unknown[] = [document];
  for (const [, name, every] of path.matchAll(/([^.[\]]+)|(\[\])/g)) {
    values = values.flatMap((value) => {
      if (every !== undefined) return Array.isArray(value) ? (value as unknown[]) : [];
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name!)) return [];
      return [(value as Record<string, unknown>)[name!]];
    });
  }
  return values;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses a body that nobody has looked at yet. @returns `undefined` for what is not JSON. */
export function parseUntrusted(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body)) as unknown;
  } catch {
    return undefined;
  }
}

import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql';
import { GraphQLDateTimeISO } from 'graphql-scalars';
import { parseDuration, printDuration } from '../lib/duration.js';
import { JSON_DEPTH_MAX } from '../lib/json-scan.js';
import { parseNanos, printNanos } from '../lib/nanos.js';

/** RFC 3339 in UTC; a `Date` inside. */
export const DateTime = renamed(GraphQLDateTimeISO, {
  name: 'DateTime',
  description: 'A moment, as RFC 3339 has it, with a time zone: `2026-03-01T09:30:00.000Z`.',
});

/** Any JSON. Numbers go through JavaScript's: what must stay exact has a text field beside it. */
export const Json = new GraphQLScalarType<unknown>({
  name: 'JSON',
  description:
    'Any JSON value, nested at most 64 deep. Integers above 2^53 lose digits here, as they do in JavaScript; fields of type String beside it give the exact text.',
  parseValue: (value) => checkedJson(value),
  parseLiteral: (node, variables) => checkedJson(jsonOf(node, variables ?? {}), node),
});

/** The value of a literal. Objects are made so that `__proto__` is a key as any other. */
function jsonOf(node: ValueNode, variables: Readonly<Record<string, unknown>>): unknown {
  switch (node.kind) {
    case Kind.STRING:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.NULL:
      return null;
    case Kind.LIST:
      return node.values.map((item) => jsonOf(item, variables) ?? null);
    case Kind.OBJECT:
      return Object.fromEntries(node.fields.map(({ name, value }) => [name.value, jsonOf(value, variables)]));
    case Kind.VARIABLE:
      return variables[node.name.value];
    case Kind.ENUM:
      throw badInput('JSON has no names without quotes.', node);
  }
}

/** What recursion anywhere could not take, and what JSON could not say again. */
function checkedJson(value: unknown, node?: ValueNode): unknown {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (level.some((item) => typeof item === 'number' && !Number.isFinite(item))) {
      throw badInput('A number is beyond what JSON can hold here.', node);
    }
    const nested = level.filter((item): item is object => typeof item === 'object' && item !== null);
    if (depth === JSON_DEPTH_MAX && nested.length > 0) {
      throw badInput(`JSON is nested at most ${JSON_DEPTH_MAX} deep.`, node);
    }
    level = nested.flatMap((item): unknown[] => Object.values(item));
  }
  return value;
}

/** A whole number beyond 32 bits: a number outside as long as JavaScript's are exact, a text beyond. */
export const WholeNumber = new GraphQLScalarType<number | bigint, number | string>({
  name: 'BigInt',
  description:
    'A whole number that can be larger than an Int: a JSON number up to 2^53 - 1, a text of digits beyond. As input both will do.',
  serialize: (value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    if (typeof value === 'bigint') return isSafe(value) ? Number(value) : value.toString();
    throw new GraphQLError('A BigInt is a whole number.');
  },
  parseValue: (value) => readWhole(value),
  parseLiteral: (node) => readWhole(node.kind === Kind.INT || node.kind === Kind.STRING ? node.value : undefined, node),
});

function isSafe(value: bigint): boolean {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** What comes in is counted with numbers, so it has to be exact as one. */
function readWhole(value: unknown, node?: ValueNode): number {
  const text = typeof value === 'number' ? String(value) : value;
  const whole = typeof text === 'string' && /^-?\d{1,16}$/.test(text) ? Number(text) : undefined;
  if (whole !== undefined && Number.isSafeInteger(whole)) return whole;
  throw badInput('A BigInt is a whole number of at most 2^53 - 1.', node);
}

/** A decimal text outside, nano-dollars inside. */
export const Dollars = new GraphQLScalarType<bigint, string>({
  name: 'Decimal',
  description: 'An exact decimal number as text, such as `0.0021`, to nine places. As input a number will do, too.',
  serialize: (value) => {
    if (typeof value === 'bigint') return printNanos(value);
    throw new GraphQLError('A Decimal is a number of billionths.');
  },
  parseValue: (value) => readNanos(typeof value === 'number' ? String(value) : value),
  parseLiteral: (node) => {
    const isNumber = node.kind === Kind.STRING || node.kind === Kind.INT || node.kind === Kind.FLOAT;
    return readNanos(isNumber ? node.value : undefined, node);
  },
});

/** ISO-8601 outside, milliseconds inside. */
export const Duration = new GraphQLScalarType<number, string>({
  name: 'Duration',
  description:
    'A length of time, as ISO-8601 has it: `PT30S`, `PT24H`, `P7D`, down to milliseconds (`PT0.5S`). Years and months are refused, because they have no fixed length.',
  specifiedByURL: 'https://www.iso.org/iso-8601-date-and-time-format.html',
  serialize: (value) => {
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return printDuration(value);
    throw new GraphQLError('A Duration is a number of milliseconds.');
  },
  parseValue: (value) => readDuration(value),
  parseLiteral: (node) => readDuration(node.kind === Kind.STRING ? node.value : undefined, node),
});

function readDuration(value: unknown, node?: ValueNode): number {
  const durationMs = typeof value === 'string' ? parseDuration(value) : undefined;
  if (durationMs !== undefined) return durationMs;
  throw badInput('A Duration is written as ISO-8601 has it, without years and months, such as "PT30S".', node);
}

function readNanos(value: unknown, node?: ValueNode): bigint {
  const nanos = typeof value === 'string' ? parseNanos(value) : undefined;
  if (nanos !== undefined) return nanos;
  throw badInput('A Decimal has at most nine digits before the point and nine behind it, such as "2.50".', node);
}

function badInput(message: string, node?: ValueNode): GraphQLError {
  return new GraphQLError(message, {
    ...(node !== undefined && { nodes: node }),
    extensions: { code: 'BAD_USER_INPUT' },
  });
}

/** A ready-made scalar under our name and description, whose refusals are the caller's to mend. */
function renamed<Internal, External>(
  scalar: GraphQLScalarType<Internal, External>,
  { name, description }: { readonly name: string; readonly description: string },
): GraphQLScalarType<Internal, External> {
  const { parseValue, parseLiteral, serialize, specifiedByURL } = scalar;
  return new GraphQLScalarType<Internal, External>({
    name,
    description,
    specifiedByURL,
    serialize,
    parseValue: (value) => mendable(name, () => parseValue(value)),
    parseLiteral: (node, variables) => mendable(name, () => parseLiteral(node, variables), node),
  });
}

function mendable<T>(name: string, parse: () => T, node?: ValueNode): T {
  try {
    return parse();
  } catch {
    throw badInput(`This is not a ${name}.`, node);
  }
}

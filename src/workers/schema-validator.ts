import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { AppError, messageOf } from '../errors.js';
import { timeBoxed } from './time-box.js';
import type { JsonSchema } from './worker.entities.js';

/** One place where a value does not fit: a JSON pointer (RFC 6901), empty for the whole, and what is wrong. */
export interface SchemaFault {
  readonly pointer: string;
  readonly message: string;
}

/** Finds the faults of a value; none when it fits. Never throws, and ends within {@link VALIDATE_MS_MAX}. */
export type SchemaValidator = (value: unknown) => readonly SchemaFault[];

export interface SchemaOptions {
  /** Whether the schema is the operator's own code. Then only what a payload can make slow is timed. */
  readonly trusted: boolean;
}

/** Longer schemas are refused, in characters of JSON. */
const SCHEMA_CHARACTERS_MAX = 262_144;

const COMPILE_MS_MAX = 3_000;
const VALIDATE_MS_MAX = 500;

/** A check takes schema times value; a shorter schema keeps that small. In characters. */
const UNTIMED_CHARACTERS_MAX = 8_192;

const FAULTS_MAX = 20;

/** Values with more members than this get the first fault only: collecting all would make one object a fault. */
const MEMBERS_FOR_ALL_FAULTS_MAX = 5_000;

/** Keywords whose check can take far longer than the value is long: backtracking, comparing all with all, recursion. */
const SLOW = new Set(['pattern', 'patternProperties', 'format', 'uniqueItems', '$ref', '$dynamicRef', '$recursiveRef']);
const SLOW_WHEN_TRUSTED = new Set(['uniqueItems']);

/** `ownProperties`: a body without `constructor` does not have one. Never coerces, never fills in defaults. */
const OPTIONS: Options = {
  strict: false,
  ownProperties: true,
  inlineRefs: false,
  logger: false,
  messages: true,
};

let metaSchemas: Ajv2020 | undefined;

/**
 * Compiles a JSON Schema (2020-12, with the usual formats) that anybody may have written.
 *
 * @throws AppError BAD_USER_INPUT that says what is wrong with the schema.
 */
export function compileSchema(schema: JsonSchema, options: SchemaOptions): SchemaValidator {
  const { length } = JSON.stringify(schema);
  if (length > SCHEMA_CHARACTERS_MAX) {
    throw badSchema(`it is longer than ${SCHEMA_CHARACTERS_MAX} characters`);
  }
  if (hasUnstorableText(schema)) throw badSchema('it contains U+0000 or a lone surrogate');
  const first = compileFirst(schema, options);
  let all: ValidateFunction | undefined;
  const validate: SchemaValidator = (value) => {
    if (first(value)) return [];
    if (membersOf(value, MEMBERS_FOR_ALL_FAULTS_MAX) >= MEMBERS_FOR_ALL_FAULTS_MAX) return faultsOf(first);
    all ??= compile(schema, true);
    all(value);
    return faultsOf(all);
  };
  const timed = options.trusted
    ? usesKeyword(schema, SLOW_WHEN_TRUSTED)
    : length > UNTIMED_CHARACTERS_MAX || usesKeyword(schema, SLOW);
  return (value) => {
    try {
      return timed ? (timeBoxed(VALIDATE_MS_MAX, () => validate(value))?.value ?? TOO_LONG) : validate(value);
    } catch {
      return TOO_DEEP; // a schema that refers to itself without end overflows the stack
    }
  };
}

const TOO_LONG: readonly SchemaFault[] = [{ pointer: '', message: 'takes too long to check against the schema' }];
const TOO_DEEP: readonly SchemaFault[] = [{ pointer: '', message: 'cannot be checked against the schema' }];

function compileFirst(schema: JsonSchema, { trusted }: SchemaOptions): ValidateFunction {
  try {
    const meta = (metaSchemas ??= loadMetaSchemas());
    const work = (): ValidateFunction => {
      if (meta.validateSchema(schema) !== true) {
        throw new Error(meta.errorsText(meta.errors?.slice(0, 3), { dataVar: 'schema' }));
      }
      return compile(schema, false);
    };
    const compiled = trusted ? { value: work() } : timeBoxed(COMPILE_MS_MAX, work);
    if (compiled === undefined) throw new Error('it takes too long to compile');
    // ajv's own extension: such a validator gives a promise, which would pass for "it fits".
    if ('$async' in compiled.value) throw new Error('"$async" is not supported');
    return compiled.value;
  } catch (error) {
    throw badSchema(messageOf(error));
  }
}

function loadMetaSchemas(): Ajv2020 {
  const ajv = new Ajv2020({ ...OPTIONS, allErrors: true });
  void ajv.validateSchema({}); // compiles the meta-schemas now: it takes longer than many a schema
  return ajv;
}

/** An instance for each schema: two schemas may have the same `$id`. */
function compile(schema: JsonSchema, allErrors: boolean): ValidateFunction {
  const ajv = new Ajv2020({ ...OPTIONS, allErrors, meta: false, validateSchema: false });
  formats.default(ajv);
  return ajv.compile(schema);
}

function badSchema(reason: string): AppError {
  return new AppError('BAD_USER_INPUT', `The JSON Schema cannot be used: ${reason}.`);
}

function faultsOf(validate: ValidateFunction): readonly SchemaFault[] {
  const errors = validate.errors ?? [];
  // "if", "anyOf" and the like only sum up what the errors beside them say.
  const telling = errors.filter((error) => error.keyword !== 'if');
  return (telling.length > 0 ? telling : errors).slice(0, FAULTS_MAX).map(describe);
}

/** Messages name the schema's words only, never the payload's values. */
function describe({ instancePath, keyword, message, params }: ErrorObject): SchemaFault {
  const text = message ?? `does not fit "${keyword}"`;
  const allowed: unknown = params['allowedValues'];
  return {
    pointer: instancePath,
    message: Array.isArray(allowed) ? `${text}: ${JSON.stringify(allowed).slice(0, 500)}` : text,
  };
}

/** Counts a value's members and items, and stops at `most`. */
function membersOf(value: unknown, most: number): number {
  let count = 0;
  const pending: unknown[] = [value];
  while (pending.length > 0 && count < most) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null) continue;
    const members: unknown[] = Array.isArray(next) ? next : Object.values(next);
    count += members.length;
    if (count < most) pending.push(...members);
  }
  return count;
}

/** Also finds a property that has a keyword's name; that only means timing what need not be. */
function usesKeyword(schema: unknown, keywords: ReadonlySet<string>): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  return Object.entries(schema).some(([key, value]) => keywords.has(key) || usesKeyword(value, keywords));
}

/** Whether there is a text in a value that PostgreSQL's jsonb refuses: U+0000, half a surrogate pair. */
export function hasUnstorableText(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, member]) => hasUnstorableText(key) || hasUnstorableText(member));
}

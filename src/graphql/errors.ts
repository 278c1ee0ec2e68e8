import { GraphQLError, type GraphQLFormattedError, Kind } from 'graphql';
import { DATABASE_RETRY_AFTER_MS, isDatabaseAway } from '../db/database-away.js';
import { AppError, ERROR_CODES, type ErrorCode } from '../errors.js';
import type { Logger } from '../lib/logger.js';

/** The codes that the contract names: what clients switch on. */
const CONTRACT_CODES = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'BAD_USER_INPUT',
  'CONFLICT',
  'RATE_LIMITED',
  'COST_LIMIT_EXCEEDED',
  'INTERNAL_SERVER_ERROR',
] as const satisfies readonly ErrorCode[];

export type GraphqlErrorCode = (typeof CONTRACT_CODES)[number];

/** Codes of our own that are more exact than the contract's, and what they are called here. */
const NARROWED: Partial<Record<ErrorCode, GraphqlErrorCode>> = {
  MALFORMED_WEBHOOK_ID: 'BAD_USER_INPUT',
  WEBHOOK_NOT_FOUND: 'NOT_FOUND',
  PAYLOAD_TOO_LARGE: 'BAD_USER_INPUT',
  UNSUPPORTED_MEDIA_TYPE: 'BAD_USER_INPUT',
  MALFORMED_BODY: 'BAD_USER_INPUT',
  INVALID_INPUT: 'BAD_USER_INPUT',
  OUTBOUND_REFUSED: 'BAD_USER_INPUT',
  GONE: 'NOT_FOUND',
};

/**
 * What GraphQL servers call a document that never reached a field; tools know these names. The first two say where it
 * failed, the third makes Apollo's clients send the whole document.
 * https://www.apollographql.com/docs/apollo-server/data/errors#built-in-error-codes
 */
const DOCUMENT_CODES = ['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED', 'PERSISTED_QUERY_NOT_SUPPORTED'] as const;

export type DocumentErrorCode = (typeof DOCUMENT_CODES)[number];

/** Apollo Server's names for what is wrong with a request as a whole. */
const REQUEST_CODES = ['BAD_REQUEST', 'OPERATION_RESOLUTION_FAILURE'];

/** graphql-js's word for a document beyond `maxTokens`: it has no code. */
const TOO_MANY_TOKENS = /Document contains more (?:than|that) \d+ tokens/;

/** Ends of messages that tell what else the schema has. */
const SUGGESTION = / ?Did you mean [^?]+\?/g;

export interface PresentErrorOptions {
  readonly requestId: string;
  /** Takes what callers must not see. */
  readonly log: Logger;
  /** Whether messages may name fields and types that the caller did not. */
  readonly suggestions: boolean;
}

/** An error with a code of the contract; over HTTP the whole request answers `status`. */
export function codedError(code: GraphqlErrorCode, message: string = ERROR_CODES[code], status = 400): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status } } });
}

/** The same error with the code of a document that was refused. */
export function documentError(error: GraphQLError, code: DocumentErrorCode): GraphQLError {
  const { nodes = null, source = null, positions = null } = error;
  return new GraphQLError(error.message, { nodes, source, positions, originalError: error, extensions: { code } });
}

/**
 * Makes of any error what a caller may see: a code of the contract, the request's id, and for what nobody expected
 * only that it happened. Both transports pass every error through here once, so it is logged once.
 */
export function presentError(error: unknown, options: PresentErrorOptions): GraphQLFormattedError {
  const { requestId } = options;
  const place = error instanceof GraphQLError ? placeOf(error) : {};
  const source = sourceOf(error);
  if (source instanceof AppError) {
    const code = codeOfAppError(source);
    if (code === 'INTERNAL_SERVER_ERROR') logHidden(source, place.path, options);
    const retryAfterMs = source.retryAfterMs === undefined ? {} : { retryAfterMs: source.retryAfterMs };
    return { message: source.message, ...place, extensions: { code, ...retryAfterMs, requestId } };
  }
  const code = error instanceof GraphQLError ? codeOfGraphqlError(error) : undefined;
  if (code !== undefined) {
    const message = withoutValues(error as GraphQLError);
    return {
      message: options.suggestions ? message : message.replaceAll(SUGGESTION, ''),
      ...place,
      extensions: { code, requestId },
    };
  }
  if (isDatabaseAway(source)) {
    options.log.warn({ err: source, requestId }, 'a GraphQL operation found the database away');
    const extensions = { code: 'INTERNAL_SERVER_ERROR', retryAfterMs: DATABASE_RETRY_AFTER_MS, requestId };
    return { message: 'The database can not be reached at the moment.', ...place, extensions };
  }
  logHidden(source, place.path, options);
  return {
    message: ERROR_CODES.INTERNAL_SERVER_ERROR,
    ...place,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  };
}

/** graphql-js quotes what was given, which can be a secret in the wrong place or a megabyte: the place says enough. */
function withoutValues(error: GraphQLError): string {
  const said = ofVariable(error) ?? withoutQuote(error.message);
  return said.length > MESSAGE_CHARACTERS_MAX ? `${said.slice(0, MESSAGE_CHARACTERS_MAX)}…` : said;
}

/** @returns `undefined` for what is not about a variable's value. */
function ofVariable({ message, nodes, originalError }: GraphQLError): string | undefined {
  const node = nodes?.[0];
  if (node?.kind !== Kind.VARIABLE_DEFINITION) return undefined;
  let reason: string | undefined;
  for (let at: unknown = originalError; at instanceof Error; at = at instanceof GraphQLError && at.originalError) {
    if (message.endsWith(`; ${at.message}`)) reason = at.message;
  }
  if (reason === undefined) return undefined;
  const place = / at "([\w.[\]]+)"$/.exec(message.slice(0, -`; ${reason}`.length))?.[1] ?? node.variable.name.value;
  return `Variable "$${place}" got an invalid value: ${withoutQuote(reason)}`;
}

const MESSAGE_CHARACTERS_MAX = 1_000;

/** https://github.com/graphql/graphql-js/tree/16.x.x/src/type (scalars.ts, definition.ts) and its ValuesOfCorrectTypeRule. */
function withoutQuote(message: string): string {
  return message
    .replace(/^(\w+ cannot represent [^:"]*): [^]*$/, '$1.')
    .replace(/^(Enum "\w+" cannot represent [^:]*): [^]*?(?= Did you mean |$)/, '$1.')
    .replace(/^(Expected value of type "[^"]+"), found [^]*?(?= Did you mean |$)/, '$1.')
    .replace(/^Value "[^]*" does not exist in/, 'This value does not exist in');
}

function placeOf(error: GraphQLError): Pick<GraphQLFormattedError, 'path' | 'locations'> {
  const { path, locations } = error;
  return { ...(locations !== undefined && { locations }), ...(path !== undefined && { path }) };
}

/** What was thrown, out of the wrappers that say where. */
function sourceOf(error: unknown): unknown {
  let source = error;
  while (source instanceof GraphQLError && source.originalError !== undefined && source.originalError !== null) {
    source = source.originalError;
  }
  return source;
}

function codeOfAppError({ code }: AppError): GraphqlErrorCode {
  return isContractCode(code) ? code : (NARROWED[code] ?? 'INTERNAL_SERVER_ERROR');
}

/** @returns `undefined` for an error that says nothing a caller may see. */
export function codeOfGraphqlError(error: GraphQLError): string | undefined {
  const codes: unknown[] = [];
  for (let at: unknown = error; at instanceof GraphQLError; at = at.originalError) codes.push(at.extensions['code']);
  // The innermost is the most exact: Apollo Server calls whatever a validation rule refuses a failed validation.
  const contract = codes.findLast((code) => isContractCode(code) && code !== 'INTERNAL_SERVER_ERROR');
  if (contract !== undefined) return contract;
  if (TOO_MANY_TOKENS.test(error.message)) return 'COST_LIMIT_EXCEEDED';
  const document = codes.find((code) => (DOCUMENT_CODES as readonly unknown[]).includes(code));
  if (document !== undefined) return document as string;
  if (codes.some((code) => REQUEST_CODES.includes(code as string))) return 'BAD_USER_INPUT';
  // graphql-js refuses a variable's value with an error of its own, without a code and before any field has run.
  return error.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION ? 'BAD_USER_INPUT' : undefined;
}

function isContractCode(code: unknown): code is GraphqlErrorCode {
  return (CONTRACT_CODES as readonly unknown[]).includes(code);
}

function logHidden(error: unknown, path: GraphQLFormattedError['path'], { log, requestId }: PresentErrorOptions): void {
  const detail = error instanceof AppError ? error.detail : undefined;
  log.error({ err: error, requestId, path: path?.join('.'), detail }, 'a GraphQL operation failed');
}

import {
  type DocumentNode,
  getOperationAST,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { codedError, documentError } from '../errors.js';
import { measureCost } from './cost.js';
import { documentLimitsRule } from './document-limits.js';
import type { OperationLimits } from './operation-limits.js';

export interface RequestedOperation {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

/** What every operation must keep to. */
export interface OperationRules {
  /** Whether the schema may be asked for. */
  readonly introspection: boolean;
  readonly limits: OperationLimits;
}

export interface PrepareOptions extends OperationRules {
  readonly schema: GraphQLSchema;
}

/** A document that may run, or why not. */
export type PreparedOperation =
  | { readonly ok: true; readonly document: DocumentNode; readonly cost: number }
  | { readonly ok: false; readonly errors: readonly GraphQLError[] };

/**
 * Parses, validates and weighs an operation as Apollo Server does over HTTP with the same limits; for the transport
 * that Apollo Server does not serve.
 */
export function prepareOperation(operation: RequestedOperation, options: PrepareOptions): PreparedOperation {
  const { schema, introspection, limits } = options;
  let document: DocumentNode;
  try {
    document = parse(operation.query, { maxLexicalTokens: limits.tokensMax });
  } catch (error) {
    if (error instanceof GraphQLError) return refused(documentError(error, 'GRAPHQL_PARSE_FAILED'));
    throw error;
  }
  const beyond = validate(schema, document, [documentLimitsRule(limits)]);
  if (beyond.length > 0) return refused(...beyond);
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  const invalid = validate(schema, document, rules);
  if (invalid.length > 0) return refused(...invalid.map((error) => documentError(error, 'GRAPHQL_VALIDATION_FAILED')));
  if (!getOperationAST(document, operation.operationName)) {
    return refused(codedError('BAD_USER_INPUT', 'The document has no such operation, or several and none was named.'));
  }
  let cost: number;
  try {
    cost = measureCost({ schema, document, ...operation }, limits.costMax);
  } catch (error) {
    if (error instanceof GraphQLError) return refused(error);
    throw error;
  }
  return { ok: true, document, cost };
}

function refused(...errors: readonly GraphQLError[]): PreparedOperation {
  return { ok: false, errors };
}

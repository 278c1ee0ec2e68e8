import { type DocumentNode, GraphQLError, parse } from 'graphql';
import { codedError, codeOfGraphqlError } from '../errors.js';
import { measureCost } from './cost.js';
import { type DocumentMeasures, exceededLimits, measureDocument } from './document-limits.js';
import { type PrepareOptions, prepareOperation, type RequestedOperation } from './prepare-operation.js';

/** How an operation stands to the limits. */
export interface OperationWeight {
  /** Nothing when it is refused for more than its cost, or when that is beyond counting. */
  readonly cost: number | undefined;
  /** Nothing when it has too many tokens to be read. */
  readonly measures: DocumentMeasures | undefined;
  /** Why it would be refused; empty when it would run. */
  readonly refusals: readonly string[];
}

/**
 * Weighs an operation without running it.
 *
 * @throws GraphQLError BAD_USER_INPUT for what is no operation of this schema, or whose variables don't fit.
 */
export function weighOperation(operation: RequestedOperation, options: PrepareOptions): OperationWeight {
  const prepared = prepareOperation(operation, options);
  if (prepared.ok) return { cost: prepared.cost, measures: measureDocument(prepared.document), refusals: [] };
  const other = prepared.errors.find((error) => codeOfGraphqlError(error) !== 'COST_LIMIT_EXCEEDED');
  if (other !== undefined) throw codedError('BAD_USER_INPUT', other.message);
  const document = parseWithin(operation.query, options.limits.tokensMax);
  return {
    cost: document && countCost(operation, document, options),
    measures: document && measureDocument(document),
    refusals: prepared.errors.map(({ message }) => message),
  };
}

function parseWithin(query: string, maxLexicalTokens: number): DocumentNode | undefined {
  try {
    return parse(query, { maxLexicalTokens });
  } catch {
    return undefined; // it is valid but for its length, or it would not have come so far
  }
}

/** Only what passed every other rule can be counted. */
function countCost(
  operation: RequestedOperation,
  document: DocumentNode,
  { schema, limits }: PrepareOptions,
): number | undefined {
  if (exceededLimits(document, limits).length > 0) return undefined;
  try {
    return measureCost({ schema, document, ...operation }, Number.POSITIVE_INFINITY);
  } catch (error) {
    if (error instanceof GraphQLError) return undefined;
    throw error;
  }
}

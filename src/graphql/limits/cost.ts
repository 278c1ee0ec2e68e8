import { type DocumentNode, GraphQLError, type GraphQLSchema, getNullableType, isListType } from 'graphql';
// Its ES modules take graphql's `index.mjs`, a second instance beside the `index.js` that Node gives everybody else.
import { type ComplexityEstimatorArgs, fieldExtensionsEstimator, getComplexity } from 'graphql-query-complexity/cjs';
import { codedError } from '../errors.js';

/** The most that an operation may cost. A page of 100 webhooks with everything in it costs some 3,000. */
export const COST_MAX = 10_000;

/** Fields that the estimate walks through, fragments as often as they are spread. */
const NODES_MAX = 10_000;

/** What a connection gives when it is asked for no number; the resolvers' default. */
const PAGE_SIZE = 25;

/** How many things a list without a page is taken to have: a webhook's workers, a call's executions. */
const LIST_SIZE = 5;

/** The whole schema is a large answer that no page bounds. */
const INTROSPECTION_COST: Readonly<Record<string, number>> = { __schema: 1_000, __type: 50 };

export interface MeasuredOperation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

/**
 * What an operation costs before it runs: 1 a field, times the size of the page or list that it stands in. A field
 * with a `complexity` of its own has that.
 *
 * @throws GraphQLError BAD_USER_INPUT when variables or arguments don't fit, COST_LIMIT_EXCEEDED above `costMax`.
 */
export function measureCost(operation: MeasuredOperation, costMax: number = COST_MAX): number {
  const { schema, document, operationName, variables } = operation;
  let cost: number;
  try {
    cost = getComplexity({
      schema,
      query: document,
      ...(typeof operationName === 'string' && operationName !== '' && { operationName }),
      variables: variables ?? {},
      estimators: [fieldExtensionsEstimator(), estimateField],
      maxQueryNodes: NODES_MAX,
    });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (error.message.includes('maximum allowed number of nodes')) throw tooCostly(`more than ${NODES_MAX}`, costMax);
    throw new GraphQLError(error.message, {
      nodes: error.nodes ?? null,
      originalError: error,
      extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } },
    });
  }
  if (cost > costMax) throw tooCostly(String(cost), costMax);
  return cost;
}

function tooCostly(cost: string, costMax: number): GraphQLError {
  return codedError(
    'COST_LIMIT_EXCEEDED',
    `The operation costs ${cost}; ${costMax} is allowed. Ask for less at a time.`,
  );
}

function estimateField({ type, field, args, childComplexity }: ComplexityEstimatorArgs): number {
  const introspection = INTROSPECTION_COST[field.name];
  if (introspection !== undefined) return introspection + childComplexity;
  return 1 + childComplexity * multiplier(type.name, field, args);
}

function multiplier(
  parentName: string,
  field: ComplexityEstimatorArgs['field'],
  args: ComplexityEstimatorArgs['args'],
): number {
  if (field.args.some(({ name }) => name === 'first' || name === 'last')) {
    return Math.max(1, Number(args['first'] ?? args['last'] ?? PAGE_SIZE));
  }
  if (Array.isArray(args['ids'])) return Math.max(1, args['ids'].length);
  // A connection's `nodes` and `edges` are the page that was multiplied already; introspection is counted as a whole.
  if (!isListType(getNullableType(field.type)) || parentName.endsWith('Connection') || parentName.startsWith('__')) {
    return 1;
  }
  return LIST_SIZE;
}

import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Authorized, Ctx, Info, Query, Resolver } from 'type-graphql';
import type { GraphqlContext } from '../context.js';
import { codedError } from '../errors.js';
import type { DocumentMeasures } from '../limits/document-limits.js';
import type { OperationLimits } from '../limits/operation-limits.js';
import { weighOperation } from '../limits/weigh-operation.js';
import { Json } from '../scalars.js';
import { type DocumentMeasureObject, QueryCostObject } from '../types/query-cost.js';

@Resolver()
export class QueryCostResolver {
  @Authorized()
  @Query(() => QueryCostObject, {
    description: 'How an operation would stand to the limits, over HTTP and over WebSocket. It is not run.',
  })
  queryCost(
    @Ctx() { rules }: GraphqlContext,
    @Info() { schema }: GraphQLResolveInfo,
    @Arg('query', () => String, { description: 'The document.' }) query: string,
    @Arg('variables', () => Json, { nullable: true, description: 'Its variables: an object.' }) variables: unknown,
    @Arg('operationName', () => String, { nullable: true, description: 'Which operation, when there are several.' })
    operationName: string | null | undefined,
  ): QueryCostObject {
    if (!isObject(variables)) throw codedError('BAD_USER_INPUT', 'Variables are an object of names and values.');
    const { cost, measures, refusals } = weighOperation({ query, variables, operationName }, { schema, ...rules });
    return {
      allowed: refusals.length === 0,
      requested: cost ?? null,
      maximum: rules.limits.costMax,
      measures: measures === undefined ? [] : shown(measures, rules.limits),
      refusals,
    };
  }
}

function isObject(value: unknown): value is Record<string, unknown> | null | undefined {
  return value === undefined || (typeof value === 'object' && !Array.isArray(value));
}

function shown(measures: DocumentMeasures, limits: OperationLimits): DocumentMeasureObject[] {
  return [
    { limit: 'TOKENS', used: measures.tokens, maximum: limits.tokensMax },
    { limit: 'LEVELS', used: measures.depth, maximum: limits.depthMax },
    { limit: 'ALIASES', used: measures.aliases, maximum: limits.aliasesMax },
    { limit: 'DIRECTIVES', used: measures.directives, maximum: limits.directivesMax },
    { limit: 'ROOT_FIELDS', used: measures.rootFields, maximum: limits.rootFieldsMax },
  ];
}

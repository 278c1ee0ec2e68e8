import { readFile } from 'node:fs/promises';
import { buildSchema, type GraphQLSchema, isInterfaceType, isObjectType, isUnionType } from 'graphql';

/** The schema as dashboards have it: the committed file. */
export async function committedSchema(): Promise<GraphQLSchema> {
  return buildSchema(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8'));
}

/** What a normalised cache has to know of interfaces and unions: which types they can be. */
export function possibleTypesOf(schema: GraphQLSchema): Record<string, string[]> {
  return Object.fromEntries(
    Object.values(schema.getTypeMap())
      .filter((type) => isInterfaceType(type) || isUnionType(type))
      .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
  );
}

/** Types without an id: parts of what they stand in, which a normalised cache must not look for by themselves. */
export function typesWithoutId(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !roots.includes(type) && !type.name.startsWith('__'))
    .filter((type) => isObjectType(type) && type.getFields()['id'] === undefined)
    .map(({ name }) => name);
}

import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  getNamedType,
} from 'graphql';

/** An operation with one root field, made from the schema. */
export interface GeneratedOperation {
  /** `Query.webhooks` and the like. */
  readonly name: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly document: string;
}

/**
 * Every root field of a schema as a document that is valid: what it needs is filled in with values of the right types,
 * which name nothing that there is.
 */
export function generatedOperations(schema: GraphQLSchema): readonly GeneratedOperation[] {
  const roots = [
    ['Query', 'query', schema.getQueryType()],
    ['Mutation', 'mutation', schema.getMutationType()],
    ['Subscription', 'subscription', schema.getSubscriptionType()],
  ] as const;
  return roots.flatMap(([root, kind, type]) =>
    Object.values(type?.getFields() ?? {}).map((field) => ({
      name: `${root}.${field.name}`,
      kind,
      document: `${kind} { ${field.name}${argumentsOf(field)}${isLeafType(getNamedType(field.type)) ? '' : ' { __typename }'} }`,
    })),
  );
}

function argumentsOf(field: GraphQLField<unknown, unknown>): string {
  const needed = field.args.filter(({ type, defaultValue }) => isNonNullType(type) && defaultValue === undefined);
  if (needed.length === 0) return '';
  return `(${needed.map(({ name, type }) => `${name}: ${literal(type)}`).join(', ')})`;
}

const SCALARS: Readonly<Record<string, string>> = {
  ID: '"wh_00000000000000000000000000"',
  String: '"x"',
  Int: '1',
  Float: '1',
  Boolean: 'false',
  DateTime: '"2026-01-01T00:00:00.000Z"',
  Duration: '"PT1S"',
  JSON: '{}',
  BigInt: '1',
  Decimal: '"1"',
};

function literal(type: GraphQLInputType): string {
  if (isNonNullType(type)) return literal(type.ofType);
  if (isListType(type)) return '[]';
  if (isEnumType(type)) return type.getValues().at(-1)!.name; // the last role is the one that everybody can give
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const needed = fields.filter((field) => isNonNullType(field.type) && field.defaultValue === undefined);
    return `{ ${needed.map((field) => `${field.name}: ${literal(field.type)}`).join(', ')} }`;
  }
  const text = SCALARS[type.name];
  if (text === undefined) throw new Error(`The generator does not know the scalar ${type.name}.`);
  return text;
}

import {
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';

/** A field that gives pages of a list. */
export interface ListField {
  /** `Query.webhooks` and the like. */
  readonly path: string;
  readonly name: string;
  readonly node: GraphQLNamedType;
}

/** Every field of a schema that gives pages of a list. */
export function listFields(schema: GraphQLSchema): readonly ListField[] {
  return Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .flatMap((type) =>
      Object.values(type.getFields()).flatMap((field) => {
        const node = nodeOf(field);
        return node === undefined ? [] : [{ path: `${type.name}.${field.name}`, name: field.name, node }];
      }),
    );
}

/**
 * Selects everything of a type, lists and things below it included.
 *
 * @param levels how many more times a thing with an id, or a page of a list, is gone into.
 * @param note is told of each list that is asked for, as `Type.field`.
 */
export function selectionOf(
  schema: GraphQLSchema,
  type: GraphQLNamedType,
  levels: number,
  note: (path: string) => void,
): string {
  const select = (of: GraphQLNamedType, left: number, prefix = ''): string => {
    const own = isObjectType(of) ? Object.values(of.getFields()) : [];
    const kinds = isAbstractType(of) ? schema.getPossibleTypes(of) : [];
    const selected = [
      // An abstract type is asked for by its kinds: their fields of one name need not be of one type.
      ...kinds.map((kind) => `... on ${kind.name} ${select(kind, left, `${kind.name}_`)}`),
      ...own.filter(({ args }) => !args.some(isRequiredArgument)).flatMap((field) => fieldOf(of, field, left, prefix)),
    ];
    return `{ __typename ${selected.join(' ')} }`;
  };
  const fieldOf = (of: GraphQLNamedType, field: GraphQLField<unknown, unknown>, left: number, prefix: string) => {
    const named = getNamedType(field.type);
    const asked = prefix === '' ? field.name : `${prefix}${field.name}: ${field.name}`;
    if (isLeafType(named)) return [asked];
    const node = nodeOf(field);
    const goesDeeper = node !== undefined || isAbstractType(named) || hasId(named);
    if (goesDeeper && left === 0) return [];
    if (node === undefined) return [`${asked} ${select(named, goesDeeper ? left - 1 : left)}`];
    note(`${of.name}.${field.name}`);
    return [`${asked}(first: 3) { totalCount nodes ${select(node, left - 1)} }`];
  };
  return select(type, levels);
}

function nodeOf(field: GraphQLField<unknown, unknown>): GraphQLNamedType | undefined {
  const page = getNamedType(field.type);
  if (!isObjectType(page) || !Object.hasOwn(page.getFields(), 'pageInfo')) return undefined;
  return getNamedType((page as GraphQLObjectType).getFields()['nodes']!.type);
}

const hasId = (type: GraphQLNamedType): boolean =>
  (isObjectType(type) || isInterfaceType(type)) && Object.hasOwn(type.getFields(), 'id');

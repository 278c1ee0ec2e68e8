import { describe, expect, it } from '@jest/globals';
import { buildSchema, getIntrospectionQuery, parse, validate } from 'graphql';
import { measureCost } from '../../../src/graphql/limits/cost.js';
import { DOCUMENT_LIMITS, documentLimitsRule } from '../../../src/graphql/limits/document-limits.js';
import { OPERATION_LIMITS } from '../../../src/graphql/limits/operation-limits.js';
import { prepareOperation } from '../../../src/graphql/limits/prepare-operation.js';

const schema = buildSchema(`
  type Query { item: Item, items(first: Int, last: Int): ItemConnection!, nodes(ids: [ID!]!): [Item]! }
  type Mutation { change: Item }
  type Item { id: ID!, name(of: String): String, item: Item, tags: [Tag!]!, items(first: Int): ItemConnection! }
  type ItemConnection { nodes: [Item!]!, totalCount: Int! }
  type Tag { name: String }
`);

/** `{ item { item { … id } } }` with so many levels. */
function nested(levels: number): string {
  return `{ ${'item { '.repeat(levels - 1)} id ${'} '.repeat(levels - 1)}}`;
}

function refusals(query: string): string[] {
  return validate(schema, parse(query), [documentLimitsRule(DOCUMENT_LIMITS)]).map(({ message }) => message);
}

function repeat(count: number, text: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => text(i)).join(' ');
}

describe("a document's limits", () => {
  it('takes 12 levels and not 13', () => {
    expect(refusals(nested(12))).toEqual([]);
    expect(refusals(nested(13))).toEqual(['The operation has 13 levels of fields; 12 are allowed.']);
  });

  it('counts levels through fragments, named and not, in every order', () => {
    const fragments = (levels: number): string =>
      `fragment B on Item { ${'item { '.repeat(levels)} id ${'}'.repeat(levels)} }
       query { item { ... on Item { ...A } } } fragment A on Item { item { ...B } }`;
    expect(refusals(fragments(9))).toEqual([]);
    expect(refusals(fragments(10))).toHaveLength(1);
  });

  it('survives a cycle of fragments', () => {
    expect(
      refusals('{ item { ...A } } fragment A on Item { item { ...B } } fragment B on Item { item { ...A } }'),
    ).toEqual([]);
  });

  it('walks fragments that spread one another twice in no time', () => {
    const count = 40;
    const query = `{ item { ...F0 } } ${repeat(count, (i) => `fragment F${i} on Item { id ...F${i + 1} ...F${i + 1} }`)}
      fragment F${count} on Item { id }`;
    expect(refusals(query)).toEqual([]);
  });

  it('takes 30 aliases and not 31, wherever they are', () => {
    expect(refusals(`{ item { ${repeat(30, (i) => `a${i}: id`)} } }`)).toEqual([]);
    expect(refusals(`{ item { ...A } } fragment A on Item { ${repeat(31, (i) => `a${i}: id`)} }`)).toHaveLength(1);
  });

  it('takes 30 directives and not 31', () => {
    expect(refusals(`{ item { ${repeat(30, () => 'id @skip(if: false)')} } }`)).toEqual([]);
    expect(refusals(`{ item { ${repeat(31, () => 'id @skip(if: false)')} } }`)).toHaveLength(1);
  });

  it('takes 20 fields at the root and not 21, fragments included', () => {
    expect(refusals(`mutation { ${repeat(20, (i) => `m${i}: change { id }`)} }`)).toEqual([]);
    expect(refusals(`{ ${repeat(20, () => 'item { id }')} ...Q } fragment Q on Query { item { id } }`)).toHaveLength(1);
  });

  it('takes the introspection query of tools', () => {
    expect(refusals(getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true, oneOf: true }))).toEqual(
      [],
    );
  });
});

describe('cost', () => {
  const costOf = (query: string, variables?: Record<string, unknown>, max?: number): number =>
    measureCost({ schema, document: parse(query), variables }, max);

  it('multiplies by the page that is asked for', () => {
    expect(costOf('{ item { id name } }')).toBe(3);
    expect(costOf('{ items(first: 10) { nodes { id } } }')).toBe(1 + 10 * 2);
    expect(costOf('{ items(last: 10) { nodes { id } } }')).toBe(1 + 10 * 2);
    expect(costOf('query($n: Int) { items(first: $n) { nodes { id } } }', { n: 50 })).toBe(1 + 50 * 2);
  });

  it('takes 25 for a page of no size and 5 for a list without pages', () => {
    expect(costOf('{ items { nodes { id } } }')).toBe(1 + 25 * 2);
    expect(costOf('{ item { tags { name } } }')).toBe(1 + 1 + 5);
    expect(costOf('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['1', '2', '3'] })).toBe(1 + 3);
  });

  it('is not made less by a negative or absent number', () => {
    expect(costOf('{ items(first: -100) { nodes { id } } }')).toBe(3);
    expect(costOf('{ items(first: null) { nodes { id } } }')).toBe(1 + 25 * 2);
  });

  it('multiplies pages in pages, and refuses what becomes too much', () => {
    const query = '{ items(first: 100) { nodes { items(first: 100) { nodes { id } } } } }';
    expect(() => costOf(query)).toThrow(
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'COST_LIMIT_EXCEEDED' }) }),
    );
    expect(costOf(query, {}, 30_000)).toBe(1 + 100 * (1 + 1 + 100 * 2));
  });

  it('counts a fragment as often as it is spread, and gives up before that takes long', () => {
    const query = `{ item { ...F0 } } ${repeat(30, (i) => `fragment F${i} on Item { a: item { ...F${i + 1} } b: item { ...F${i + 1} } }`)}
      fragment F30 on Item { id }`;
    expect(() => costOf(query)).toThrow(
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'COST_LIMIT_EXCEEDED' }) }),
    );
  });

  it('refuses a variable that does not fit as the caller’s mistake', () => {
    expect(() => costOf('query($n: Int) { items(first: $n) { nodes { id } } }', { n: 'many' })).toThrow(
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'BAD_USER_INPUT' }) }),
    );
  });

  it('lets the introspection query of tools pass, once', () => {
    expect(costOf(getIntrospectionQuery())).toBeLessThan(2_000);
    expect(() => costOf(`{ ${repeat(10, (i) => `s${i}: __schema { types { name } }`)} }`)).toThrow(
      'The operation costs',
    );
  });

  it('measures the operation that is named only', () => {
    const document = parse('query A { item { id } } query B { items(first: 100) { nodes { id } } }');
    expect(measureCost({ schema, document, operationName: 'A' })).toBe(2);
  });
});

describe('prepareOperation', () => {
  const prepare = (query: string, introspection = false): ReturnType<typeof prepareOperation> =>
    prepareOperation({ query }, { schema, introspection, limits: OPERATION_LIMITS });

  const codes = (query: string, introspection = false): unknown[] => {
    const prepared = prepare(query, introspection);
    return prepared.ok ? [] : prepared.errors.map(({ extensions }) => extensions['code']);
  };

  it('passes what is within the limits', () => {
    expect(prepare('{ item { id } }').ok).toBe(true);
  });

  it('names the stage that refused', () => {
    expect(codes('{ item {')).toEqual(['GRAPHQL_PARSE_FAILED']);
    expect(codes('{ unknown }')).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    expect(codes(nested(13))).toEqual(['COST_LIMIT_EXCEEDED']);
    expect(codes('{ items(first: 100) { nodes { items(first: 100) { nodes { id } } } } }')).toEqual([
      'COST_LIMIT_EXCEEDED',
    ]);
    expect(codes('query A { item { id } } query B { item { id } }')).toEqual(['BAD_USER_INPUT']);
  });

  it('asks for the schema only where that is allowed', () => {
    expect(codes('{ __schema { queryType { kind } } }')).toContain('GRAPHQL_VALIDATION_FAILED');
    expect(codes('{ __schema { types { name } } }', true)).toEqual([]);
  });

  it('refuses 2,001 tokens before it reads on', () => {
    const prepared = prepare(`{ item { ${'id '.repeat(2_000)} } }`);
    expect(prepared.ok).toBe(false);
  });
});

import { describe, expect, it } from '@jest/globals';
import { compileSchema } from '../../../src/workers/schema-validator.js';
import type { JsonSchema } from '../../../src/workers/worker.entities.js';

const compile = (schema: JsonSchema): ReturnType<typeof compileSchema> => compileSchema(schema, { trusted: false });

const order: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['id', 'lines'],
  properties: {
    id: { type: 'string', format: 'uuid' },
    kind: { enum: ['new', 'repeat'] },
    lines: {
      type: 'array',
      minItems: 1,
      items: { type: 'object', required: ['a/b'], properties: { 'a/b': { type: 'integer' } } },
    },
  },
};

describe('compileSchema', () => {
  it('finds nothing wrong with a value that fits', () => {
    expect(compile(order)({ id: '5f0c1f0e-7c53-4c1d-9f5c-0b7d3c1d2e4f', kind: 'new', lines: [{ 'a/b': 1 }] })).toEqual(
      [],
    );
  });

  it('points to every fault, with escaped keys, and never quotes a value', () => {
    const faults = compile(order)({
      id: 'hunter2',
      kind: 'hunter2',
      lines: [{ 'a/b': 1 }, { 'a/b': 'hunter2' }],
    });
    expect(faults.map((fault) => fault.pointer).toSorted()).toEqual(['/id', '/kind', '/lines/1/a~1b']);
    expect(JSON.stringify(faults)).not.toContain('hunter2');
    expect(faults.find((fault) => fault.pointer === '/kind')?.message).toContain('["new","repeat"]');
  });

  it('points to the whole when a member is missing', () => {
    expect(compile({ type: 'object', required: ['id'] })({})).toEqual([
      { pointer: '', message: "must have required property 'id'" },
    ]);
  });

  it('takes an inherited member for missing', () => {
    expect(compile({ type: 'object', required: ['constructor', 'toString'] })({})).toHaveLength(2);
  });

  it('neither fills in defaults nor converts', () => {
    const value = { n: '1' };
    expect(compile({ type: 'object', properties: { n: { type: 'integer' }, m: { default: 2 } } })(value)).toHaveLength(
      1,
    );
    expect(value).toEqual({ n: '1' });
  });

  it('knows true and false', () => {
    expect(compile(true)({ any: 'thing' })).toEqual([]);
    expect(compile(false)({})).toHaveLength(1);
  });

  it('keeps two schemas of the same $id apart', () => {
    const first = compile({ $id: 'https://example.com/s', type: 'string' });
    const second = compile({ $id: 'https://example.com/s', type: 'number' });
    expect(first('a')).toEqual([]);
    expect(second('a')).toHaveLength(1);
  });

  it('does not gather a fault for each of a million items', () => {
    const faults = compile({ type: 'array', items: { type: 'string' } })(Array.from({ length: 1_000_000 }, () => 1));
    expect(faults).toEqual([{ pointer: '/0', message: 'must be string' }]);
  });

  it.each<[string, JsonSchema, string]>([
    ['a type that is none', { type: 'objekt' }, 'type'],
    ['a reference to nowhere', { $ref: '#/$defs/missing' }, 'missing'],
    ['a reference to the network', { $ref: 'https://example.com/schema.json' }, 'example.com'],
    ['a pattern that is no regular expression', { pattern: '(' }, 'regular expression'],
    ['another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, 'draft-07'],
    ['an asynchronous schema', { $async: true, type: 'string' }, '$async'],
    ['U+0000', { const: 'a\0b' }, 'U+0000'],
    ['a lone surrogate in a key', { properties: { '\ud800': true } }, 'surrogate'],
    ['too much', { enum: Array.from({ length: 50_000 }, (_, i) => `value ${i}`) }, 'longer'],
  ])('refuses %s', (_what, schema, part) => {
    expect(() => compile(schema)).toThrow(
      expect.objectContaining({ code: 'BAD_USER_INPUT', message: expect.stringContaining(part) }),
    );
  });

  it('breaks off a pattern that backtracks for ever', () => {
    const validate = compile({ type: 'string', pattern: '^(a+)+$' });
    expect(validate(`${'a'.repeat(60)}!`)).toEqual([{ pointer: '', message: expect.stringContaining('too long') }]);
    expect(validate('aaa')).toEqual([]);
  });

  it('breaks off comparing all items with all', () => {
    for (const trusted of [false, true]) {
      const validate = compileSchema({ type: 'array', uniqueItems: true }, { trusted });
      const items = Array.from({ length: 60_000 }, (_, i) => ({ a: { b: i } }));
      expect(validate(items)).toEqual([{ pointer: '', message: expect.stringContaining('too long') }]);
    }
  });

  it('breaks off references that double at every step', () => {
    const doubling: Record<string, JsonSchema> = { s0: { type: 'object' } };
    for (let i = 1; i <= 40; i += 1)
      doubling[`s${i}`] = { allOf: [{ $ref: `#/$defs/s${i - 1}` }, { $ref: `#/$defs/s${i - 1}` }] };
    const validate = compile({ $ref: '#/$defs/s40', $defs: doubling });
    expect(validate({})).toEqual([{ pointer: '', message: expect.stringContaining('too long') }]);
  });

  it('follows references to itself', () => {
    const validate = compile({
      type: 'object',
      properties: { next: { $ref: '#' } },
      additionalProperties: false,
    });
    expect(validate({ next: { next: {} } })).toEqual([]);
    expect(validate({ next: { next: { other: 1 } } })).toEqual([
      { pointer: '/next/next', message: expect.any(String) },
    ]);
  });

  it('takes a format that nobody knows for a comment, as the specification has it', () => {
    expect(compile({ type: 'string', format: 'shoe-size' })('42')).toEqual([]);
  });

  it('survives a schema that is itself without end', () => {
    expect(compile({ allOf: [{ $ref: '#' }] })({})).toHaveLength(1);
  });
});

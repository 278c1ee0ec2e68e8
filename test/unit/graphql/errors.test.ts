import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { buildSchema, execute, GraphQLError, parse, validate } from 'graphql';
import { pino } from 'pino';
import { AppError } from '../../../src/errors.js';
import { codedError, documentError, presentError } from '../../../src/graphql/errors.js';

const lines: string[] = [];
const log = pino(
  { level: 'trace' },
  new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  }),
);

function present(error: unknown, suggestions = false): ReturnType<typeof presentError> {
  lines.length = 0;
  return presentError(error, { requestId: 'request-1', log, suggestions });
}

function thrownAt(path: string, originalError: Error): GraphQLError {
  return new GraphQLError(originalError.message, { path: [path], originalError });
}

describe('presentError', () => {
  it('gives what a use case threw its code, message and place', () => {
    expect(present(thrownAt('webhook', new AppError('NOT_FOUND')))).toEqual({
      message: 'There is no such thing, or it is not yours to see.',
      path: ['webhook'],
      extensions: { code: 'NOT_FOUND', requestId: 'request-1' },
    });
    expect(lines).toEqual([]);
  });

  it('calls codes that the contract does not have by the one that covers them', () => {
    expect(present(new AppError('WEBHOOK_NOT_FOUND')).extensions?.['code']).toBe('NOT_FOUND');
    expect(present(new AppError('INVALID_INPUT')).extensions?.['code']).toBe('BAD_USER_INPUT');
    expect(present(new AppError('STORAGE_UNAVAILABLE')).extensions?.['code']).toBe('INTERNAL_SERVER_ERROR');
  });

  it('quotes nothing of what was given: a secret can stand in the wrong place', async () => {
    const schema = buildSchema(`enum E { A } input I { secret: String n: Int e: E i: I }
      type Query { a(i: I, n: [Int!]): Int }`);
    const errorsOf = async (query: string, variableValues: Record<string, unknown>) => {
      const document = parse(query);
      const invalid = validate(schema, document);
      const errors = invalid.length > 0 ? invalid : (await execute({ schema, document, variableValues })).errors!;
      return errors.map((error) => present(documentError(error, 'GRAPHQL_VALIDATION_FAILED'), true).message);
    };
    const CANARY = 'can"ary at "input.x"';
    const texts: string[] = [];
    for (const value of [
      { secret: [CANARY] },
      { secret: { CANARY } },
      { n: CANARY },
      { e: CANARY },
      { e: 7 },
      [CANARY],
    ]) {
      texts.push(...(await errorsOf('query ($i: I) { a(i: $i) }', { i: value })));
    }
    for (const text of [
      '{ secret: ["canary"] }',
      '{ n: "canary" }',
      '{ e: "canary" }',
      '{ e: canary }',
      '["canary"]',
    ]) {
      texts.push(...(await errorsOf(`{ a(i: ${text}) }`, {})));
    }
    expect(texts).toHaveLength(11);
    expect(texts.filter((text) => /can.?ary/.test(text))).toEqual([]);
    expect(texts[0]).toBe('Variable "$i.secret" got an invalid value: String cannot represent a non string value.');
    expect(texts[3]).toBe('Variable "$i.e" got an invalid value: This value does not exist in "E" enum.');
    const unknown = await errorsOf('query ($i: I) { a(i: $i) }', { i: { secrt: CANARY } });
    expect(unknown).toEqual([
      'Variable "$i" got an invalid value: Field "secrt" is not defined by type "I". Did you mean "secret"?',
    ]);
    expect((await errorsOf(`{ ${'x'.repeat(500_000)} }`, {}))[0]!.length).toBeLessThanOrEqual(1_001);
  });

  it('says when the database is away, and to try again', () => {
    const away = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7'), { code: 'ECONNREFUSED' });
    expect(present(thrownAt('calls', away))).toEqual({
      message: 'The database can not be reached at the moment.',
      path: ['calls'],
      extensions: { code: 'INTERNAL_SERVER_ERROR', retryAfterMs: 2_000, requestId: 'request-1' },
    });
  });

  it('says when to try again', () => {
    const error = new AppError('RATE_LIMITED', undefined, { retryAfterMs: 1_500 });
    expect(present(error).extensions).toEqual({ code: 'RATE_LIMITED', retryAfterMs: 1_500, requestId: 'request-1' });
  });

  it('hides what nobody expected and logs it once', () => {
    const shown = present(thrownAt('calls', new Error('relation "secret_table" does not exist')));
    expect(shown).toEqual({
      message: 'Something went wrong on our side.',
      path: ['calls'],
      extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'request-1' },
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('request-1');
    expect(lines[0]).toContain('secret_table');
  });

  it('hides a foreign error that claims a code', () => {
    const foreign = Object.assign(new Error('password is hunter2'), { extensions: { code: 'INTERNAL_SERVER_ERROR' } });
    expect(present(thrownAt('a', foreign)).message).toBe('Something went wrong on our side.');
  });

  it('takes the innermost code: a limit stays a limit inside a failed validation', () => {
    const limit = codedError('COST_LIMIT_EXCEEDED', 'too deep');
    expect(present(documentError(limit, 'GRAPHQL_VALIDATION_FAILED')).extensions?.['code']).toBe('COST_LIMIT_EXCEEDED');
  });

  it("knows graphql-js's words for too many tokens and for a wrong variable", async () => {
    const schema = buildSchema('type Query { a(n: Int!): Int }');
    let error: unknown;
    try {
      parse('{ a b c }', { maxLexicalTokens: 2 });
    } catch (thrown) {
      error = thrown;
    }
    expect(present(error).extensions?.['code']).toBe('COST_LIMIT_EXCEEDED');
    const result = await execute({
      schema,
      document: parse('query($n: Int!) { a(n: $n) }'),
      variableValues: { n: 'x' },
    });
    expect(present(result.errors![0]).extensions?.['code']).toBe('BAD_USER_INPUT');
  });

  it('tells what else there is only when that is wanted', () => {
    const schema = buildSchema('type Query { webhook: Int webhooks: Int }');
    const [error] = validate(schema, parse('{ webhok }'));
    const refused = documentError(error!, 'GRAPHQL_VALIDATION_FAILED');
    expect(present(refused, true).message).toContain('Did you mean "webhook"');
    expect(present(refused, false).message).toBe('Cannot query field "webhok" on type "Query".');
  });
});

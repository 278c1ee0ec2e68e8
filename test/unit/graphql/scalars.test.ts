import { describe, expect, it } from '@jest/globals';
import { GraphQLError, parseValue } from 'graphql';
import { DateTime, Duration, Json, WholeNumber } from '../../../src/graphql/scalars.js';
import { parseDuration, printDuration } from '../../../src/lib/duration.js';

describe('Duration', () => {
  it.each([
    ['PT0S', 0],
    ['PT0.5S', 500],
    ['PT0.001S', 1],
    ['PT0,25S', 250],
    ['PT30S', 30_000],
    ['PT90S', 90_000],
    ['PT5M', 300_000],
    ['PT24H', 86_400_000],
    ['P1D', 86_400_000],
    ['P1DT12H', 129_600_000],
    ['P2W', 1_209_600_000],
    ['PT1H2M3.004S', 3_723_004],
  ])('reads %s as %d ms', (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
  });

  it.each([
    '',
    'P',
    'PT',
    'P1DT',
    '30',
    '30s',
    'PT30',
    '-PT30S',
    'P1M',
    'P1Y',
    'PT1S2M',
    'PT0.0001S',
    'PT1e3S',
    ' PT1S',
    'pt1s',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it.each([
    [0, 'PT0S'],
    [1, 'PT0.001S'],
    [1_500, 'PT1.5S'],
    [300_000, 'PT5M'],
    [86_400_000, 'PT24H'],
    [90_061_001, 'PT25H1M1.001S'],
  ])('prints %d ms as %s, which reads back the same', (durationMs, text) => {
    expect(printDuration(durationMs)).toBe(text);
    expect(parseDuration(text)).toBe(durationMs);
  });
});

function codeOfRefusal(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error instanceof GraphQLError ? error.extensions['code'] : error;
  }
}

describe('refusals', () => {
  it.each([
    ['Duration', Duration, 5],
    ['Duration', Duration, 'soon'],
    ['DateTime', DateTime, 'yesterday'],
    ['DateTime', DateTime, '2026-13-01T00:00:00Z'],
    ['DateTime', DateTime, '2026-03-01'],
    ['DateTime', DateTime, 7],
  ] as const)("are the caller's to mend: %s, %#", (_, scalar, value) => {
    expect(codeOfRefusal(() => scalar.parseValue(value))).toBe('BAD_USER_INPUT');
    expect(codeOfRefusal(() => scalar.parseLiteral(parseValue(JSON.stringify(value)), {}))).toBe('BAD_USER_INPUT');
  });
});

describe('DateTime', () => {
  it('reads a moment of any time zone and prints it in UTC', () => {
    const moment = DateTime.parseValue('2026-03-01T10:30:00+01:00');
    expect(moment).toEqual(new Date('2026-03-01T09:30:00Z'));
    expect(DateTime.serialize(moment)).toBe('2026-03-01T09:30:00.000Z');
  });
});

describe('JSON', () => {
  it('reads literals and values alike', () => {
    expect(Json.parseLiteral(parseValue('{ a: [1, "b", null, { c: true }] }'), {})).toEqual({
      a: [1, 'b', null, { c: true }],
    });
    expect(Json.parseValue({ a: [1] })).toEqual({ a: [1] });
  });
});

describe('BigInt', () => {
  it.each([
    [0, 0],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [7n, 7],
    [2n ** 60n, '1152921504606846976'],
    [-(2n ** 60n), '-1152921504606846976'],
  ])('shows %s as %s', (inside, outside) => {
    expect(WholeNumber.serialize(inside)).toBe(outside);
  });

  it.each([1.5, NaN, 2 ** 60, '7'])('does not show %s', (inside) => {
    expect(() => WholeNumber.serialize(inside)).toThrow(GraphQLError);
  });

  it.each([
    [5, 5],
    ['-12', -12],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('reads %s', (outside, inside) => {
    expect(WholeNumber.parseValue(outside)).toBe(inside);
  });

  it.each([1.5, '1.5', '', 'x', '9007199254740992', null, {}])('refuses %s', (outside) => {
    expect(() => WholeNumber.parseValue(outside)).toThrow(/whole number/);
  });
});

describe('what a JSON may be', () => {
  const deep = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
  const literal = (text: string, variables = {}): unknown => Json.parseLiteral(parseValue(text), variables);

  it('takes any value that JSON can say, from a variable and from the document', () => {
    const value = { a: [1, 2.5, 'x', true, null], ['__proto__']: { polluted: true } };
    expect(Json.parseValue(value)).toBe(value);
    const read = literal('{ a: [1, 2.5, "x", true, null, $v], __proto__: { polluted: true } }', { v: { b: 1 } });
    expect(JSON.stringify(read)).toBe('{"a":[1,2.5,"x",true,null,{"b":1}],"__proto__":{"polluted":true}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(literal('[$missing]')).toEqual([null]);
  });

  it('is nested at most 64 deep, as the body of a call', () => {
    expect(Json.parseValue(deep(64))).toBeDefined();
    for (const levels of [65, 6_000]) expect(() => Json.parseValue(deep(levels))).toThrow('at most 64 deep');
  });

  it.each([
    ['a number beyond all numbers', () => Json.parseValue(JSON.parse('{"maximum":1e400}'))],
    ['one in the document', () => literal('{ maximum: 1e400 }')],
    ['a name', () => literal('{ type: OBJECT }')],
  ])('is not %s', (_, read) => {
    expect(read).toThrow(GraphQLError);
  });
});

import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/errors.js';
import { compileCondition, compileTemplate } from '../../../src/templates/template.js';

const codeOf = (run: () => unknown): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
};

describe('a template', () => {
  it('fills in values', () => {
    const template = compileTemplate('Order {{ input.id }} of {{ input.items | size }} items');
    expect(template.render({ input: { id: 7, items: [1, 2] } })).toBe('Order 7 of 2 items');
  });

  it('that is one whole output gives the value with its type', () => {
    expect(compileTemplate('{{ input.items }}').evaluate({ input: { items: [1, { a: 2 }] } })).toEqual([1, { a: 2 }]);
    expect(compileTemplate(' {{ input.n | plus: 1 }} ').evaluate({ input: { n: 1 } })).toBe(2);
    expect(compileTemplate('{{ a }}{{ b }}').evaluate({ a: 1, b: 2 })).toBe('12');
    expect(compileTemplate('n={{ a }}').evaluate({ a: 1 })).toBe('n=1');
  });

  it.each([
    ['an unknown variable', '{{ input.missing }}'],
    ['a property of the prototype', '{{ input.constructor }}'],
    ['a method of the prototype', '{{ input.toString }}'],
    ['a long loop', '{% for i in (1..100000000) %}{{ i }}{% endfor %}'],
    [
      'a text that doubles',
      '{% assign s = "xxxxxxxxxxxxxxxx" %}{% for i in (1..40) %}{% assign s = s | append: s %}{% endfor %}{{ s }}',
    ],
  ])('fails with %s', (_, text) => {
    const template = compileTemplate(text);
    expect(codeOf(() => template.render({ input: { a: 1 } }))).toBe('TEMPLATE_FAILED');
  });

  it.each([
    ['an open output', '{{ input.a'],
    ['an unknown filter', '{{ input.a | shout }}'],
    ['an unknown tag', '{% exec "ls" %}'],
    ['an open block', '{% if a %}x'],
    ['more characters than allowed', 'x'.repeat(100_001)],
  ])('is refused with %s', (_, text) => {
    expect(codeOf(() => compileTemplate(text))).toBe('TEMPLATE_INVALID');
  });

  it.each(['{% include "/etc/passwd" %}', '{% render "package.json" %}', '{% layout "x" %}'])(
    'reads no file: %s',
    (text) => {
      expect(['TEMPLATE_INVALID', 'TEMPLATE_FAILED']).toContain(codeOf(() => compileTemplate(text).render({})));
    },
  );
});

describe('a condition', () => {
  const scope = { input: { amount: 120, currency: 'EUR', tags: ['vip', 'new'], none: null } };

  it.each([
    ['input.amount > 100', true],
    ['{{ input.amount > 100 }}', true],
    ['input.amount > 100 and input.currency == "USD"', false],
    ['input.tags contains "vip"', true],
    ['input.missing == "x"', false],
    ['input.missing.deeper > 1', false],
    ['input.missing == nil', true],
    ['input.none == nil', true],
    ['input.constructor', false],
    ['input.currency != "EUR" or input.amount == 120', true],
  ])('%s is %s', (text, expected) => {
    expect(compileCondition(text).holds(scope)).toBe(expected);
  });

  it.each(['', '  ', 'input.a ==', 'a %}{% assign x = 1', 'true %}x{% endif %}{% if true', 'a | shout'])(
    'is refused: %s',
    (text) => {
      expect(codeOf(() => compileCondition(text))).toBe('TEMPLATE_INVALID');
    },
  );
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileJsonTemplate } from '../../../src/templates/json-template.js';
import { compileUrlTemplate, isTemplate } from '../../../src/templates/template.js';

const invalid = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'TEMPLATE_INVALID', message: expect.stringMatching(message) });
const failed = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'TEMPLATE_FAILED', message: expect.stringMatching(message) });

describe('compileJsonTemplate', () => {
  it('fills in every text, with types, and leaves names and everything else alone', () => {
    const template = compileJsonTemplate({
      n: '{{ input.n }}',
      list: ['a {{ input.n }}', ['{{ input.list }}'], 1, null, true],
      '{{ input.n }}': 'plain',
    });
    expect(template.evaluate({ input: { n: 7, list: [{ x: 1 }] } })).toEqual({
      n: 7,
      list: ['a 7', [[{ x: 1 }]], 1, null, true],
      '{{ input.n }}': 'plain',
    });
  });

  it('is any JSON without templates as it is, a member called __proto__ too', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }).filter((value) => !/\{[{%]/.test(JSON.stringify(value))),
        (value) => {
          expect(compileJsonTemplate(value).evaluate({})).toEqual(value);
        },
      ),
    );
    const filled = compileJsonTemplate(JSON.parse('{"__proto__":{"polluted":"{{ x }}"}}')).evaluate({ x: 1 });
    expect(JSON.stringify(filled)).toBe('{"__proto__":{"polluted":1}}');
    expect({}).not.toHaveProperty('polluted');
  });

  it('keeps its shape whatever a value is', () => {
    fc.assert(
      fc.property(fc.string(), (x) => {
        const filled = compileJsonTemplate({ a: 'x{{ x }}', b: 'fixed' }).evaluate({ x });
        expect(JSON.parse(JSON.stringify(filled))).toEqual(JSON.parse(JSON.stringify({ a: `x${x}`, b: 'fixed' })));
      }),
    );
  });

  it('names the place of a fault', () => {
    expect(() => compileJsonTemplate({ a: [{ b: '{{' }] })).toThrow(invalid(/^At \/a\/0\/b: /));
    expect(() => compileJsonTemplate('{{')).toThrow(invalid(/^The template/));
    const template = compileJsonTemplate({ a: [1, '{{ input.secret.more }}'] });
    expect(() => template.evaluate({ input: { secret: 'hunter2' } })).toThrow(failed(/^At \/a\/1: (?!.*hunter2)/));
  });

  it('has an end', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 'x' : [nested(depth - 1)]);
    expect(() => compileJsonTemplate(nested(33))).toThrow(invalid(/deeper than 32/));
    expect(() => compileJsonTemplate(nested(32))).not.toThrow();
    expect(() => compileJsonTemplate(Array(1_000).fill(0))).toThrow(invalid(/more than 1000 values/));
    expect(() => compileJsonTemplate(Array(999).fill(0))).not.toThrow();
    for (const text of ['a\0', 'a\ud800']) {
      expect(() => compileJsonTemplate([text])).toThrow(invalid(/cannot be stored/));
      expect(() => compileJsonTemplate({ [text]: 1 })).toThrow(invalid(/cannot be stored/));
    }
  });

  it('stops when all together take too long, although none does alone', () => {
    const slow = Array(999).fill('{% for i in (1..5000) %}{% endfor %}');
    expect(() => compileJsonTemplate(slow).evaluate({})).toThrow(failed(/takes too long/));
  });
});

describe('compileUrlTemplate', () => {
  it('lets no value out of its segment or parameter', () => {
    const template = compileUrlTemplate('/a/{{ x }}/b?c={{ x }}&d=1');
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => text.isWellFormed()),
        (x) => {
          const url = new URL(`https://example.test${template.render({ x })}`);
          if (x === '.' || x === '..') return; // the path is checked as a whole: urlBelow
          expect(url.pathname.split('/')).toHaveLength(4);
          expect(decodeURIComponent(url.pathname.split('/')[2]!)).toBe(x);
          expect([...url.searchParams]).toEqual([
            ['c', x],
            ['d', '1'],
          ]);
        },
      ),
    );
  });

  it('takes an empty value in the query, not in the path', () => {
    const template = compileUrlTemplate('/a{% if p %}/{{ p }}{% endif %}?q={{ q }}');
    expect(template.render({ p: 'x', q: '' })).toBe('/a/x?q=');
    expect(template.render({ p: false, q: null })).toBe('/a?q=');
    expect(() => template.render({ p: '', q: 'x' })).toThrow(failed(/empty/));
  });

  it('has no way around the encoding', () => {
    for (const text of ['{{ x | raw }}', '{% raw %}{{ x }}{% endraw %}{{ x | raw }}', '{% echo x | raw %}']) {
      expect(() => compileUrlTemplate(text)).toThrow(invalid(/undefined filter: raw/));
    }
    expect(compileUrlTemplate('{% echo x %}').render({ x: '/' })).toBe('%2F');
    expect(compileUrlTemplate('{% assign y = x | append: "/b" %}{{ y }}').render({ x: '/' })).toBe('%2F%2Fb');
  });
});

it('isTemplate tells templates from texts', () => {
  expect(['{{ x }}', 'a{% if x %}', '{{-'].every(isTemplate)).toBe(true);
  expect(['', '{ }', '}}', 'a{b'].some(isTemplate)).toBe(false);
});

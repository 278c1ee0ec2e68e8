/** What a filter can speak of, and the words that are values. */
const ROOTS = new Set(['input', 'headers', 'true', 'false', 'nil', 'null', 'empty', 'blank']);

const STRING = `"[^"]*"|'[^']*'`;
const NAME = '[A-Za-z_][\\w-]*';

const TOKEN = new RegExp(
  `\\s*(?:(?<value>${STRING}|-?\\d+(?:\\.\\d+)?(?![\\w.]))` +
    `|(?<word>contains|and|or|not)(?![\\w-])` +
    `|(?<path>${NAME})(?:\\.[\\w-]+|\\[(?:${STRING}|-?\\d+|${NAME}(?:\\.[\\w-]+)*)\\])*` +
    `|(?<operator>[=!<>]=|[<>])` +
    `|(?<pipe>\\|))`,
  'y',
);

/**
 * What is wrong with a filter's form that LiquidJS passes over: it takes `input.a == "b" and more` for a shorter
 * condition and an unknown name for nil, and a filter that never holds would quietly ignore every call.
 *
 * @param text without braces around it. What stands behind a `|` is left to LiquidJS.
 * @returns a sentence, or `undefined` when the form is right.
 */
export function filterFormFault(text: string): string | undefined {
  let expected: 'operand' | 'anything' | 'logic' = 'operand';
  let isRight = false; // whether the operand to come stands behind an operator
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) return unexpected(text, at);
    const { value, word, path, operator, pipe } = found.groups!;
    if (pipe !== undefined) return expected === 'operand' ? unexpected(text, at) : undefined;
    if (path !== undefined && !ROOTS.has(path)) {
      return `A filter knows "input" and "headers", and not "${path}"; a text stands in quotes.`;
    }
    if (expected === 'operand') {
      if (word === 'not' && !isRight) continue;
      if (value === undefined && path === undefined) return unexpected(text, at);
      expected = isRight ? 'logic' : 'anything';
      isRight = false;
    } else if (word === 'and' || word === 'or') {
      expected = 'operand';
    } else if (expected === 'anything' && (operator !== undefined || word === 'contains')) {
      expected = 'operand';
      isRight = true;
    } else {
      return unexpected(text, at);
    }
  }
  return expected === 'operand' ? 'The filter ends too early.' : undefined;
}

function unexpected(text: string, at: number): string {
  const rest = text.slice(at).trimStart();
  if (/^[()]/.test(rest)) return 'A filter has no parentheses: "and" and "or" are read from right to left.';
  const word = /^\S{1,30}/.exec(rest)?.[0] ?? '';
  return `This was not expected at character ${text.length - rest.length + 1}: ${word}`;
}

import fc from 'fast-check';

/** A body and what is promised of it. */
export interface GeneratedBody {
  readonly bytes: Uint8Array;
  /** `either`: nothing but a JSON parser can tell; both answers are right. */
  readonly verdict: 'accepted' | 'refused' | 'either';
}

/** Stands in bodies, as payload that must show up nowhere else. */
export const BODY_CANARY = 'canary-in-the-body-5f1c';

/** Every generator takes numbers of its own size: fast-check's defaults make bodies of many kilobytes. */
const SOME = { maxLength: 4 } as const;

const joined = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((texts) => texts.join(''));
const text = (...choices: string[]): fc.Arbitrary<string> => fc.constantFrom(...choices);

const space = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  fc.array(text(' ', '\t', '\n', '\r'), SOME).map((all) => all.join('')),
);
const digits = fc.oneof(fc.nat({ max: 99 }).map(String), fc.bigInt({ min: 0n, max: 10n ** 40n }).map(String));

/** All that RFC 8259 calls a number: also those that no double can hold. */
const number = joined(
  text('', '-'),
  text('0', '1', '9007199254740993', '123456789012345678901234567890'),
  fc.oneof(
    fc.constant(''),
    digits.map((fraction) => `.${fraction}`),
  ),
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    joined(text('e', 'E', 'e+', 'E-'), text('0', '00', '1', '22', '308', '400', '99999')),
  ),
);

/** What can stand in a string: plain, escaped, and what parsers disagree about. */
const stringPart = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }).map((plain) => JSON.stringify(plain.toWellFormed()).slice(1, -1)),
  text('\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t', '\\u0000', '\\u001F', '\\uFFFE', '\\u2028'),
  text(
    '\\ud834\\udd1e',
    '\\uD800',
    '\\udfff',
    '\\uD800\\uD800',
    '\\ud83d\\u0041',
    '\u007f',
    '\u2028',
    '\uffff',
    '\u{10ffff}',
  ),
  text(BODY_CANARY, '[[[[', '}}', ']', '//', '<!--', '{\\"a\\":1}'),
);
const string = fc.array(stringPart, SOME).map((parts) => `"${parts.join('')}"`);
const key = fc.oneof(
  string,
  text(
    '""',
    '"a"',
    '"a"',
    '"__proto__"',
    '"constructor"',
    '"prototype"',
    '"toJSON"',
    '"then"',
    '"\\u0000"',
    '"length"',
  ),
);

const scalar = fc.oneof(number, string, text('true', 'false', 'null'));

const { value, object } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('array'), tie('object')),
  array: joined(
    fc.constant('['),
    space,
    fc.array(joined(tie('value'), space), SOME).map((all) => all.join(',')),
    fc.constant(']'),
  ),
  object: joined(
    fc.constant('{'),
    space,
    fc.array(joined(key, space, fc.constant(':'), space, tie('value'), space), SOME).map((all) => all.join(',')),
    fc.constant('}'),
  ),
}));

const nested = (open: string, close: string, levels: fc.Arbitrary<number>): fc.Arbitrary<string> =>
  levels.map((n) => open.repeat(n) + (open.endsWith(':') ? '0' : '') + close.repeat(n));

const accepted = fc.oneof(
  { weight: 8, arbitrary: joined(space, object, space) },
  { weight: 1, arbitrary: nested('{"a":', '}', fc.integer({ min: 1, max: 64 })) },
  { weight: 1, arbitrary: nested('[', ']', fc.integer({ min: 1, max: 63 })).map((deep) => `{"a":${deep}}`) },
);

/** What is no JSON value, wherever it stands. */
const noValue = fc.oneof(
  text(
    'NaN',
    'Infinity',
    '-Infinity',
    'undefined',
    'nul',
    'True',
    'truetrue',
    '-',
    '+1',
    '.5',
    '-.5',
    '1.',
    '1.e1',
    '01',
    '-012',
    '0x1F',
  ),
  text(
    '1e',
    '1e+',
    '1eE2',
    '1_000',
    '1,',
    ',1',
    '1 2',
    '1a',
    '0e',
    '--1',
    '-+1',
    '１',
    '#',
    '`a`',
    "'a'",
    'a',
    '<a>',
    '/*a*/1',
    '1//a',
  ),
  text(
    '"',
    '"a',
    '"\\',
    '"\\"',
    '"\\x41"',
    '"\\u12"',
    '"\\uZZZZ"',
    '"\\U0041"',
    '"\\a"',
    '"\\\u0000"',
    '"a"b"',
    '"a" "b"',
    '"\n"',
    '"\t"',
  ),
  text('[', '[1', '[1,', '[1,]', '[,1]', '[1,,2]', '[1 2]', '[1:2]', ']', '[}', '[1}', '[[]', '[]]', '[*]', '["a"'),
  text(
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    "{'a':1}",
    '{1:1}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{"a"::1}',
  ),
  text('', '\u00a0', '\u2060', '\u000b', '\u000c1', '\ufeff1', '\u0000', '1\u0000'),
  fc.nat({ max: 31 }).map((code) => `"${String.fromCharCode(code)}"`),
);

const noObject = fc.oneof(
  noValue.map((bad) => `{"a":${bad}}`),
  noValue.map((bad) => `{"a":[1,${bad}]}`),
  noValue,
  scalar,
  value.map((inner) => `[${inner}]`),
  space,
  // The last brace is what an object cannot do without.
  fc
    .tuple(object, fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([whole, part]) => whole.slice(0, Math.floor((whole.length - 1) * part))),
  fc
    .tuple(object, text('}', ']', ',', 'x', '{}', '""', '//', '\u0000', '\u00a0', '\ufeff'))
    .map(([whole, more]) => whole + more),
  fc
    .tuple(text('\ufeff', '\u00a0', '\u000c', ',', '}', '//\n', ")]}'\n", '\u0000'), object)
    .map(([before, whole]) => before + whole),
  nested('{"a":', '}', fc.integer({ min: 65, max: 3_000 })),
  nested('[', ']', fc.integer({ min: 64, max: 20_000 })).map((deep) => `{"a":${deep}}`),
  fc.integer({ min: 1, max: 20_000 }).map((n) => '{"a":['.repeat(n)),
);

/** Bytes that are no UTF-8, to stand in a string: alone, overlong, surrogates, cut off, beyond Unicode. */
const noUtf8 = text(
  ...'80 bf c0af c1bf e08080 e282 eda080 edbfbf f0808080 f4908080 f5808080 f888808080 fe ff fc'.split(' '),
).map((hex) => Buffer.from(hex, 'hex'));

const utf8 = (all: fc.Arbitrary<string>, verdict: GeneratedBody['verdict']): fc.Arbitrary<GeneratedBody> =>
  all.map((body) => ({ bytes: Buffer.from(body), verdict }));

/**
 * Bodies of the three kinds that parsers are usually tested with: what must be taken, what must be refused, and what
 * is up to the parser. Of the last kind there is hardly any here: the promises say which of the two it is.
 */
export const generatedBody: fc.Arbitrary<GeneratedBody> = fc.oneof(
  { weight: 10, arbitrary: utf8(accepted, 'accepted') },
  { weight: 6, arbitrary: utf8(noObject, 'refused') },
  {
    weight: 1,
    arbitrary: fc.tuple(stringPart, noUtf8, stringPart).map(([before, bad, after]) => ({
      bytes: Buffer.concat([Buffer.from(`{"a":"${before}`), bad, Buffer.from(`${after}"}`)]),
      verdict: 'refused' as const,
    })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(object, fc.constantFrom('utf16le', 'latin1')).map(([whole, encoding]) => ({
      bytes: Buffer.from(`{"\u00fc":1,"a":${whole}}`, encoding as BufferEncoding),
      verdict: 'refused' as const,
    })),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes, verdict: 'either' as const })) },
  {
    weight: 2,
    arbitrary: fc.tuple(object, fc.nat(), fc.nat({ max: 255 })).map(([whole, at, byte]) => {
      const bytes = Buffer.from(whole);
      bytes[at % bytes.length] = byte;
      return { bytes, verdict: 'either' as const };
    }),
  },
);

import type { z } from 'zod';

/**
 * What zod finds, in sentences for people; as the `error` of `safeParse`. A message that a schema brings itself comes
 * before these.
 */
export const inputMessage: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'This is needed.'
        : `This has to be ${EXPECTED[issue.expected] ?? issue.expected}.`;
    case 'too_small':
      return `This has to be at least ${amount(Number(issue.minimum), issue.origin)}.`;
    case 'too_big':
      return `This may be at most ${amount(Number(issue.maximum), issue.origin)}.`;
    case 'unrecognized_keys':
      return `Nobody knows ${issue.keys.map((key) => `"${key.slice(0, KEY_CHARACTERS_SHOWN)}"`).join(', ')} here.`;
    case 'invalid_value':
      return `This has to be one of ${issue.values.map(String).join(', ')}.`;
    default:
      return 'This is not in the form that is needed here.';
  }
};

const KEY_CHARACTERS_SHOWN = 50;

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  tuple: 'a list',
};

function amount(count: number, origin: string): string {
  const unit = { string: 'character', array: 'item', set: 'item' }[origin];
  if (unit === undefined) return String(count);
  return `${count.toLocaleString('en-US')} ${unit}${count === 1 ? '' : 's'} long`;
}

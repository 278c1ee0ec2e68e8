import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { inputMessage } from '../../../src/lib/input-message.js';

const messageOf = (schema: z.ZodType, input: unknown): string | undefined =>
  schema.safeParse(input, { error: inputMessage }).error?.issues[0]?.message;

describe('inputMessage', () => {
  it.each([
    ['nothing', z.string(), undefined, 'This is needed.'],
    ['another kind', z.record(z.string(), z.string()), [], 'This has to be an object.'],
    ['no list', z.tuple([z.string()], z.string()), {}, 'This has to be a list.'],
    ['an empty text', z.string().min(1), '', 'This has to be at least 1 character long.'],
    ['a long text', z.string().max(2_000), 'x'.repeat(2_001), 'This may be at most 2,000 characters long.'],
    ['too many', z.array(z.int()).max(1), [1, 2], 'This may be at most 1 item long.'],
    ['a small number', z.int().min(1), 0, 'This has to be at least 1.'],
    ['a large number', z.int().max(10_000), 20_000, 'This may be at most 10000.'],
    ['another word', z.enum(['A', 'B']), 'C', 'This has to be one of A, B.'],
    ['an unknown key', z.strictObject({}), { x: 1 }, 'Nobody knows "x" here.'],
    ['another form', z.uuid(), 'x', 'This is not in the form that is needed here.'],
  ])('says of %s what it has to be', (_, schema, input, message) => {
    expect(messageOf(schema, input)).toBe(message);
  });

  it("leaves a schema's own message", () => {
    expect(messageOf(z.string().min(3, 'needs three'), 'x')).toBe('needs three');
  });
});

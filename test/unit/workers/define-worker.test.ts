import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineWorker, isCodeWorker, isPermanent, PermanentError } from '../../../src/workers/code/define-worker.js';

const run = (): null => null;

describe('defineWorker', () => {
  it('puts the prefix before an id that has none, and fills in the defaults', () => {
    const worker = defineWorker({ id: 'echo', name: 'Echo', run });
    expect(worker).toMatchObject({ id: 'worker-echo', timeoutMs: 60_000, attemptsMax: 3 });
    expect(worker.input).toBeUndefined();
    expect(defineWorker({ id: 'worker-echo', name: 'Echo', run }).id).toBe('worker-echo');
    expect(isCodeWorker(worker)).toBe(true);
    expect(isCodeWorker({ ...worker, [Symbol.for('workhook.worker')]: true })).toBe(true);
    expect(isCodeWorker({ id: 'worker-echo', run })).toBe(false);
  });

  it('infers the input from a zod schema, and leaves it unknown without one', () => {
    defineWorker({
      id: 'typed',
      name: 'Typed',
      input: z.object({ amount: z.number(), note: z.string().default('') }),
      run: ({ inputParams }) => inputParams.amount.toFixed(2) + inputParams.note.length,
    });
    defineWorker({
      id: 'untyped',
      name: 'Untyped',
      input: { type: 'object' },
      // @ts-expect-error a JSON Schema says nothing to the compiler
      run: ({ inputParams }) => inputParams.amount,
    });
    defineWorker({
      id: 'wrong',
      name: 'Wrong',
      input: z.object({ a: z.string() }),
      // @ts-expect-error there is no such member
      run: ({ inputParams }) => inputParams.b,
    });
  });

  it.each([
    ['an id with capitals', { id: 'Echo' }, 'id'],
    ['an id that is too long', { id: 'e'.repeat(64) }, 'id'],
    ['no name', { name: '' }, 'name'],
    ['a timeout of nothing', { timeoutMs: 0 }, 'timeoutMs'],
    ['a timeout of more than an hour', { timeoutMs: 3_600_001 }, 'timeoutMs'],
    ['half an attempt', { attemptsMax: 0.5 }, 'attemptsMax'],
    ['no function', { run: 'later' }, 'run'],
    ['a schema that is none', { input: 'string' }, 'input'],
    ['a setting that it does not know', { timeout: 5 }, 'timeout'],
  ])('refuses %s by name', (_what, wrong, part) => {
    const settings = { id: 'echo', name: 'Echo', run, ...wrong } as Parameters<typeof defineWorker>[0];
    expect(() => defineWorker(settings)).toThrow(part);
  });

  it('knows a permanent error of another copy of the class', () => {
    class Other extends Error {
      override readonly name = 'PermanentError';
    }
    expect(isPermanent(new PermanentError('no'))).toBe(true);
    expect(isPermanent(new Other('no'))).toBe(true);
    expect(isPermanent(new Error('no'))).toBe(false);
    expect(isPermanent('PermanentError')).toBe(false);
  });
});

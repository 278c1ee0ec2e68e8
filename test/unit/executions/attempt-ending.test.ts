import { describe, expect, it } from '@jest/globals';
import { AppError, Postponed } from '../../../src/errors.js';
import {
  endingInTime,
  failedAttempt,
  isModelFull,
  postponed,
  timedOut,
} from '../../../src/executions/attempt-ending.js';

const passing = new AppError('HTTP_WORKER_STATUS', 'busy', { retryable: true });
const most = (): number => 1;

describe('a failed attempt', () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [4, 8_000],
    [30, 60_000],
  ])('number %d is followed by another within %d ms', (attempt, delayMs) => {
    expect(failedAttempt(passing, attempt, 99, most)).toMatchObject({ status: 'WAITING', delayMs });
  });

  it('waits for as long as the error says', () => {
    const error = new AppError('HTTP_WORKER_STATUS', 'busy', { retryable: true, retryAfterMs: 120_000 });
    expect(failedAttempt(error, 1, 3, most)).toMatchObject({ status: 'WAITING', delayMs: 120_000 });
  });

  it('is the end when it was the last one', () => {
    expect(failedAttempt(passing, 3, 3)).toEqual({
      status: 'FAILED',
      error: '{"code":"HTTP_WORKER_STATUS","message":"busy","retryable":true}',
    });
    expect(failedAttempt(timedOut(5), 2, 2).status).toBe('TIMED_OUT');
    expect(failedAttempt(timedOut(5), 1, 2).status).toBe('WAITING');
  });

  it('is the end when the error is permanent', () => {
    expect(failedAttempt(new AppError('OUTBOUND_REFUSED'), 1, 9).status).toBe('FAILED');
  });

  it('says nothing of what only the log may have, and cuts what is long', () => {
    const error = new AppError('WORKER_FAILED', 'x'.repeat(5_000), { detail: 'inside', cause: new Error('deep') });
    const ending = failedAttempt(error, 1, 1);
    expect(JSON.stringify(ending)).not.toMatch(/inside|deep/);
    expect(JSON.stringify(ending).length).toBeLessThan(2_200);
  });

  it.each([undefined, null, '', 0, 'text', { toString: () => 'thing' }])('may throw %p', (thrown) => {
    expect(failedAttempt(thrown, 1, 1)).toMatchObject({ status: 'FAILED' });
  });
});

describe('an attempt that a model has no room for', () => {
  const full = new Postponed(5_000, 'The requests a minute are used up.', 'MODEL_RATE_LIMITED');
  const limited = new AppError('MODEL_RATE_LIMITED', 'slow down', { retryable: true, retryAfterMs: 5_000 });

  const inTime = (thrown: Error, answerInMs: number | null): unknown => {
    const ending = thrown instanceof Postponed ? postponed(thrown) : failedAttempt(thrown, 1, 3);
    return isModelFull(ending, thrown) ? endingInTime(ending, thrown, answerInMs) : 'not of that kind';
  };

  it.each([full, limited])('is put off while nobody waits or there is time: $name', (thrown) => {
    for (const answerInMs of [null, 0, 5_251, 60_000]) {
      expect(inTime(thrown, answerInMs)).toMatchObject({ delayMs: 5_000 });
    }
  });

  it.each([full, limited])('ends when its caller would be gone before it goes on: $name', (thrown) => {
    for (const answerInMs of [1, 5_000, 5_250]) {
      expect(inTime(thrown, answerInMs)).toEqual({
        status: 'FAILED',
        error: JSON.stringify({
          code: 'MODEL_RATE_LIMITED',
          message: thrown.message,
          retryable: true,
          retryAfterMs: 5_000,
        }),
      });
    }
  });

  it('is another matter than an end, another error or another wait', () => {
    const last = failedAttempt(limited, 3, 3);
    expect(isModelFull(last, limited)).toBe(false);
    expect(inTime(passing, 1)).toBe('not of that kind');
    expect(inTime(new Postponed(5_000, 'somebody has to approve'), 1)).toBe('not of that kind');
  });
});

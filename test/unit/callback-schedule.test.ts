import { describe, expect, it } from '@jest/globals';
import { planAfter, SCHEDULE_MS } from '../../src/callbacks/schedule.js';

const middle = (): number => 0.5;
const answered = (httpStatus: number, retryAfterMs?: number) =>
  ({ type: 'answered', httpStatus, retryAfterMs }) as const;

describe('planAfter', () => {
  it('has the pauses of the documented schedule', () => {
    expect(SCHEDULE_MS.map((ms) => ms / 1_000)).toEqual([0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
    const pauses = [0, 1, 2, 3, 4, 5, 6].map((tries) => planAfter(answered(500), tries, middle));
    expect(pauses).toEqual(SCHEDULE_MS.slice(1).map((delayMs) => ({ status: 'PENDING', delayMs })));
  });

  it('gives up after the eighth attempt', () => {
    expect(planAfter(answered(500), 7, middle)).toEqual({ status: 'FAILED' });
    expect(planAfter({ type: 'unanswered' }, 7, middle)).toEqual({ status: 'FAILED' });
  });

  it.each([200, 201, 204, 299])('ends with %i', (httpStatus) => {
    expect(planAfter(answered(httpStatus), 0)).toEqual({ status: 'SUCCEEDED' });
  });

  it.each([199, 301, 307, 400, 401, 404, 429, 500, 503])('goes on after %i', (httpStatus) => {
    expect(planAfter(answered(httpStatus), 0)).toMatchObject({ status: 'PENDING' });
  });

  it('ends for good with 410 and with what must not be sent', () => {
    expect(planAfter(answered(410), 0)).toEqual({ status: 'FAILED' });
    expect(planAfter({ type: 'unsendable' }, 0)).toEqual({ status: 'FAILED' });
  });

  it('spreads the pauses by a tenth', () => {
    expect(planAfter(answered(500), 1, () => 0)).toEqual({ status: 'PENDING', delayMs: 270_000 });
    expect(planAfter(answered(500), 1, () => 1)).toEqual({ status: 'PENDING', delayMs: 330_000 });
  });

  it('waits longer when 429 or 503 ask for it, never shorter, and heeds no other status', () => {
    expect(planAfter(answered(429, 60_000), 0, middle)).toEqual({ status: 'PENDING', delayMs: 60_000 });
    expect(planAfter(answered(503, 60_000), 0, middle)).toEqual({ status: 'PENDING', delayMs: 60_000 });
    expect(planAfter(answered(503, 1_000), 0, middle)).toEqual({ status: 'PENDING', delayMs: 5_000 });
    expect(planAfter(answered(500, 60_000), 0, middle)).toEqual({ status: 'PENDING', delayMs: 5_000 });
  });
});

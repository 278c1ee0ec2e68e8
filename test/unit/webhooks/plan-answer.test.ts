import { describe, expect, it } from '@jest/globals';
import { planAnswer } from '../../../src/webhooks/plan-answer.js';

const options = { syncTimeoutMs: 25_000, preferWaitMsMax: 60_000 };
const sync = { executionMode: 'SYNC', syncTimeoutMs: undefined } as const;
const async = { executionMode: 'ASYNC', syncTimeoutMs: 5_000 } as const;

describe('planAnswer', () => {
  it.each([
    ['a sync webhook', sync, [], { executionMode: 'SYNC', waitMs: 25_000 }],
    ['an async one', async, [], { executionMode: 'ASYNC', waitMs: 0 }],
    [
      'respond-async to a sync one',
      sync,
      ['respond-async'],
      { executionMode: 'ASYNC', waitMs: 0, preferenceApplied: 'respond-async' },
    ],
    [
      'a wait for an async one',
      async,
      ['wait=7'],
      { executionMode: 'SYNC', waitMs: 7_000, preferenceApplied: 'wait=7' },
    ],
    ['a shorter wait', sync, ['wait=1'], { executionMode: 'SYNC', waitMs: 1_000, preferenceApplied: 'wait=1' }],
    ['a longer wait', sync, ['wait=40'], { executionMode: 'SYNC', waitMs: 40_000, preferenceApplied: 'wait=40' }],
    [
      'a wait that is capped',
      sync,
      ['wait=61'],
      { executionMode: 'SYNC', waitMs: 60_000, preferenceApplied: 'wait=60' },
    ],
    ['no wait', sync, ['wait=0'], { executionMode: 'ASYNC', waitMs: 0, preferenceApplied: 'wait=0' }],
    [
      'both, over two headers',
      async,
      ['respond-async', 'wait=3'],
      { executionMode: 'SYNC', waitMs: 3_000, preferenceApplied: 'respond-async, wait=3' },
    ],
    ['what nobody here knows', sync, ['return=minimal'], { executionMode: 'SYNC', waitMs: 25_000 }],
  ] as const)('plans for %s', (_, webhook, prefer, expected) => {
    expect(
      planAnswer(
        webhook,
        prefer.flatMap((value) => ['Prefer', value]),
        options,
      ),
    ).toEqual(expected);
  });

  it('never makes the cap shorter than the time of the webhook itself', () => {
    const slow = { executionMode: 'SYNC', syncTimeoutMs: 100_000 } as const;
    expect(planAnswer(slow, ['prefer', 'wait=200'], options)).toMatchObject({ waitMs: 100_000 });
    // An async webhook's time is for later, when it is made sync again.
    expect(planAnswer({ ...slow, executionMode: 'ASYNC' }, ['prefer', 'wait=200'], options)).toMatchObject({
      waitMs: 60_000,
    });
  });
});

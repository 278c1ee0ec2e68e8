import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { type NewCall, planDebounce, type StandingCall } from '../../../src/flow/plan-debounce.js';

const SETTINGS = { quietMs: 100, delayMsMax: 250 };

const call = (callId: string, acceptedAtMs: number, lane = ''): NewCall => ({ callId, lane, acceptedAtMs });
const ends = (calls: readonly NewCall[]): [string[], [string, string][]] => {
  const { standing, superseded } = planDebounce(SETTINGS, [], calls);
  return [
    standing.map(({ callId, dueAtMs }) => `${callId}@${dueAtMs}`),
    superseded.map(({ callId, by }): [string, string] => [callId, by]),
  ];
};

describe('planDebounce', () => {
  it('lets the last one of a burst stand, a quiet time after it', () => {
    expect(ends([call('a', 0), call('b', 50), call('c', 149)])).toEqual([
      ['c@249'],
      [
        ['a', 'b'],
        ['b', 'c'],
      ],
    ]);
  });

  it('lets a call stand whose time has come when the next one comes', () => {
    expect(ends([call('a', 0), call('b', 100)])).toEqual([['a@100', 'b@200'], []]);
  });

  it('puts a stream off no longer than the longest delay, and begins anew behind it', () => {
    const stream = [0, 90, 180, 249, 250, 300].map((ms) => call(`at${ms}`, ms));
    expect(ends(stream)[0]).toEqual(['at249@250', 'at300@400']);
  });

  it('keeps lanes apart', () => {
    expect(ends([call('a', 0, '01'), call('b', 1, '02'), call('c', 2, '01')])).toEqual([
      ['b@101', 'c@102'],
      [['a', 'c']],
    ]);
  });

  it('goes on from what stands already', () => {
    const last: StandingCall = { ...call('a', 90), burstAtMs: 0, dueAtMs: 190 };
    const { standing, superseded } = planDebounce(SETTINGS, [last], [call('b', 189)]);
    expect(superseded).toEqual([{ callId: 'a', by: 'b' }]);
    expect(standing).toEqual([{ ...call('b', 189), burstAtMs: 0, dueAtMs: 250 }]);
  });

  it('says the same however the calls are divided into looks', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 150 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(gaps, fc.infiniteStream(fc.boolean()), (between, cuts) => {
        let atMs = 0;
        const calls = between.map((gapMs, i) => call(`c${i}`, (atMs += gapMs), String(i % 2)));
        const whole = planDebounce(SETTINGS, [], calls);
        const standing = new Map<string, StandingCall>();
        const superseded: string[] = [];
        let part: NewCall[] = [];
        const look = (): void => {
          const newest = [...standing.values()].filter(
            (one) =>
              ![...standing.values()].some((other) => other.lane === one.lane && other.acceptedAtMs > one.acceptedAtMs),
          );
          const plan = planDebounce(SETTINGS, newest, part);
          for (const { callId } of plan.superseded) {
            standing.delete(callId);
            superseded.push(callId);
          }
          for (const one of plan.standing) standing.set(one.callId, one);
          part = [];
        };
        for (const one of calls) {
          // A look between two calls of one moment sees the second one as the newest of its lane.
          part.push(one);
          if (cuts.next().value === true) look();
        }
        look();
        expect(superseded).toEqual(whole.superseded.map(({ callId }) => callId));
        expect([...standing.keys()]).toEqual(whole.standing.map(({ callId }) => callId));
      }),
    );
  });
});

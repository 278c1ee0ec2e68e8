import { describe, expect, it } from '@jest/globals';
import { ALERT_KINDS, summaryOf } from '../../../src/alerts/alert.js';
import { type Activity, type Counts, type GoingOn, type HourCounts, judge } from '../../../src/alerts/judge.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A Wednesday. */
const NOW_MS = Date.parse('2026-05-20T12:30:00Z');

const NONE: Counts = { calls: 0, succeeded: 0, failed: 0, rejected: 0 };

const counts = (given: Partial<Counts>): Counts => ({ ...NONE, ...given });

/** The same in every hour from so many days ago to an hour ago, where `when` says so. */
function hours(days: number, each: Partial<Counts>, when: (at: Date) => boolean = () => true): HourCounts[] {
  const firstMs = Math.ceil((NOW_MS - days * DAY_MS) / HOUR_MS) * HOUR_MS;
  return Array.from({ length: days * 24 - 1 }, (_, i) => ({ startMs: firstMs + i * HOUR_MS, ...counts(each) })).filter(
    ({ startMs }) => when(new Date(startMs)),
  );
}

function activity(given: Partial<Activity>): Activity {
  return {
    nowMs: NOW_MS,
    recent: NONE,
    hours: [],
    lastCallMs: NOW_MS - 120_000,
    changedMs: NOW_MS - 60 * DAY_MS,
    ...given,
  };
}

const since = (agoMs: number, lastSeenAgoMs = 300_000): GoingOn => ({
  openedAtMs: NOW_MS - agoMs,
  lastSeenAtMs: NOW_MS - lastSeenAgoMs,
});

/** Ten calls an hour for 15 days; one of a hundred fails. */
const STEADY = hours(15, { calls: 10, succeeded: 9.9, failed: 0.1 });
const ended = (succeeded: number, failed: number): Counts => counts({ calls: succeeded + failed, succeeded, failed });

describe('a share of failures', () => {
  it.each<[string, Counts, readonly HourCounts[], GoingOn | undefined, string]>([
    ['is usual as it always was', ended(10, 0), STEADY, undefined, 'usual'],
    ['is unusual far above', ended(5, 5), STEADY, undefined, 'unusual'],
    ['of four failures is not enough', ended(6, 4), STEADY, undefined, 'usual'],
    ['of nine calls says nothing', ended(0, 9), STEADY, undefined, 'unknown'],
    ['just below the bar does not begin', ended(80, 20), STEADY, undefined, 'usual'],
    ['just above it does', ended(78, 22), STEADY, undefined, 'unusual'],
    ['has to double', ended(40, 60), hours(8, { succeeded: 65, failed: 35 }), undefined, 'usual'],
    ['without a history is nothing', ended(0, 50), hours(1, { succeeded: 2 }), undefined, 'usual'],
    ['goes on with half of the rise', ended(85, 15), STEADY, since(HOUR_MS), 'unusual'],
    ['is over below that', ended(90, 10), STEADY, since(HOUR_MS), 'usual'],
    ['goes on while nothing is known', ended(0, 3), STEADY, since(HOUR_MS), 'unknown'],
    ['is over when nothing was known for a day', ended(0, 3), STEADY, since(3 * DAY_MS, DAY_MS + 1), 'usual'],
    [
      'is not measured by itself',
      ended(5, 5),
      [...STEADY.filter(({ startMs }) => startMs < NOW_MS - 3 * DAY_MS), ...hours(3, { succeeded: 50, failed: 50 })],
      since(3 * DAY_MS),
      'unusual',
    ],
    ['is the rule after more than a week', ended(5, 5), hours(15, ended(5, 5)), since(9 * DAY_MS), 'usual'],
    ['which does not begin again', ended(5, 5), hours(15, ended(5, 5)), undefined, 'usual'],
  ])('%s', (_, recent, history, goingOn, expected) => {
    expect(judge('FAILURES', activity({ recent, hours: history }), goingOn).type).toBe(expected);
  });

  it('is measured', () => {
    const judged = judge('FAILURES', activity({ recent: ended(5, 15), hours: STEADY }));
    expect(judged).toEqual({
      type: 'unusual',
      measure: { observed: 0.75, expected: expect.closeTo(0.01, 5), calls: 20 },
    });
  });
});

describe('a share of rejections', () => {
  it.each<[string, Partial<Counts>, string]>([
    ['counts all calls', { calls: 20, rejected: 10, succeeded: 10 }, 'unusual'],
    ['is not that of failures', { calls: 20, failed: 20 }, 'usual'],
  ])('%s', (_, recent, expected) => {
    expect(judge('REJECTIONS', activity({ recent: counts(recent), hours: STEADY })).type).toBe(expected);
  });
});

describe('a surge', () => {
  const busy = hours(8, { calls: 50 });
  it.each<[string, number, readonly HourCounts[], GoingOn | undefined, string]>([
    ['is three times the busiest hour', 150, busy, undefined, 'unusual'],
    ['is not less', 149, busy, undefined, 'usual'],
    ['is a hundred calls at least', 99, STEADY, undefined, 'usual'],
    ['needs a history', 1_000, hours(1, { calls: 2 }), undefined, 'usual'],
    ['goes on down to twice', 100, busy, since(HOUR_MS), 'unusual'],
    ['and then is over', 99, busy, since(HOUR_MS), 'usual'],
    ['goes on though its own hours are busy', 150, [...busy, ...hours(0.25, { calls: 150 })], since(DAY_MS), 'unusual'],
    [
      'is not what comes every week',
      500,
      hours(8, { calls: 500 }, (at) => at.getUTCDay() === 3 && at.getUTCHours() === 12),
      undefined,
      'usual',
    ],
  ])('%s', (_, calls, history, goingOn, expected) => {
    expect(judge('SURGE', activity({ recent: counts({ calls }), hours: history }), goingOn).type).toBe(expected);
  });
});

describe('a silence', () => {
  const upTo = (agoMs: number, list: readonly HourCounts[] = STEADY): Partial<Activity> => ({
    hours: list.filter(({ startMs }) => startMs + HOUR_MS <= NOW_MS - agoMs),
    lastCallMs: NOW_MS - agoMs,
  });
  const weekdays = hours(15, { calls: 20 }, (at) => at.getUTCDay() % 6 !== 0 && at.getUTCHours() >= 8);

  it.each<[string, Partial<Activity>, GoingOn | undefined, string]>([
    ['is where calls used to come', upTo(3 * HOUR_MS), undefined, 'unusual'],
    ['is not in the first hour', upTo(HOUR_MS), undefined, 'usual'],
    ['is not of a webhook that is hardly called', upTo(3 * HOUR_MS, hours(15, { calls: 2 })), undefined, 'usual'],
    [
      'takes two weeks to learn',
      upTo(
        3 * HOUR_MS,
        STEADY.filter(({ startMs }) => startMs > NOW_MS - 8 * DAY_MS),
      ),
      undefined,
      'usual',
    ],
    ['counts from the last change', { ...upTo(3 * HOUR_MS), changedMs: NOW_MS - HOUR_MS }, undefined, 'usual'],
    ['goes on', upTo(20 * HOUR_MS), since(15 * HOUR_MS), 'unknown'],
    ['ends with a call', { ...upTo(0), lastCallMs: NOW_MS - 60_000 }, since(15 * HOUR_MS), 'usual'],
    ['is what is usual after a week', upTo(8 * DAY_MS), since(7 * DAY_MS), 'usual'],
    [
      'which does not begin again',
      { hours: STEADY.filter(({ startMs }) => startMs < NOW_MS - 8 * DAY_MS) },
      undefined,
      'usual',
    ],
    ['is known of office hours', upTo(3 * HOUR_MS, weekdays), undefined, 'unusual'],
  ])('%s', (_, given, goingOn, expected) => {
    expect(judge('SILENCE', activity({ lastCallMs: undefined, ...given }), goingOn).type).toBe(expected);
  });

  it('is not a night or a weekend without calls', () => {
    const lastCallMs = Date.parse('2026-05-15T23:59:00Z'); // a Friday
    for (let nowMs = lastCallMs; nowMs < Date.parse('2026-05-18T08:30:00Z'); nowMs += HOUR_MS / 4) {
      const shifted = weekdays
        .map((hour) => ({ ...hour, startMs: hour.startMs }))
        .filter(({ startMs }) => startMs <= lastCallMs);
      const older = shifted.map((hour) => ({ ...hour, startMs: hour.startMs - 7 * DAY_MS }));
      const all = new Map([...older, ...shifted].map((hour) => [hour.startMs, hour]));
      const judged = judge('SILENCE', activity({ nowMs, lastCallMs, hours: [...all.values()] }));
      expect([new Date(nowMs).toISOString(), judged.type]).toEqual([new Date(nowMs).toISOString(), 'usual']);
    }
  });
});

it('every kind has a summary with its numbers', () => {
  for (const kind of ALERT_KINDS) {
    const summary = summaryOf({ kind, observed: 0.5, expected: 0.012, calls: 40 });
    expect(summary).toMatch(/\.$/);
  }
  expect(summaryOf({ kind: 'FAILURES', observed: 0.5, expected: 0.012, calls: 40 })).toBe(
    "50 % of the last hour's 40 calls that ended failed; it used to be 1.2 %.",
  );
});

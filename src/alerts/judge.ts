import type { AlertKind, Measure } from './alert.js';

/** Calls of some time, by when they were received. */
export interface Counts {
  /** Accepted and rejected ones. */
  readonly calls: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly rejected: number;
}

export interface HourCounts extends Counts {
  /** Start of an hour in UTC, Unix milliseconds. */
  readonly startMs: number;
}

/** What is known of one webhook. */
export interface Activity {
  readonly nowMs: number;
  /** The last 60 minutes. */
  readonly recent: Counts;
  /** Every hour of the last 15 days that had calls, in any order. */
  readonly hours: readonly HourCounts[];
  /** The minute of the newest call within those days, Unix milliseconds. */
  readonly lastCallMs: number | undefined;
  /** When the webhook was made or changed the last time, Unix milliseconds. */
  readonly changedMs: number;
}

/** An alert of the same kind that goes on, in Unix milliseconds. */
export interface GoingOn {
  readonly openedAtMs: number;
  readonly lastSeenAtMs: number;
}

/** `unknown`: too few calls to say; what goes on goes on, and nothing begins. */
export type Judgement =
  | { readonly type: 'unusual'; readonly measure: Measure }
  | { readonly type: 'usual' }
  | { readonly type: 'unknown' };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/** A week and a day: whatever the hour, the same one of a week ago is among them. */
const HISTORY_MS = WEEK_MS + DAY_MS;

/** A share says something from this many calls on; of an hour, and of the history. */
const RECENT_CALLS_MIN = 10;
const HISTORY_CALLS_MIN = 50;
/** So many calls have to be affected, and so much more than usual, as a part of all. */
const AFFECTED_MIN = 5;
const RISE_MIN = 0.2;
const RISE_RATIO_MIN = 2;
/** It goes on while this is left of the rise. */
const RISE_KEPT = 0.1;

const SURGE_CALLS_MIN = 100;
const SURGE_RATIO_MIN = 3;
/** It goes on down to this. */
const SURGE_RATIO_KEPT = 2;

/** Calls that came in the same time of each of the two weeks before. */
const SILENCE_CALLS_MIN = 10;

/** What nothing was known of for so long is over. */
const UNKNOWN_MS_MAX = DAY_MS;

const USUAL: Judgement = { type: 'usual' };

/**
 * Says whether the calls of a webhook are as they used to be. Pure: the same numbers give the same answer.
 *
 * The rules compare a webhook with itself only. Each has a least number of calls, so that a single one means nothing,
 * and a lower bar for what goes on than for what begins, so that an alert does not come and go. The history of what
 * goes on ends where it began: it must not become the rule that it is measured by. A week and a day later nothing is
 * left of that history, and what has become normal is usual.
 */
export function judge(kind: AlertKind, activity: Activity, goingOn?: GoingOn): Judgement {
  switch (kind) {
    case 'FAILURES':
      return judgeShare(activity, goingOn, ({ succeeded, failed }) => ({ part: failed, whole: succeeded + failed }));
    case 'REJECTIONS':
      return judgeShare(activity, goingOn, ({ rejected, calls }) => ({ part: rejected, whole: calls }));
    case 'SURGE':
      return judgeSurge(activity, goingOn);
    case 'SILENCE':
      return judgeSilence(activity, goingOn);
  }
}

interface Share {
  readonly part: number;
  readonly whole: number;
}

function judgeShare(activity: Activity, goingOn: GoingOn | undefined, shareOf: (counts: Counts) => Share): Judgement {
  const before = historyOf(activity, goingOn)
    .map(shareOf)
    .reduce((a, b) => ({ part: a.part + b.part, whole: a.whole + b.whole }), { part: 0, whole: 0 });
  if (before.whole < HISTORY_CALLS_MIN) return USUAL;
  const { part, whole } = shareOf(activity.recent);
  if (whole < RECENT_CALLS_MIN) {
    const silentMs = goingOn === undefined ? 0 : activity.nowMs - goingOn.lastSeenAtMs;
    return silentMs > UNKNOWN_MS_MAX ? USUAL : { type: 'unknown' };
  }
  const [observed, expected] = [part / whole, before.part / before.whole];
  const rise = observed - expected;
  const begins = part >= AFFECTED_MIN && rise >= RISE_MIN && observed >= RISE_RATIO_MIN * expected;
  const isUnusual = goingOn === undefined ? begins : rise >= RISE_KEPT;
  return isUnusual ? { type: 'unusual', measure: { observed, expected, calls: whole } } : USUAL;
}

function judgeSurge(activity: Activity, goingOn: GoingOn | undefined): Judgement {
  const history = historyOf(activity, goingOn);
  if (sumOf(history) < HISTORY_CALLS_MIN) return USUAL;
  const observed = activity.recent.calls;
  const expected = Math.max(...history.map(({ calls }) => calls));
  const isUnusual =
    goingOn === undefined
      ? observed >= SURGE_CALLS_MIN && observed >= SURGE_RATIO_MIN * expected
      : observed >= SURGE_RATIO_KEPT * expected;
  return isUnusual ? { type: 'unusual', measure: { observed, expected, calls: observed } } : USUAL;
}

/**
 * Looks at the time since the last call, a day at most: the same weekdays and hours of the two weeks before must both
 * have had calls. What is silent every night or weekend is not unusual then.
 */
function judgeSilence({ nowMs, hours, lastCallMs, changedMs }: Activity, goingOn: GoingOn | undefined): Judgement {
  const minuteAfterLastMs = (lastCallMs ?? 0) + 60_000;
  if (goingOn !== undefined) {
    const isOver = minuteAfterLastMs > goingOn.openedAtMs || nowMs - goingOn.openedAtMs >= WEEK_MS;
    return isOver ? USUAL : { type: 'unknown' };
  }
  const sinceMs = Math.max(minuteAfterLastMs, changedMs, nowMs - DAY_MS);
  const [lastWeek, weekBefore] = [1, 2].map((weeks) =>
    sumOf(between(hours, sinceMs - weeks * WEEK_MS, nowMs - weeks * WEEK_MS)),
  );
  const expected = Math.min(lastWeek!, weekBefore!);
  if (expected < SILENCE_CALLS_MIN) return USUAL;
  return { type: 'unusual', measure: { observed: 0, expected, calls: 0 } };
}

/** The hours that the last one is compared with: those before it, and before what goes on began. */
function historyOf({ hours, nowMs }: Activity, goingOn: GoingOn | undefined): readonly HourCounts[] {
  const untilMs = Math.min(nowMs, goingOn?.openedAtMs ?? Infinity) - HOUR_MS;
  return between(hours, nowMs - HOUR_MS - HISTORY_MS, untilMs);
}

/** The hours that lie wholly in a time. */
function between(hours: readonly HourCounts[], fromMs: number, toMs: number): readonly HourCounts[] {
  return hours.filter(({ startMs }) => startMs >= fromMs && startMs + HOUR_MS <= toMs);
}

function sumOf(hours: readonly HourCounts[]): number {
  return hours.reduce((sum, { calls }) => sum + calls, 0);
}

import type { TimestampRule } from '../verify/provider/provider.js';
import { readTimestampMs, timestampFault } from '../verify/provider/timestamp.js';
import type { Fault } from './diagnosis.js';

/** A number above this is milliseconds, one below it is seconds: 1973 in the one, 5138 in the other. */
const SECONDS_MAX = 99_999_999_999;

const UNITS = { s: 'seconds', ms: 'milliseconds', iso: 'ISO-8601' } as const;

/** What is wrong with the time that a request says it was signed at. */
export function timeFault(text: string, rule: TimestampRule, nowMs: number): Fault | undefined {
  const unit = unitOf(text);
  const wanted = `${rule.name} must be in ${UNITS[rule.unit]}`;
  if (unit === undefined) return { code: 'TIMESTAMP_MALFORMED', text: `its time is malformed: ${wanted}` };
  if (unit !== rule.unit) return { code: 'TIMESTAMP_UNIT', text: `its time is in ${UNITS[unit]}: ${wanted}` };
  const fault = timestampFault(text, rule, nowMs);
  if (fault === undefined) return undefined;
  const atMs = readTimestampMs(text, rule.unit);
  if (atMs === undefined) return { code: 'TIMESTAMP_MALFORMED', text: `its time is malformed: ${wanted}` };
  const offMs = nowMs - atMs;
  const seconds = Math.round(Math.abs(offMs) / 1_000);
  const allowed = `${rule.toleranceMs / 1_000} s are allowed`;
  return offMs > 0
    ? { code: 'TIMESTAMP_OLD', text: `it was made ${seconds} s ago by ${rule.name}, and ${allowed}` }
    : { code: 'TIMESTAMP_FUTURE', text: `it was made ${seconds} s in the future by ${rule.name}, and ${allowed}` };
}

function unitOf(text: string): TimestampRule['unit'] | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text) > SECONDS_MAX ? 'ms' : 's';
  return readTimestampMs(text, 'iso') === undefined ? undefined : 'iso';
}

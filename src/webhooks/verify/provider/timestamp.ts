import type { TimestampRule } from './provider.js';

const FORMS: Readonly<Record<TimestampRule['unit'], RegExp>> = {
  s: /^\d{1,12}$/,
  ms: /^\d{1,15}$/,
  iso: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/,
};

/** @returns Unix milliseconds, or `undefined` for what is no time in that unit. */
export function readTimestampMs(text: string, unit: TimestampRule['unit']): number | undefined {
  if (!FORMS[unit].test(text)) return undefined;
  const ms = unit === 'iso' ? Date.parse(text) : Number(text) * (unit === 's' ? 1_000 : 1);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A time as the sender would write it. */
export function writeTimestamp(nowMs: number, unit: TimestampRule['unit']): string {
  if (unit === 'iso') return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return String(unit === 's' ? Math.floor(nowMs / 1_000) : nowMs);
}

/** What is wrong with a time: too old or, by a clock that is ahead, of the future. `undefined` when it will do. */
export function timestampFault(text: string, rule: TimestampRule, nowMs: number): string | undefined {
  const atMs = readTimestampMs(text, rule.unit);
  if (atMs === undefined) return `the time ${rule.name} is malformed`;
  const ageMs = nowMs - atMs;
  if (Math.abs(ageMs) <= rule.toleranceMs) return undefined;
  const seconds = Math.round(Math.abs(ageMs) / 1_000);
  const allowed = `${rule.toleranceMs / 1_000} s are allowed`;
  return `the time ${rule.name} is ${seconds} s ${ageMs > 0 ? 'old' : 'in the future'}; ${allowed}`;
}

const UNIT_MS = { weeks: 604_800_000, days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1_000 };

const ISO_DURATION =
  /^P(?=.)(?:(?<weeks>\d{1,6})W)?(?:(?<days>\d{1,6})D)?(?:T(?=\d)(?:(?<hours>\d{1,8})H)?(?:(?<minutes>\d{1,9})M)?(?:(?<seconds>\d{1,10}(?:[.,]\d{1,3})?)S)?)?$/;

/** Prints hours, minutes and seconds only: `PT24H` and not `P1D`, which daylight saving can make another length. */
export function printDuration(durationMs: number): string {
  const hours = Math.floor(durationMs / UNIT_MS.hours);
  const minutes = Math.floor((durationMs % UNIT_MS.hours) / UNIT_MS.minutes);
  const seconds = Math.round(durationMs % UNIT_MS.minutes) / 1_000;
  const text = `${hours > 0 ? `${hours}H` : ''}${minutes > 0 ? `${minutes}M` : ''}${seconds > 0 ? `${seconds}S` : ''}`;
  return `PT${text || '0S'}`;
}

/** Reads ISO-8601. Milliseconds; `undefined` for what is not a duration of fixed length. */
export function parseDuration(text: string): number | undefined {
  const parts = ISO_DURATION.exec(text)?.groups;
  if (parts === undefined) return undefined;
  return Object.entries(UNIT_MS).reduce(
    (totalMs, [unit, unitMs]) => totalMs + Math.round(Number((parts[unit] ?? '0').replace(',', '.')) * unitMs),
    0,
  );
}

const SHORT_UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Reads `500ms`, `90s`, `10m`, `24h`, `7d` or ISO-8601. Milliseconds; `undefined` for anything else. */
export function parseShortDuration(text: string): number | undefined {
  const short = /^(\d{1,10})(ms|s|m|h|d)$/.exec(text);
  if (short === null) return parseDuration(text);
  return Number(short[1]) * SHORT_UNIT_MS[short[2] as keyof typeof SHORT_UNIT_MS];
}

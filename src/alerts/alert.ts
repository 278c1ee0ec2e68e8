/**
 * What can be unusual about the calls of a webhook.
 *
 * FAILURES: more of them fail. REJECTIONS: more of them are turned away. SURGE: there are many more. SILENCE: none come.
 */
export const ALERT_KINDS = ['FAILURES', 'REJECTIONS', 'SURGE', 'SILENCE'] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** OPEN → ACKNOWLEDGED → RESOLVED, or at once OPEN → RESOLVED. A person moves it on; the end of the pattern resolves it. */
export const ALERT_STATUSES = ['OPEN', 'ACKNOWLEDGED', 'RESOLVED'] as const;
export type AlertStatus = (typeof ALERT_STATUSES)[number];

/** How the calls of a webhook are, and how they used to be. */
export interface Measure {
  /** FAILURES, REJECTIONS: the share of calls, from 0 to 1. SURGE, SILENCE: calls. */
  readonly observed: number;
  /** The same in the time that it is compared with. */
  readonly expected: number;
  /** How many calls the observation rests on. */
  readonly calls: number;
}

/** An alert; ids are UUIDs. The measure is that of the last time that the pattern was seen. */
export interface AlertView extends Measure {
  readonly id: string;
  readonly webhookId: string;
  readonly kind: AlertKind;
  readonly status: AlertStatus;
  readonly openedAt: Date;
  readonly lastSeenAt: Date;
  /** When the pattern was found to be over; `null` while it goes on. */
  readonly endedAt: Date | null;
  readonly acknowledgedAt: Date | null;
  readonly acknowledgedBy: string | null;
  readonly resolvedAt: Date | null;
  /** `null`: it resolved itself. */
  readonly resolvedBy: string | null;
  readonly changedAt: Date;
}

/** Says in a sentence what is unusual. */
export function summaryOf({ kind, observed, expected, calls }: Pick<AlertView, 'kind' | keyof Measure>): string {
  switch (kind) {
    case 'FAILURES':
      return `${percent(observed)} of the last hour's ${calls} calls that ended failed; it used to be ${percent(expected)}.`;
    case 'REJECTIONS':
      return `${percent(observed)} of the last hour's ${calls} calls were rejected; it used to be ${percent(expected)}.`;
    case 'SURGE':
      return `${observed} calls came in an hour; the busiest hour of the eight days before had ${expected}.`;
    case 'SILENCE':
      return `No call came in a time in which there were ${expected} and more in each of the two weeks before.`;
  }
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}

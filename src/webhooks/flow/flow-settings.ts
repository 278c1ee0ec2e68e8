import { AppError } from '../../errors.js';
import type { Debounce } from '../../flow/plan-debounce.js';
import { parseJsonPointer } from '../../lib/json-pointer.js';
import type { UserError } from '../../lib/user-error.js';
import { compileTemplate } from '../../templates/template.js';

/** Which of a webhook's calls may run when. At least one of them is set. */
export interface FlowSettings {
  /** Calls in progress at once; `null` for any number. */
  readonly concurrency?: number | null | undefined;
  /** A JSON pointer into the body or a template: calls of one key run in order. `null` for none. */
  readonly fifoKey?: string | null | undefined;
  readonly debounce?: DebounceSettings | null | undefined;
}

export interface DebounceSettings {
  /** A call runs when no other one of its key came for this long. */
  readonly quietMs: number;
  /** The longest that a stream of calls puts a run off; without it ten times the quiet time. */
  readonly maxDelayMs?: number | null | undefined;
}

/** How a webhook stores them. */
export interface FlowColumns {
  readonly flowConcurrency: number | null;
  readonly flowKey: string | null;
  readonly flowDebounceMs: number | null;
  readonly flowDebounceMaxMs: number | null;
}

const CONCURRENCY_MAX = 10_000;
const KEY_CHARACTERS_MAX = 500;
const QUIET_MS_MIN = 100;
const QUIET_MS_MAX = 86_400_000;
const DELAY_MS_MAX = 604_800_000;

/** Without a longest delay of its own, this many quiet times. */
const QUIETS_OF_DELAY = 10;

export function flowColumns(settings: FlowSettings | null | undefined): FlowColumns {
  const quietMs = settings?.debounce?.quietMs ?? null;
  const delayMsMax = settings?.debounce?.maxDelayMs ?? Math.min(DELAY_MS_MAX, (quietMs ?? 0) * QUIETS_OF_DELAY);
  return {
    flowConcurrency: settings?.concurrency ?? null,
    flowKey: settings?.fifoKey ?? null,
    flowDebounceMs: quietMs,
    flowDebounceMaxMs: quietMs === null ? null : delayMsMax,
  };
}

export function debounceOf(columns: {
  readonly flowDebounceMs?: number | null | undefined;
  readonly flowDebounceMaxMs?: number | null | undefined;
}): Debounce | null {
  const { flowDebounceMs, flowDebounceMaxMs } = columns;
  if (flowDebounceMs === null || flowDebounceMs === undefined) return null;
  return { quietMs: flowDebounceMs, delayMsMax: flowDebounceMaxMs ?? flowDebounceMs };
}

/** A webhook's flow control as the admin API shows it. */
export interface FlowView {
  readonly concurrency: number | null;
  readonly fifoKey: string | null;
  readonly debounce: { readonly quietMs: number; readonly maxDelayMs: number } | null;
  readonly paused: boolean;
}

/** The columns of {@link FlowRow} `from webhooks w`. */
export const FLOW_COLUMNS = 'w.flow_concurrency, w.flow_key, w.flow_debounce_ms, w.flow_debounce_max_ms, w.paused';

export interface FlowRow {
  readonly flow_concurrency: number | null;
  readonly flow_key: string | null;
  readonly flow_debounce_ms: number | null;
  readonly flow_debounce_max_ms: number | null;
  readonly paused: boolean;
}

/** `null`: its calls run as they come. */
export function toFlowView(row: FlowRow): FlowView | null {
  const { flow_concurrency: concurrency, flow_key: fifoKey, flow_debounce_ms: quietMs, paused } = row;
  if (concurrency === null && fifoKey === null && quietMs === null && !paused) return null;
  const debounce = quietMs === null ? null : { quietMs, maxDelayMs: row.flow_debounce_max_ms! };
  return { concurrency, fifoKey, debounce, paused };
}

/** What is wrong with settings. */
export function flowFaults(settings: FlowSettings | null | undefined): readonly UserError[] {
  if (settings === null || settings === undefined) return [];
  const { concurrency, fifoKey, debounce } = settings;
  const faults: UserError[] = [];
  const fault = (field: string, code: string, message: string): void => {
    faults.push({ field: ['flow', ...field.split('.').filter((name) => name !== '')], message, code });
  };
  if ([concurrency, fifoKey, debounce].every((setting) => setting === null || setting === undefined)) {
    fault('', 'REQUIRED', 'Flow control needs a concurrency, a key or a debounce; null is for none.');
  }
  if (typeof concurrency === 'number' && !isWithin(concurrency, 1, CONCURRENCY_MAX)) {
    fault('concurrency', 'OUT_OF_RANGE', `From 1 to ${CONCURRENCY_MAX} calls can be in progress at once.`);
  }
  if (typeof fifoKey === 'string') {
    const wrong = keyFault(fifoKey);
    if (wrong !== undefined) fault('fifoKey', 'INVALID_KEY', wrong);
  }
  if (debounce !== null && debounce !== undefined) {
    const { quietMs, maxDelayMs } = debounce;
    if (!isWithin(quietMs, QUIET_MS_MIN, QUIET_MS_MAX)) {
      fault('debounce.quiet', 'OUT_OF_RANGE', 'A quiet time is from 100 milliseconds to 24 hours.');
    }
    if (typeof maxDelayMs === 'number' && !isWithin(maxDelayMs, quietMs, DELAY_MS_MAX)) {
      fault('debounce.maxDelay', 'OUT_OF_RANGE', 'The longest delay is from the quiet time to 7 days.');
    }
  }
  return faults;
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function keyFault(key: string): string | undefined {
  if (key.length > KEY_CHARACTERS_MAX) return `A key has at most ${KEY_CHARACTERS_MAX} characters.`;
  if (key.includes('\0')) return 'A key has no U+0000.';
  if (key.startsWith('/')) {
    return parseJsonPointer(key) === undefined ? 'A JSON pointer has "~0" for "~" and "~1" for "/".' : undefined;
  }
  if (!key.includes('{{'))
    return 'A key is a JSON pointer such as "/order/id" or a template such as "{{ input.order.id }}".';
  try {
    compileTemplate(key);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

import { isDataFault } from '../db/data-fault.js';
import type { Sql } from '../db/database.js';
import type { Clock } from '../lib/clock.js';
import { newUuidV7 } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { Dispatch, ExecutionMode } from './call-modes.js';
import type { CallOutcome } from './call.entity.js';
import { RejectionSampler } from './rejection-sampler.js';
import { type RejectedCount, type RejectedRow, storeRejectedCalls } from './store-rejected-calls.js';

/** A better reason than the one at hand. */
export interface Explanation {
  readonly reason: string;
  readonly code: string;
}

/** Finds a better reason, in the background. */
export interface Explain {
  /** What it holds in memory until then. */
  readonly bytes: number;
  readonly run: () => Promise<Explanation>;
}

/** A call that was turned away. */
export interface RejectedCall {
  readonly webhookId: string;
  readonly outcome: CallOutcome;
  readonly httpStatus: number | null;
  /** For the webhook's owner. */
  readonly reason: string;
  /** The same for a program, in upper snake case. */
  readonly code?: string | undefined;
  /** Not asked for most calls of a flood. */
  readonly explain?: Explain | undefined;
  readonly sourceIp: string;
  /** Without secrets; asked for when the call is kept as a row. */
  readonly requestHeaders: () => Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly isTest: boolean;
  readonly executionMode: ExecutionMode;
  readonly dispatch: Dispatch;
}

export interface RejectedCallRecorderOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Logger;
  /** This process's shard of the counters. */
  readonly shard: number;
}

const FLUSH_AFTER_MS = 250;

const ROWS_WAITING_MAX = 1_000;

const BYTES_WAITING_MAX = 8 * 1_048_576;

const BODY_BYTES_MAX = 65_536;

const REASON_CHARACTERS_MAX = 2_000;

/** Counters that wait, one a webhook, minute and outcome: more than a day of a hundred webhooks under attack. */
const COUNTS_WAITING_MAX = 200_000;

const MINUTE_MS = 60_000;

/** Wall-clock time for explanations in one flush; the rest of the rows keep the reason that they have. */
const EXPLAIN_MS_MAX = 50;

/** When it closes it writes at most so many times. */
const CLOSING_TRIES = 3;

interface Batch {
  readonly counts: readonly RejectedCount[];
  readonly rows: readonly RejectedRow[];
}

interface WaitingRow {
  readonly row: RejectedRow;
  readonly explain: Explain | undefined;
}

/**
 * Records calls that were turned away, in the background: whoever floods a webhook must not make its rejections dear.
 *
 * Counts are exact, added up in memory and written every 250 ms; rows are samples, and some of them get a precise
 * reason before they are written. What could not be written is kept and written later, within bounds. A batch whose
 * commit was not confirmed is written again as it was, and its rows tell whether it is there already; only one without
 * a single row, of a flood, is counted twice then. A kill loses what was not written.
 */
export class RejectedCallRecorder {
  readonly #options: RejectedCallRecorderOptions;
  #counts = new Map<string, RejectedCount>();
  #rows: WaitingRow[] = [];
  #bytesWaiting = 0;
  /** What was sent and not confirmed. */
  #unconfirmed: Batch | undefined;
  readonly #sampler = new RejectionSampler();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<boolean> | undefined;
  #uncounted = 0;
  #failing = false;

  constructor(options: RejectedCallRecorderOptions) {
    this.#options = options;
  }

  /** Takes note of a call. Never throws and never waits. */
  record(rejected: RejectedCall): void {
    const receivedAtMs = this.#options.clock.nowMs();
    this.#count({
      webhookId: rejected.webhookId,
      minuteMs: receivedAtMs - (receivedAtMs % MINUTE_MS),
      outcome: rejected.outcome,
      calls: 1,
    });
    if (this.#sampler.keeps(rejected.webhookId, receivedAtMs)) {
      const { explain, webhookId } = rejected;
      const explained = explain !== undefined && this.#sampler.explains(webhookId, receivedAtMs);
      this.#keep({ row: toRow(rejected, receivedAtMs), explain: explained ? explain : undefined });
    }
    this.#flushLater();
  }

  /** Writes what waits; what cannot be written now is lost, and logged as a number. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flushing;
    // What was not confirmed, the same without rows that the database does not take, and what came meanwhile.
    for (let tries = 0; tries < CLOSING_TRIES; tries += 1) if (await this.#flush()) break;
    for (const { calls } of [...(this.#unconfirmed?.counts ?? []), ...this.#counts.values()]) this.#uncounted += calls;
    this.#unconfirmed = undefined;
    this.#counts.clear();
    this.#rows = [];
    clearTimeout(this.#timer);
    if (this.#uncounted > 0) this.#options.log.warn({ calls: this.#uncounted }, 'rejected calls were not counted');
  }

  #count(count: RejectedCount): void {
    const key = `${count.webhookId} ${count.minuteMs} ${count.outcome}`;
    const known = this.#counts.get(key);
    if (known !== undefined) this.#counts.set(key, { ...known, calls: known.calls + count.calls });
    else if (this.#counts.size < COUNTS_WAITING_MAX) this.#counts.set(key, count);
    else this.#uncounted += count.calls;
  }

  #keep({ row, explain }: WaitingRow): void {
    const free = BYTES_WAITING_MAX - this.#bytesWaiting - bytesOf(row);
    if (this.#rows.length >= ROWS_WAITING_MAX || free < 0) return;
    const held = explain !== undefined && explain.bytes <= free ? explain : undefined;
    this.#rows.push({ row, explain: held });
    this.#bytesWaiting += bytesOf(row) + (held?.bytes ?? 0);
  }

  /** Puts better reasons into rows, while there is time. */
  async #explain(waiting: readonly WaitingRow[]): Promise<RejectedRow[]> {
    const { clock, log } = this.#options;
    const startedMs = clock.monotonicMs();
    const rows: RejectedRow[] = [];
    for (const { row, explain } of waiting) {
      if (explain === undefined || clock.monotonicMs() - startedMs > EXPLAIN_MS_MAX) rows.push(row);
      else {
        try {
          const { reason, code } = await explain.run();
          rows.push({ ...row, reason: storable(reason), code });
        } catch (error) {
          log.warn({ err: error }, 'a rejected call could not be explained');
          rows.push(row);
        }
      }
    }
    return rows;
  }

  #flushLater(): void {
    if (this.#timer !== undefined || this.#flushing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushing = this.#flush().finally(() => {
        this.#flushing = undefined;
        if (this.#counts.size > 0 || this.#unconfirmed !== undefined) this.#flushLater();
      });
    }, FLUSH_AFTER_MS);
    this.#timer.unref();
  }

  /** Writes one batch. @returns whether nothing waits any more. */
  async #flush(): Promise<boolean> {
    const { sql, shard, log } = this.#options;
    this.#unconfirmed ??= await this.#take();
    if (this.#unconfirmed === undefined) return true;
    const { counts, rows } = this.#unconfirmed;
    try {
      await storeRejectedCalls(sql, shard, counts, rows);
      this.#unconfirmed = undefined;
      this.#failing = false;
      return this.#counts.size === 0;
    } catch (error) {
      if (!this.#failing) log.warn({ err: error }, 'rejected calls cannot be recorded; they are kept and tried again');
      this.#failing = true;
      // A row that the database will never take must not keep the counts from it.
      if (isDataFault(error)) this.#unconfirmed = { counts, rows: [] };
      return false;
    }
  }

  async #take(): Promise<Batch | undefined> {
    if (this.#counts.size === 0) return undefined;
    const counts = [...this.#counts.values()];
    const waiting = this.#rows;
    this.#counts = new Map();
    this.#rows = [];
    this.#bytesWaiting = 0;
    return { counts, rows: await this.#explain(waiting) };
  }
}

function toRow(rejected: RejectedCall, receivedAtMs: number): RejectedRow {
  const { body, requestHeaders, reason, code, explain: _, ...rest } = rejected;
  return {
    ...rest,
    callId: newUuidV7(receivedAtMs),
    receivedAtMs,
    reason: storable(reason),
    code: code ?? null,
    headersJson: JSON.stringify(requestHeaders()),
    // A copy: a part of a buffer would hold the whole of it in memory.
    body: body.length <= BODY_BYTES_MAX ? body : Buffer.from(body.subarray(0, BODY_BYTES_MAX)),
  };
}

/** PostgreSQL's text has no U+0000, and a reason can quote what was sent. */
function storable(reason: string): string {
  return reason.slice(0, REASON_CHARACTERS_MAX).replaceAll('\0', '\u{fffd}');
}

function bytesOf(row: RejectedRow): number {
  return row.body.length + row.headersJson.length + row.reason.length;
}

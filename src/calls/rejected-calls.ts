import { isDataFault } from '../db/data-fault.js';
import type { Sql } from '../db/database.js';
import type { Clock } from '../lib/clock.js';
import { newUuidV7 } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { Dispatch, ExecutionMode } from './call-modes.js';
import type { CallOutcome } from './call.entity.js';
import { type RejectedCount, type RejectedRow, storeRejectedCalls } from './store-rejected-calls.js';

/** A call that was turned away. */
export interface RejectedCall {
  readonly webhookId: string;
  readonly outcome: CallOutcome;
  readonly httpStatus: number | null;
  /** For the webhook's owner. */
  readonly reason: string;
  readonly sourceIp: string;
  /** Secrets already removed. */
  readonly requestHeaders: Readonly<Record<string, string>>;
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

/** Of a flood only these are kept as rows; all of it is counted. */
const ROWS_A_SECOND_A_WEBHOOK_MAX = 20;

const ROWS_WAITING_MAX = 1_000;

const BYTES_WAITING_MAX = 8 * 1_048_576;

const BODY_BYTES_MAX = 65_536;

const REASON_CHARACTERS_MAX = 2_000;

/** Counters that wait, one a webhook, minute and outcome: more than a day of a hundred webhooks under attack. */
const COUNTS_WAITING_MAX = 200_000;

const MINUTE_MS = 60_000;

/**
 * Records calls that were turned away, in the background: whoever floods a webhook must not make its rejections dear.
 *
 * Counts are exact, added up in memory and written every 250 ms; rows are samples. What could not be written is kept
 * and written later, within bounds. Promised is nothing: a kill loses what was not written, and a commit whose
 * confirmation was lost is counted twice.
 */
export class RejectedCallRecorder {
  readonly #options: RejectedCallRecorderOptions;
  #counts = new Map<string, RejectedCount>();
  #rows: RejectedRow[] = [];
  #bytesWaiting = 0;
  #sampledSecond = 0;
  readonly #sampled = new Map<string, number>();
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
    if (this.#isSampled(rejected.webhookId, receivedAtMs)) this.#keep(toRow(rejected, receivedAtMs));
    this.#flushLater();
  }

  /** Writes what waits; what cannot be written now is lost, and logged as a number. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flushing;
    // The second time without rows that the database does not take.
    if (!(await this.#flush()) && !(await this.#flush())) {
      for (const { calls } of this.#counts.values()) this.#uncounted += calls;
      this.#counts.clear();
      this.#rows = [];
    }
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

  #isSampled(webhookId: string, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#sampledSecond) {
      this.#sampledSecond = second;
      this.#sampled.clear();
    }
    const rows = this.#sampled.get(webhookId) ?? 0;
    if (rows >= ROWS_A_SECOND_A_WEBHOOK_MAX) return false;
    this.#sampled.set(webhookId, rows + 1);
    return true;
  }

  #keep(row: RejectedRow): void {
    const bytes = bytesOf(row);
    if (this.#rows.length >= ROWS_WAITING_MAX || this.#bytesWaiting + bytes > BYTES_WAITING_MAX) return;
    this.#rows.push(row);
    this.#bytesWaiting += bytes;
  }

  #flushLater(): void {
    if (this.#timer !== undefined || this.#flushing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushing = this.#flush().finally(() => {
        this.#flushing = undefined;
        if (this.#counts.size > 0) this.#flushLater();
      });
    }, FLUSH_AFTER_MS);
    this.#timer.unref();
  }

  /** @returns whether nothing waits any more. */
  async #flush(): Promise<boolean> {
    if (this.#counts.size === 0) return true;
    const { sql, shard, log } = this.#options;
    const counts = this.#counts;
    const rows = this.#rows;
    this.#counts = new Map();
    this.#rows = [];
    this.#bytesWaiting = 0;
    try {
      await storeRejectedCalls(sql, shard, [...counts.values()], rows);
      this.#failing = false;
      return true;
    } catch (error) {
      if (!this.#failing) log.warn({ err: error }, 'rejected calls cannot be recorded; they are kept and tried again');
      this.#failing = true;
      for (const count of counts.values()) this.#count(count);
      // A row that the database will never take must not keep the counts from it.
      if (!isDataFault(error)) for (const row of rows) this.#keep(row);
      return false;
    }
  }
}

function toRow(rejected: RejectedCall, receivedAtMs: number): RejectedRow {
  const { body, requestHeaders, reason, ...rest } = rejected;
  return {
    ...rest,
    callId: newUuidV7(receivedAtMs),
    receivedAtMs,
    // PostgreSQL's text has no U+0000, and a reason can quote what was sent.
    reason: reason.slice(0, REASON_CHARACTERS_MAX).replaceAll('\0', '\u{fffd}'),
    headersJson: JSON.stringify(requestHeaders),
    // A copy: a part of a buffer would hold the whole of it in memory.
    body: body.length <= BODY_BYTES_MAX ? body : Buffer.from(body.subarray(0, BODY_BYTES_MAX)),
  };
}

function bytesOf(row: RejectedRow): number {
  return row.body.length + row.headersJson.length + row.reason.length;
}

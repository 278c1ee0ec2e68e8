import type pg from 'pg';
import { AppError } from '../errors.js';
import { topics } from '../events/event.js';
import type { EventHub } from '../events/event-hub.js';
import type { Clock } from '../lib/clock.js';
import { GroupCommit } from '../lib/group-commit.js';
import type { Logger } from '../lib/logger.js';
import { markEnded, webhooksToRelease } from './backlog.js';
import { readQueuePositions } from './queue-positions.js';
import { releaseCalls } from './release-calls.js';

export interface FlowDeskOptions {
  readonly pool: pg.Pool;
  readonly hub: EventHub;
  /** This process's shard of the statistics. */
  readonly shard: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the process that did it left undone, others do after this long at most. */
const SWEEP_MS = 2_000;

/** Calls that ended without a word to the flow are looked for in every fifth sweep: that reads all that run. */
const SWEEPS_PER_SEARCH = 5;

/** Node's timers fire at once beyond this. */
const TIMER_MS_MAX = 2_147_483_647;

const BATCH_ITEMS_MAX = 1_000;

interface Visit {
  readonly webhookId: string;
  readonly callId?: string;
}

/**
 * Where a process lets calls go whose turn it is: after an accept, after an end, when a call is due, after a change of
 * the webhook, and now and then, for what a process that died left undone. Visits that come while a release is under
 * way share the next one.
 */
export class FlowDesk {
  readonly #options: FlowDeskOptions;
  readonly #visits: GroupCommit<Visit, number | undefined>;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #stopListening: () => void;
  #sweepTimer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #sweeps = 0;
  #closed = false;

  constructor(options: FlowDeskOptions) {
    this.#options = options;
    this.#visits = new GroupCommit<Visit, number | undefined>({
      commit: (visits) => this.#visit(visits),
      batchItemsMax: BATCH_ITEMS_MAX,
      waitingItemsMax: Infinity, // each belongs to a call that was let in, or to a webhook
      waitMsMax: Infinity,
      overloaded: () => new AppError('OVERLOADED', 'The flow desk is closed.'),
      isItemFault: () => false,
      clock: options.clock,
    });
    this.#stopListening = options.hub.listen([topics.webhooks], (event) => {
      if (event.kind === 'webhook-changed') this.release([event.webhookId]);
    });
  }

  /** Begins to sweep. */
  start(): void {
    this.#sweepTimer = setTimeout(() => {
      this.#sweeping = this.sweep().finally(() => {
        if (!this.#closed) this.start();
      });
    }, SWEEP_MS);
  }

  /**
   * To be called when a call was stored.
   *
   * @returns its place in the queue as {@link readQueuePositions} has it; `undefined` when that can't be said now. The
   *   call is stored all the same. Never rejects.
   */
  async enter(call: { readonly webhookId: string; readonly callId: string }): Promise<number | undefined> {
    return await this.#visits.add(call).catch(() => undefined);
  }

  /** The present place of a call in its queue; `undefined` when it has ended or that can't be said now. */
  async positionOf(callId: string): Promise<number | undefined> {
    const positions = await readQueuePositions(this.#options.pool, [callId]).catch(() => undefined);
    return positions?.get(callId);
  }

  /** To be called when something of these webhooks may have a turn now. Does not wait. */
  release(webhookIds: readonly string[]): void {
    for (const webhookId of webhookIds) this.#visits.add({ webhookId }).catch(() => undefined);
  }

  /** Looks for everything that stands still although it could go on. Never rejects. Exposed so that a test need not wait. */
  async sweep(): Promise<void> {
    const { pool, log } = this.#options;
    try {
      if (this.#sweeps % SWEEPS_PER_SEARCH === 0) await markEnded(pool);
      this.#sweeps += 1;
      const webhookIds = await webhooksToRelease(pool);
      await Promise.all(webhookIds.map((webhookId) => this.#visits.add({ webhookId })));
    } catch (error) {
      if (!this.#closed) log.warn({ err: error }, 'the search for calls whose turn it is failed');
    }
  }

  /** Resolves when no release is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    clearTimeout(this.#sweepTimer);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#visits.close();
    await this.#sweeping;
  }

  async #visit(visits: readonly Visit[]): Promise<readonly (number | undefined)[]> {
    const { pool, log } = this.#options;
    for (const webhookId of new Set(visits.map((visit) => visit.webhookId))) {
      await this.#releaseAll(webhookId).catch((error: unknown) => {
        log.warn({ err: error, webhookId }, 'calls could not be released; the next sweep does it');
      });
    }
    const callIds = visits.flatMap(({ callId }) => callId ?? []);
    const positions = callIds.length === 0 ? undefined : await readQueuePositions(pool, callIds).catch(() => undefined);
    // What is no longer there has run to its end in the meantime.
    return visits.map(({ callId }) => (callId === undefined ? undefined : positions && (positions.get(callId) ?? 0)));
  }

  async #releaseAll(webhookId: string): Promise<void> {
    const { pool, shard } = this.#options;
    for (;;) {
      const { more, nextDueMs } = await releaseCalls(pool, shard, webhookId);
      if (more) continue;
      this.#wakeAfter(webhookId, nextDueMs);
      return;
    }
  }

  /** So that a call runs when it is due, and not only at the next sweep. */
  #wakeAfter(webhookId: string, dueMs: number | undefined): void {
    clearTimeout(this.#timers.get(webhookId));
    this.#timers.delete(webhookId);
    if (dueMs === undefined || this.#closed) return;
    const timer = setTimeout(
      () => {
        this.#timers.delete(webhookId);
        this.release([webhookId]);
      },
      Math.min(Math.ceil(dueMs), TIMER_MS_MAX),
    );
    timer.unref();
    this.#timers.set(webhookId, timer);
  }
}

import type { Sql } from '../db/database.js';
import { topics } from '../events/event.js';
import type { EventHub } from '../events/event-hub.js';
import type { Clock } from '../lib/clock.js';
import { standingExecutions } from './call-results.js';
import type { ExecutionView } from './execution-view.js';
import { readCallExecutions } from './read-executions.js';
import { isTerminal } from './states.js';

/** Events are hints and a connection can be half open: the rows are read this often even when nothing is heard. */
const POLL_MS = 2_000;

export interface CallWaitOptions {
  readonly hub: EventHub;
  readonly sql: Sql;
  readonly clock: Clock;
}

/** Somebody waits for a call to end. It can be waited for once; `cancel` is safe at any time and more than once. */
export interface CallWait {
  /**
   * Resolves with the call's executions when all of them are terminal, in the order of the webhook's workers, or with
   * `undefined` when the deadline passed first or the wait was cancelled.
   *
   * @param deadlineMs from now.
   */
  finished(deadlineMs: number): Promise<readonly ExecutionView[] | undefined>;
  cancel(): void;
}

/**
 * Starts to listen for the end of a call. Begun before the call's commit, it misses no end: whatever is published
 * later is already subscribed to, and a lost connection is made up for by `resync` and by polling.
 *
 * @param isStored the call was committed before, so it may have ended already: it is read at once.
 */
export function beginWait(options: CallWaitOptions, callId: string, isStored = false): CallWait {
  const { hub, sql, clock } = options;
  let heard = isStored;
  let cancelled = false;
  let wake: (() => void) | undefined;
  const stopListening = hub.listen([topics.callFinished(callId)], () => {
    heard = true;
    wake?.();
  });

  /** Resolves when something was heard since the last reading, after `timeoutMs`, or on cancel. */
  const somethingHeard = async (timeoutMs: number): Promise<void> => {
    if (heard || cancelled) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      wake = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    wake = undefined;
    clearTimeout(timer);
  };

  const terminalExecutions = async (): Promise<readonly ExecutionView[] | undefined> => {
    // The call is stored already: a database that is away for a moment delays the answer and is no reason to fail it.
    const executions = standingExecutions(await readCallExecutions(sql, callId).catch(() => []));
    const finished = executions.length > 0 && executions.every((execution) => isTerminal(execution.status));
    return finished ? executions : undefined;
  };

  return {
    finished: async (deadlineMs) => {
      const untilMs = clock.monotonicMs() + deadlineMs;
      try {
        for (;;) {
          const remainingMs = untilMs - clock.monotonicMs();
          await somethingHeard(Math.max(0, Math.min(POLL_MS, remainingMs)));
          if (cancelled) return undefined;
          heard = false;
          const executions = await terminalExecutions();
          if (executions !== undefined || clock.monotonicMs() >= untilMs) return executions;
        }
      } finally {
        stopListening();
      }
    },
    cancel: () => {
      cancelled = true;
      stopListening();
      wake?.();
    },
  };
}

import type { ExecutionView } from '../executions/execution-view.js';

/** The wait when an execution's error names none, in milliseconds. */
const RETRY_AFTER_MS = 1_000;

/**
 * Whether the only reason why executions did not succeed is that a model had no room for them.
 *
 * @param executions terminal ones.
 * @returns after how many milliseconds from `nowMs` the call may be sent again; `undefined` when it is not so.
 */
export function modelLimitedMs(executions: readonly ExecutionView[], nowMs: number): number | undefined {
  const failures = executions.filter(({ status }) => status !== 'SUCCEEDED' && status !== 'SKIPPED');
  if (failures.length === 0 || failures.some(({ error }) => error?.code !== 'MODEL_RATE_LIMITED')) return undefined;
  const waitsMs = failures.map(({ error, finishedAt }) => {
    const fromMs = finishedAt?.getTime() ?? nowMs;
    return fromMs + (error?.retryAfterMs ?? RETRY_AFTER_MS) - nowMs;
  });
  return Math.max(1, ...waitsMs);
}

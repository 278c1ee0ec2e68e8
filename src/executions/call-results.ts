import type { ExecutionMode } from '../calls/call-modes.js';
import { ERROR_CODES } from '../errors.js';
import { formatId } from '../lib/ids.js';
import { jsonObject, type JsonText } from '../lib/json-text.js';
import type { ExecutionView } from './execution-view.js';

/** Of what call, and of what time, an answer or callback speaks. */
export interface ResultsHead {
  readonly success: boolean;
  /** A UUID. */
  readonly webhookId: string;
  readonly executionMode: ExecutionMode;
  /** Unix milliseconds. */
  readonly timestampMs: number;
}

/** The first members, in the order that is documented to callers; the object stays open. */
export function resultsOpening({ success, webhookId, executionMode, timestampMs }: ResultsHead): string {
  const mode = executionMode === 'SYNC' ? 'sync' : 'async';
  const timestamp = new Date(timestampMs).toISOString();
  return `{"success":${success},"webhookId":"${formatId('webhook', webhookId)}","timestamp":"${timestamp}","executionMode":"${mode}"`;
}

/** Without those that were retried: for each worker of the call, the execution whose result counts. */
export function standingExecutions(executions: readonly ExecutionView[]): readonly ExecutionView[] {
  return executions.filter(({ retriedBy }) => retriedBy === null);
}

/** One entry of `results`: what became of an execution that is terminal. */
export function resultText(execution: ExecutionView): JsonText {
  const success = execution.status === 'SUCCEEDED';
  return jsonObject([
    ['workerId', execution.workerId],
    ['executionId', formatId('execution', execution.id)],
    ['success', success],
    ['promptTokens', execution.promptTokens ?? undefined],
    ...(success ? [['result', execution.result ?? ('null' as JsonText), 'raw'] as const] : []),
    ['error', success ? undefined : failureText(execution)],
    ['code', success ? undefined : (execution.error?.code ?? execution.status)],
  ]);
}

/** Why an execution that is terminal has no result, for a person. */
export function failureText(execution: Pick<ExecutionView, 'status' | 'error'>): string {
  if (execution.error !== null) return execution.error.message;
  if (execution.status === 'SKIPPED') return 'Skipped: a worker before it in the sequence did not succeed.';
  if (execution.status === 'CANCELED') return ERROR_CODES.CANCELED;
  return execution.status === 'TIMED_OUT' ? ERROR_CODES.WORKER_TIMED_OUT : ERROR_CODES.WORKER_FAILED;
}

/** Of how many workers an answer or callback says that they did not succeed. */
export function failedWorkersText(failed: number, all: number): string {
  return `${failed} of ${all} workers did not succeed.`;
}

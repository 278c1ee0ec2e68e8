import type { CallView } from '../calls/read-call.js';
import { failedWorkersText, resultsOpening, resultText } from '../executions/call-results.js';
import type { ExecutionView } from '../executions/execution-view.js';
import { formatId } from '../lib/ids.js';

/** A call whose executions are all terminal. */
export interface EndedCall extends CallView {
  readonly finishedAt: Date;
}

/**
 * What a receiver is told: the answer that a sync caller of the call would have got, with its times. It is the same for
 * every attempt.
 *
 * @param executions in the order of the webhook's workers.
 */
export function callbackBody(call: EndedCall, executions: readonly ExecutionView[]): string {
  const failed = executions.filter(({ status }) => status !== 'SUCCEEDED').length;
  const opening = resultsOpening({
    success: failed === 0,
    webhookId: call.webhookId,
    executionMode: call.executionMode,
    timestampMs: call.finishedAt.getTime(),
  });
  const more = {
    callId: formatId('call', call.id),
    status: 'completed',
    outcome: call.outcome,
    receivedAt: call.receivedAt,
    finishedAt: call.finishedAt,
    durationMs: call.durationMs,
    isTest: call.isTest,
    ...(failed > 0 && { error: failedWorkersText(failed, executions.length) }),
  };
  return `${opening},"results":[${executions.map(resultText).join(',')}],${JSON.stringify(more).slice(1)}`;
}

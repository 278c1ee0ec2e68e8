import { BY_HAND_WEBHOOK_ID } from '../calls/by-hand.js';
import type { CallSummary } from '../calls/call-summary.js';
import type { ExecutionView } from '../executions/execution-view.js';
import type { AcceptedCall, AcceptOutcome } from '../webhooks/accept-outcome.js';
import { modelLimitedMs } from '../webhooks/model-limited.js';
import { formatId } from '../lib/ids.js';
import { answerOutcome } from './outcome-response.js';

/**
 * The body that the caller of a stored call was answered, made again from what is stored; what only the moment knew
 * (the request's id, the place in a queue) is not in it.
 *
 * @param executions all of the call's, also those that were retried since.
 * @returns `undefined` while a sync caller waits, of a call that was not accepted, and of a run by hand: it had no caller.
 */
export function responseOfCall(call: CallSummary, executions: readonly ExecutionView[]): string | undefined {
  const outcome = outcomeOf(call, executions);
  if (outcome === undefined) return undefined;
  const { body } = answerOutcome(outcome, {
    webhookId: formatId('webhook', call.webhookId),
    requestId: '',
    nowMs: (outcome.type === 'accepted' ? call.receivedAt : (call.finishedAt ?? call.receivedAt)).getTime(),
    signLink: (path) => path,
  });
  return body.toString().replace(/,"requestId":""/, '');
}

function outcomeOf(
  { id, webhookId, executionMode, httpStatus, finishedAt, outcome }: CallSummary,
  all: readonly ExecutionView[],
): AcceptOutcome | undefined {
  if (!ACCEPTED.has(outcome) || webhookId === BY_HAND_WEBHOOK_ID) return undefined;
  const executions = all.filter(({ retryOf }) => retryOf === null);
  const started = executions.map(({ id: executionId, workerId }) => ({ executionId, workerId }));
  const call: AcceptedCall = { callId: id, webhookId, executionMode, executions: started };
  if (httpStatus === 202) return { type: 'accepted', call };
  if (httpStatus === null || finishedAt === null) return undefined;
  if (httpStatus !== 429) return { type: 'completed', call, executions };
  const retryAfterMs = modelLimitedMs(executions, finishedAt.getTime()) ?? 1_000;
  return { type: 'model-limited', call, executions, retryAfterMs };
}

const ACCEPTED: ReadonlySet<CallSummary['outcome']> = new Set(['ACCEPTED', 'SUCCEEDED', 'FAILED', 'SUPERSEDED']);

import { createHash } from 'node:crypto';
import type { CallView } from '../calls/read-call.js';
import { failureText } from '../executions/call-results.js';
import { type ExecutionStepView, OUTPUT_SHOWN_MAX, type StepOutput } from '../executions/read-steps.js';
import type { ExecutionView } from '../executions/execution-view.js';
import { isTerminal } from '../executions/states.js';
import { formatId } from '../lib/ids.js';
import { asJsonText, jsonArray, jsonObject, type JsonMember, type JsonText } from '../lib/json-text.js';

/** GET /api/v1/executions/{id}; `inputParams` are the bytes that were POSTed. */
export function executionBody(execution: ExecutionView, requestBody: Buffer | undefined): Buffer {
  return withInput(executionMembers(execution), requestBody);
}

/** GET /api/v1/calls/{id}: the call with all its executions, in the order of the webhook's workers. */
export function callBody(call: CallView, executions: readonly ExecutionView[]): Buffer {
  const accepted = ['ACCEPTED', 'SUCCEEDED', 'FAILED', 'SUPERSEDED'].includes(call.outcome);
  const members: JsonMember[] = [
    ['callId', formatId('call', call.id)],
    ['webhookId', formatId('webhook', call.webhookId)],
    ['outcome', call.outcome],
    ['executionMode', call.executionMode === 'SYNC' ? 'sync' : 'async'],
    ['dispatch', call.dispatch === 'PARALLEL' ? 'parallel' : 'sequential'],
    ['isTest', call.isTest],
    ['receivedAt', call.receivedAt],
    ['finishedAt', call.finishedAt],
    ['durationMs', call.durationMs],
    ['httpStatus', call.httpStatus],
    ['rejectionReason', call.rejectionReason ?? undefined],
    ['rejectionCode', call.rejectionCode ?? undefined],
    ['executions', jsonArray(executions.map((execution) => jsonObject(executionMembers(execution)))), 'raw'],
  ];
  return withInput(members, accepted ? call.requestBody : undefined); // any other may be anything, or cut short
}

function executionMembers(execution: ExecutionView): JsonMember[] {
  const terminal = isTerminal(execution.status);
  return [
    ['success', terminal ? execution.status === 'SUCCEEDED' : undefined],
    ['executionId', formatId('execution', execution.id)],
    ['callId', formatId('call', execution.callId)],
    ['webhookId', formatId('webhook', execution.webhookId)],
    ['workerId', execution.workerId],
    ['workerVersion', execution.workerVersion],
    ['status', execution.status],
    ['attempt', execution.attempt],
    ['queuedAt', execution.queuedAt],
    ['startedAt', execution.startedAt],
    ['finishedAt', execution.finishedAt],
    ['promptTokens', execution.promptTokens],
    ['completionTokens', execution.completionTokens],
    ['result', execution.result ?? asJsonText('null'), 'raw'],
    ['error', execution.error],
  ];
}

/** Puts the bytes in unread: decoded and encoded again, nothing could promise that they are the same. */
function withInput(members: readonly JsonMember[], requestBody: Buffer | undefined): Buffer {
  const start = jsonObject(members).slice(0, -1);
  return Buffer.concat([Buffer.from(`${start},"inputParams":`), requestBody ?? Buffer.from('null'), Buffer.from('}')]);
}

/** The form of EverWorker's own `execution-result`; times are ISO-8601. */
function plainResultMembers(execution: ExecutionView): JsonMember[] {
  const terminal = isTerminal(execution.status);
  const failed = terminal && execution.status !== 'SUCCEEDED';
  return [
    ['success', !failed],
    ['status', failed ? 'failed' : terminal ? 'ended' : 'started'],
    ['executionStarted', execution.startedAt ?? execution.queuedAt],
    ['executionEnded', execution.finishedAt ?? undefined],
    ...(terminal && !failed ? [['result', execution.result ?? asJsonText('null'), 'raw'] as const] : []),
    ['error', failed ? failureText(execution) : undefined],
  ];
}

/** GET /api/v1/execution-result */
export function plainResultBody(execution: ExecutionView): JsonText {
  return jsonObject(plainResultMembers(execution));
}

/**
 * GET /api/v1/execution-logs: the same, with the durable steps of a workflow or agent.
 *
 * @param outputs what each of the steps gave; one that is too long to be shown is left out.
 */
export function plainLogsBody(
  execution: ExecutionView,
  steps: readonly ExecutionStepView[],
  outputs: readonly (StepOutput | undefined)[],
): JsonText {
  const nodeResults = steps.map((step, i) => {
    const output = outputs[i];
    return jsonObject([
      ['nodeId', step.path],
      ['status', step.status],
      ['attempt', step.attempt],
      ['started', step.startedAt],
      ['ended', step.finishedAt ?? undefined],
      ...(output === undefined || output.length > OUTPUT_SHOWN_MAX ? [] : [['result', output.text, 'raw'] as const]),
      ['error', step.error ?? undefined],
    ]);
  });
  return jsonObject([...plainResultMembers(execution), ['nodeResults', jsonArray(nodeResults), 'raw']]);
}

/** A strong ETag (RFC 9110, 8.8.3) over everything in the answer that changes. */
export function entityTag(executions: readonly ExecutionView[], ...more: readonly (string | number | null)[]): string {
  const state = executions.map((it) => [
    [it.id, it.status, it.attempt, it.workerVersion, it.startedAt, it.finishedAt],
    [it.promptTokens, it.completionTokens, it.error],
  ]);
  return `"${createHash('sha256')
    .update(JSON.stringify([state, more]))
    .digest('base64url')
    .slice(0, 22)}"`;
}

/** Whether `If-None-Match` names this tag; the comparison is the weak one (RFC 9110, 13.1.2). */
export function matchesEntityTag(ifNoneMatch: string, tag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === tag);
}

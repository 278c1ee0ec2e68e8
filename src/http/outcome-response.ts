import type { AcceptedCall, AcceptOutcome } from '../webhooks/accept-outcome.js';
import type { ExecutionView } from '../executions/execution-view.js';
import type { ErrorCode } from '../errors.js';
import { failedWorkersText, resultsOpening, resultText } from '../executions/call-results.js';
import { formatId, parseId } from '../lib/ids.js';
import type { LimitRefusal } from '../rate-limits/limiter.js';
import type { HandshakeAnswer } from '../webhooks/verify/provider/handshake.js';
import type { HttpAnswer } from './answer.js';
import { PATHS } from './paths.js';
import { PROBLEM_JSON, problemAnswer, problemMembers, retryAfterSeconds, statusOf, type Problem } from './problem.js';

export interface AnswerContext {
  /** The webhook's id as it stood in the URL. */
  readonly webhookId: string;
  readonly requestId: string;
  /** When the answer is given, Unix milliseconds. */
  readonly nowMs: number;
  /** Makes a path a link that opens it for a while ({@link LinkSigner.sign}). */
  readonly signLink: (path: string) => string;
}

/** The RFC demands the header; it says the same whatever the webhook's method is, like the text beside it. */
const CHALLENGE = 'Bearer realm="workhook"';

/** After how many seconds it is worth asking for the result of a call that was answered with 202. */
const POLL_AFTER_S = '1';

/** What a POST to a webhook is answered: the only place that knows a status for an outcome. */
export function answerOutcome(outcome: AcceptOutcome, context: AnswerContext): HttpAnswer {
  switch (outcome.type) {
    case 'accepted':
    case 'deadline':
      return answerAccepted(outcome.call, context);
    case 'completed':
      return answerCompleted(outcome.call, outcome.executions, context);
    case 'model-limited':
      return answerModelLimited(outcome.call, outcome.executions, outcome.retryAfterMs, context);
    case 'handshake':
      return answerHandshake(outcome.answer);
    case 'method-not-allowed':
      return refusal('METHOD_NOT_ALLOWED', context, { headers: ['Allow', 'POST'] });
    case 'malformed-id':
      return refusal('MALFORMED_WEBHOOK_ID', { ...context, webhookId: null });
    case 'too-large':
      return tooLarge(context, outcome.bytesMax);
    case 'not-found':
      return refusal('WEBHOOK_NOT_FOUND', context);
    case 'unauthenticated':
      return refusal('AUTHENTICATION_FAILED', context, { headers: ['WWW-Authenticate', CHALLENGE] });
    case 'address-not-allowed':
      return refusal('ADDRESS_NOT_ALLOWED', context);
    case 'inactive':
      return refusal('WEBHOOK_INACTIVE', context);
    case 'rate-limited':
      return answerRateLimited(outcome.refusal, context);
    case 'unsupported-media-type':
      return refusal('UNSUPPORTED_MEDIA_TYPE', context, { detail: outcome.detail });
    case 'malformed-body':
      return refusal('MALFORMED_BODY', context, { detail: outcome.detail });
    case 'ignored':
      return answerIgnored(outcome, context);
    case 'invalid-input': {
      const errors = outcome.faults.map(({ workerId, pointer, message }) => ({
        workerId,
        pointer,
        detail: message,
      }));
      return refusal('INVALID_INPUT', context, { more: { errors } });
    }
    case 'malformed-idempotency-key':
      return refusal('IDEMPOTENCY_KEY_INVALID', context);
    case 'idempotency-mismatch':
      return refusal('IDEMPOTENCY_MISMATCH', context);
    case 'overloaded':
      return refusal('OVERLOADED', context, { headers: retryAfter(outcome.retryAfterMs) });
    case 'unavailable':
      return refusal('STORAGE_UNAVAILABLE', context, { headers: retryAfter(outcome.retryAfterMs) });
  }
}

/** In the sender's own form: it would not take ours. */
function answerHandshake({ status, contentType, body }: HandshakeAnswer): HttpAnswer {
  return { status, headers: ['Content-Type', contentType, 'Cache-Control', 'no-store'], body };
}

/** A problem with what stands in every answer to a webhook. Also for what is refused before there is an outcome. */
export function refusal(
  code: ErrorCode,
  context: { readonly webhookId: string | null; readonly requestId: string; readonly nowMs: number },
  problem: Pick<Problem, 'detail' | 'more' | 'headers'> = {},
): HttpAnswer {
  const { requestId, nowMs } = context;
  // What is no id can be anything, also a secret in the wrong place: it is not shown again.
  const webhookId = parseId('webhook', context.webhookId ?? '') === undefined ? null : context.webhookId;
  return problemAnswer({
    ...problem,
    code,
    requestId,
    first: { webhookId, timestamp: new Date(nowMs).toISOString() },
  });
}

/** @param bytesMax what may come. */
export function tooLarge(context: Parameters<typeof refusal>[1], bytesMax: number): HttpAnswer {
  return refusal('PAYLOAD_TOO_LARGE', context, { detail: `The body is larger than ${bytesMax} bytes.` });
}

/** `success` of a result says here that the execution was started: it is stored and will run. */
function answerAccepted(call: AcceptedCall, context: AnswerContext): HttpAnswer {
  const [only, ...others] = call.executions;
  const callId = formatId('call', call.callId);
  const results: string[] = [];
  for (const { workerId, executionId } of call.executions) {
    results.push(
      `{"workerId":${JSON.stringify(workerId)},"executionId":"${formatId('execution', executionId)}","success":true}`,
    );
  }
  const path =
    only !== undefined && others.length === 0
      ? PATHS.executions + formatId('execution', only.executionId)
      : PATHS.calls + callId;
  return {
    status: 202,
    headers: [
      'Content-Type',
      'application/json',
      'Cache-Control',
      'no-store',
      'Location',
      context.signLink(path),
      'Retry-After',
      POLL_AFTER_S,
      ...ownHeaders(call),
    ],
    body: `${opening(true, call, context)},"results":[${results.join(',')}],"callId":"${callId}","status":"accepted"${positionText(call)}}`,
  };
}

/** A success as far as its sender is concerned: it should neither try again nor give up the webhook. */
function answerIgnored(ignored: Pick<AcceptedCall, 'webhookId' | 'executionMode'>, context: AnswerContext): HttpAnswer {
  return {
    status: 200,
    headers: ['Content-Type', 'application/json', 'Cache-Control', 'no-store'],
    body: `${opening(true, ignored, context)},"results":[],"ignored":true}`,
  };
}

function positionText({ queuePosition }: AcceptedCall): string {
  return queuePosition === undefined ? '' : `,"queuePosition":${queuePosition}`;
}

function answerCompleted(call: AcceptedCall, executions: readonly ExecutionView[], context: AnswerContext): HttpAnswer {
  const failed = executions.filter((execution) => execution.status !== 'SUCCEEDED').length;
  if (failed === 0) {
    const results = executions.map(resultText).join(',');
    const callId = formatId('call', call.callId);
    return {
      status: 200,
      headers: ['Content-Type', 'application/json', 'Cache-Control', 'no-store', ...ownHeaders(call)],
      body: `${opening(true, call, context)},"results":[${results}],"callId":"${callId}","status":"completed"}`,
    };
  }
  return answerFailed('WORKER_FAILED', failedWorkersText(failed, executions.length), call, executions, context);
}

function answerModelLimited(
  call: AcceptedCall,
  executions: readonly ExecutionView[],
  retryAfterMs: number,
  context: AnswerContext,
): HttpAnswer {
  const seconds = retryAfterSeconds(retryAfterMs);
  const detail = `A model has no room for this now; try again in ${seconds} s.`;
  const { headers, ...answer } = answerFailed('MODEL_RATE_LIMITED', detail, call, executions, context);
  return { ...answer, headers: [...headers, 'Retry-After', seconds] };
}

/** A problem with every result before it. */
function answerFailed(
  code: ErrorCode,
  detail: string,
  call: AcceptedCall,
  executions: readonly ExecutionView[],
  context: AnswerContext,
): HttpAnswer {
  const start = `${opening(false, call, context)},"results":[${executions.map(resultText).join(',')}]`;
  const { success: _, ...members } = problemMembers({ code, detail, requestId: context.requestId });
  return {
    status: statusOf(code),
    headers: ['Content-Type', PROBLEM_JSON, 'Cache-Control', 'no-store', ...ownHeaders(call)],
    body: `${start},"callId":"${formatId('call', call.callId)}",${JSON.stringify(members).slice(1)}`,
  };
}

/** What there is to say of this one call besides its results. */
function ownHeaders({ preferenceApplied, isRepeat }: AcceptedCall): readonly string[] {
  if (preferenceApplied === undefined && isRepeat === undefined) return NO_HEADERS;
  return [
    ...(preferenceApplied === undefined ? [] : ['Preference-Applied', preferenceApplied]),
    ...(isRepeat === undefined ? [] : ['Idempotent-Replayed', 'true']),
  ];
}

const NO_HEADERS: readonly string[] = [];

function opening(
  success: boolean,
  { webhookId, executionMode }: Pick<AcceptedCall, 'webhookId' | 'executionMode'>,
  { nowMs }: AnswerContext,
): string {
  return resultsOpening({ success, webhookId, executionMode, timestampMs: nowMs });
}

/** `RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers-11: names are strings, times seconds. */
function answerRateLimited(limit: LimitRefusal, context: AnswerContext): HttpAnswer {
  const seconds = retryAfterSeconds(limit.retryAfterMs);
  return refusal('RATE_LIMITED', context, {
    detail: `The ${limit.policy} limit of ${limit.perMinute} calls a minute is exhausted; try again in ${seconds} s.`,
    more: { policy: limit.policy, retryAfterMs: limit.retryAfterMs },
    headers: [
      'Retry-After',
      seconds,
      'RateLimit-Policy',
      `"${limit.policy}";q=${limit.perMinute};w=${Math.ceil(limit.windowMs / 1000)}`,
      'RateLimit',
      `"${limit.policy}";r=0;t=${seconds}`,
    ],
  });
}

function retryAfter(retryAfterMs: number): string[] {
  return ['Retry-After', retryAfterSeconds(retryAfterMs)];
}

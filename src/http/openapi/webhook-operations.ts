import { ERROR_CODES, type ErrorCode } from '../../errors.js';
import { JSON_DEPTH_MAX } from '../../lib/json-scan.js';
import { PROBLEM_JSON, problemMembers } from '../problem.js';
import {
  type DocumentFacts,
  EXAMPLE,
  type OperationForm,
  type ParameterForm,
  type ResponseForm,
  type ResponseForms,
} from './form.js';
import { always, CALL_HEADERS, headersOf, LOCATION, RETRY_AFTER } from './headers.js';
import { DEFAULT_RESPONSE, problemResponses, TRANSPORT_PROBLEMS } from './problems.js';
import { idSchema } from './schemas.js';
import { CALL_SECURITY, NO_SECURITY } from './security.js';

/** Every problem that a POST is answered with, but a worker's own failure. */
const POST_PROBLEMS: readonly ErrorCode[] = [
  'MALFORMED_WEBHOOK_ID',
  'MALFORMED_BODY',
  'INVALID_INPUT',
  'IDEMPOTENCY_KEY_INVALID',
  ...TRANSPORT_PROBLEMS,
  'AUTHENTICATION_FAILED',
  'ADDRESS_NOT_ALLOWED',
  'WEBHOOK_INACTIVE',
  'HTTPS_REQUIRED',
  'WEBHOOK_NOT_FOUND',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'IDEMPOTENCY_MISMATCH',
  'RATE_LIMITED',
  'OVERLOADED',
  'STORAGE_UNAVAILABLE',
];

const GET_PROBLEMS: readonly ErrorCode[] = [
  'MALFORMED_WEBHOOK_ID',
  ...TRANSPORT_PROBLEMS,
  'AUTHENTICATION_FAILED',
  'ADDRESS_NOT_ALLOWED',
  'HTTPS_REQUIRED',
  'METHOD_NOT_ALLOWED',
  'STORAGE_UNAVAILABLE',
];

const WEBHOOK_ID: ParameterForm = {
  name: 'webhookId',
  in: 'path',
  required: true,
  description: "The webhook's id.",
  schema: idSchema('webhook'),
  example: EXAMPLE.webhookId,
};

export const REQUEST_ID: ParameterForm = {
  name: 'X-Request-Id',
  in: 'header',
  description: 'Comes back in the answer, and stands in the log; one of another form is replaced.',
  schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,128}$' },
};

const { webhookId, callId, executionId, workerId, timestamp } = EXAMPLE;
const opening = (success: boolean, executionMode: string): object => ({
  success,
  webhookId,
  timestamp,
  executionMode,
});

function accepted(): ResponseForm {
  const results = [{ workerId, executionId, success: true }];
  return {
    description:
      'Stored, and the work goes on: an async call, or a sync one whose deadline has passed. Sent after COMMIT.',
    headers: headersOf({ Location: LOCATION, 'Retry-After': always(RETRY_AFTER), ...CALL_HEADERS }, false),
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/CallAccepted' },
        examples: {
          async: { value: { ...opening(true, 'async'), results, callId, status: 'accepted' } },
          queued: { value: { ...opening(true, 'async'), results, callId, status: 'accepted', queuePosition: 3 } },
        },
      },
    },
  };
}

function completed(): ResponseForm {
  const results = [{ workerId, executionId, success: true, promptTokens: 912, result: { priority: 'high' } }];
  return {
    description:
      "A sync call whose workers all succeeded; one that the webhook's filter does not take; or the answer to a sender that tries the address.",
    headers: headersOf(CALL_HEADERS, false),
    content: {
      'application/json': {
        schema: {
          anyOf: ['CallCompleted', 'CallIgnored', 'Handshake'].map((name) => ({
            $ref: `#/components/schemas/${name}`,
          })),
        },
        examples: {
          completed: { value: { ...opening(true, 'sync'), results, callId, status: 'completed' } },
          ignored: { value: { ...opening(true, 'async'), results: [], ignored: true } },
          handshake: { summary: 'Slack tries the address', value: { challenge: '3eZbrw1aB' } },
        },
      },
      'text/plain; charset=utf-8': {
        schema: { type: 'string', description: "Microsoft Graph's validationToken, as it came." },
        examples: { handshake: { value: 'Validation: 7a1c' } },
      },
    },
  };
}

function failed(): ResponseForm {
  return {
    description: 'A sync call of which one or more workers did not succeed, with every result.',
    headers: headersOf(CALL_HEADERS, false),
    content: {
      [PROBLEM_JSON]: {
        schema: { $ref: '#/components/schemas/CallFailed' },
        examples: { WORKER_FAILED: { value: failedExample('WORKER_FAILED', '1 of 1 workers did not succeed.') } },
      },
    },
  };
}

function failedExample(code: ErrorCode, detail: string): object {
  const results = [{ workerId, executionId, success: false, error: ERROR_CODES[code], code }];
  const { success: _, ...problem } = problemMembers({ code, detail, requestId: EXAMPLE.requestId });
  return { ...opening(false, 'sync'), results, callId, ...problem };
}

/** 429 has two forms: nothing was accepted, or a sync call ran and found no room at a model. */
function withModelLimited(problems: ResponseForms): ResponseForms {
  const limited = problems['429'] as ResponseForm;
  const { schema, examples } = limited.content![PROBLEM_JSON]!;
  const code = 'MODEL_RATE_LIMITED';
  return {
    ...problems,
    '429': {
      description: `${limited.description}\n\n\`${code}\`: ${ERROR_CODES[code]} Only of sync calls, with every result.`,
      headers: { ...limited.headers, ...headersOf(CALL_HEADERS, false) },
      content: {
        [PROBLEM_JSON]: {
          schema: { oneOf: [schema, { $ref: '#/components/schemas/CallLimited' }] },
          examples: {
            ...examples,
            [code]: { value: failedExample(code, 'A model has no room for this now; try again in 9 s.') },
          },
        },
      },
    },
  };
}

/** POST /api/v1/webhooks/{webhookId} */
export function callOperation(facts: DocumentFacts): OperationForm {
  const { bodyBytesMax, syncTimeoutMs, preferWaitMsMax, idempotencyWindowMs } = facts;
  return {
    operationId: 'callWebhook',
    summary: 'Call a webhook',
    description: `The JSON body goes unchanged to the webhook's workers. At most ${bodyBytesMax} bytes unless the webhook says, nested at most ${JSON_DEPTH_MAX} deep, UTF-8 without a byte order mark, no Content-Encoding.`,
    tags: ['Calls'],
    security: CALL_SECURITY,
    parameters: [
      WEBHOOK_ID,
      {
        name: 'Idempotency-Key',
        in: 'header',
        description: `A repeat under the same key is answered as the first call, for ${idempotencyWindowMs / 3_600_000} h unless the webhook says. Bare or quoted.`,
        schema: { type: 'string', minLength: 1, maxLength: 257 },
        example: 'order-7',
      },
      {
        name: 'Prefer',
        in: 'header',
        description: `\`respond-async\`: 202 at once. \`wait=N\`: the results within N seconds, ${preferWaitMsMax / 1_000} at most. A sync webhook waits ${syncTimeoutMs / 1_000} s without it, unless it says.`,
        schema: { type: 'string' },
        example: 'wait=20',
      },
      REQUEST_ID,
    ],
    requestBody: {
      required: true,
      description: 'Any `application/*+json` is JSON, too. Twilio and Slack may send forms.',
      content: {
        'application/json': {
          schema: { type: 'object', description: 'Arrays for senders that send them.' },
          examples: { order: { value: { event: 'order.created', id: 1 } } },
        },
      },
    },
    responses: {
      '200': completed(),
      '202': accepted(),
      '204': {
        description: 'The answer to an event ping of Discord.',
        headers: headersOf({}, false),
      },
      ...withModelLimited(problemResponses(POST_PROBLEMS, 'ingress')),
      '500': failed(),
      default: DEFAULT_RESPONSE,
    },
  };
}

function query(name: string, description: string, example: string): ParameterForm {
  return { name, in: 'query', description, schema: { type: 'string' }, example };
}

/** GET /api/v1/webhooks/{webhookId} */
export function handshakeOperation(): OperationForm {
  return {
    operationId: 'confirmSubscription',
    summary: 'Answer the handshake of Meta',
    description: 'By which Meta and WhatsApp confirm a subscription. Any other GET is 405.',
    tags: ['Calls'],
    security: NO_SECURITY,
    parameters: [
      WEBHOOK_ID,
      query('hub.mode', 'What is asked.', 'subscribe'),
      query('hub.verify_token', "The webhook's id.", webhookId),
      query('hub.challenge', 'What is to be answered.', '1158201444'),
      REQUEST_ID,
    ],
    responses: {
      '200': {
        description: 'The challenge, as it came.',
        headers: headersOf({}, false),
        content: {
          'text/plain; charset=utf-8': {
            schema: { type: 'string' },
            examples: { challenge: { value: '1158201444' } },
          },
        },
      },
      ...problemResponses(GET_PROBLEMS, 'ingress'),
      default: DEFAULT_RESPONSE,
    },
  };
}

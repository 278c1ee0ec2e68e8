import { STEP_STATUSES } from '../../executions/read-steps.js';
import { CALL_OUTCOMES } from '../../calls/call.entity.js';
import { EXECUTION_STATUSES } from '../../executions/states.js';
import { ID_PREFIXES, type IdKind } from '../../lib/ids.js';
import type { Schema } from './form.js';

export function idSchema(kind: IdKind): Schema {
  return { type: 'string', pattern: `^${ID_PREFIXES[kind]}[0-9a-hjkmnp-tv-z]{26}$` };
}

const WORKER_ID: Schema = { type: 'string', pattern: '^worker-[a-z0-9-]{1,63}$' };
const TIME: Schema = { type: 'string', format: 'date-time' };
const TOKENS: Schema = { type: ['integer', 'null'], minimum: 0 };
const ANY: Schema = {};

function object(required: readonly string[], properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', required, properties };
}

function orNull(schema: Schema): Schema {
  return { ...schema, type: [schema['type'] as string, 'null'] };
}

/** What stands first in every answer to a POST, in this order. */
const OPENING = ['success', 'webhookId', 'timestamp', 'executionMode', 'results'] as const;

const OPENING_PROPERTIES: Readonly<Record<string, Schema>> = {
  success: { type: 'boolean', description: 'False when a worker did not succeed.' },
  webhookId: idSchema('webhook'),
  timestamp: { ...TIME, description: 'Of the answer.' },
  executionMode: { enum: ['sync', 'async'], type: 'string', description: '`sync`: the answer waited.' },
  results: {
    type: 'array',
    description: "In the order of the webhook's workers.",
    items: { $ref: '#/components/schemas/CallResult' },
  },
};

const AFTER_PROPERTIES: Readonly<Record<string, Schema>> = {
  callId: { ...idSchema('call'), description: 'For `GET /api/v1/calls/{callId}`.' },
};

/** The members of RFC 9457 and ours. */
export const PROBLEM_PROPERTIES: Readonly<Record<string, Schema>> = {
  success: { const: false },
  error: { type: 'string', description: 'The same as `detail`.' },
  type: { type: 'string', format: 'uri-reference', pattern: '^/problems/[a-z-]+$' },
  title: { type: 'string', description: 'What the code says in general.' },
  status: { type: 'integer', minimum: 400, maximum: 599 },
  detail: { type: 'string', description: 'What was wrong this time.' },
  code: { type: 'string', description: 'For programs.', pattern: '^[A-Z_]+$' },
  requestId: { type: 'string', description: 'The same as `X-Request-Id`.' },
};

export const PROBLEM_REQUIRED = Object.keys(PROBLEM_PROPERTIES);

/** What a problem of the ingress has besides. */
export const INGRESS_PROBLEM_PROPERTIES: Readonly<Record<string, Schema>> = {
  webhookId: { ...orNull(idSchema('webhook')), description: 'Null when the URL has no id of that form.' },
  timestamp: TIME,
};

const EXECUTION_PROPERTIES: Readonly<Record<string, Schema>> = {
  success: { type: 'boolean', description: 'Only when it is over.' },
  executionId: idSchema('execution'),
  callId: idSchema('call'),
  webhookId: idSchema('webhook'),
  workerId: WORKER_ID,
  workerVersion: { type: ['integer', 'null'], minimum: 1, description: 'Known once it has begun.' },
  status: { type: 'string', enum: EXECUTION_STATUSES },
  attempt: { type: 'integer', minimum: 0 },
  queuedAt: TIME,
  startedAt: orNull(TIME),
  finishedAt: orNull(TIME),
  promptTokens: TOKENS,
  completionTokens: TOKENS,
  result: { ...ANY, description: 'Whatever the worker gave; null until then.' },
  error: {
    description: 'Why it did not succeed.',
    oneOf: [{ $ref: '#/components/schemas/ExecutionError' }, { type: 'null' }],
  },
};

const without = (names: Readonly<Record<string, Schema>>, ...left: readonly string[]): string[] =>
  Object.keys(names).filter((name) => !left.includes(name));

const INPUT: Schema = { ...ANY, description: 'What was POSTed, byte for byte.' };

const PLAIN_PROPERTIES: Readonly<Record<string, Schema>> = {
  success: { type: 'boolean', description: 'False only when it has failed.' },
  status: { type: 'string', enum: ['started', 'ended', 'failed'] },
  executionStarted: TIME,
  executionEnded: TIME,
  result: ANY,
  error: { type: 'string' },
};

/** The bodies of answers. They are open: members may be added. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  CallResult: object(['workerId', 'executionId', 'success'], {
    workerId: WORKER_ID,
    executionId: idSchema('execution'),
    success: { type: 'boolean', description: 'In a 202: that it was started.' },
    promptTokens: { type: 'integer', minimum: 0 },
    result: { ...ANY, description: 'Of a worker that succeeded.' },
    error: { type: 'string', description: 'Of one that did not.' },
    code: { type: 'string', description: 'The same for programs.' },
  }),
  CallAccepted: object([...OPENING, 'callId', 'status'], {
    ...OPENING_PROPERTIES,
    ...AFTER_PROPERTIES,
    status: { const: 'accepted' },
    queuePosition: {
      type: 'integer',
      minimum: 0,
      description: 'Of a webhook with flow control: its place in the queue, 0 runs now.',
    },
  }),
  CallCompleted: object([...OPENING, 'callId', 'status'], {
    ...OPENING_PROPERTIES,
    ...AFTER_PROPERTIES,
    status: { const: 'completed' },
  }),
  EndedCall: object([...OPENING, 'callId', 'status', 'outcome', 'receivedAt', 'finishedAt', 'durationMs', 'isTest'], {
    ...OPENING_PROPERTIES,
    ...AFTER_PROPERTIES,
    timestamp: { ...TIME, description: "Of the call's end." },
    status: { const: 'completed' },
    outcome: { type: 'string', enum: ['SUCCEEDED', 'FAILED', 'SUPERSEDED'] },
    receivedAt: TIME,
    finishedAt: TIME,
    durationMs: { type: ['integer', 'null'], minimum: 0 },
    isTest: { type: 'boolean' },
    error: { type: 'string', description: 'Of a call that did not succeed.' },
  }),
  CallIgnored: object([...OPENING, 'ignored'], {
    ...OPENING_PROPERTIES,
    results: { type: 'array', maxItems: 0, items: { $ref: '#/components/schemas/CallResult' } },
    ignored: { const: true, description: "The webhook's filter did not take it: nothing was started." },
  }),
  CallFailed: object([...new Set([...OPENING, 'callId', ...PROBLEM_REQUIRED])], {
    ...PROBLEM_PROPERTIES,
    ...OPENING_PROPERTIES,
    ...AFTER_PROPERTIES,
    success: { const: false },
    code: { const: 'WORKER_FAILED' },
  }),
  CallLimited: object([...new Set([...OPENING, 'callId', ...PROBLEM_REQUIRED])], {
    ...PROBLEM_PROPERTIES,
    ...OPENING_PROPERTIES,
    ...AFTER_PROPERTIES,
    success: { const: false },
    code: { const: 'MODEL_RATE_LIMITED' },
  }),
  Handshake: {
    type: 'object',
    description: "An answer to a sender that tries the address, in the sender's own form.",
    minProperties: 1,
    maxProperties: 2,
    properties: {
      success: { const: true },
      handshake: { const: 'ping' },
      challenge: { type: 'string' },
      plainToken: { type: 'string' },
      encryptedToken: { type: 'string' },
      type: { const: 1 },
    },
  },
  ExecutionError: object(['code', 'message', 'retryable'], {
    code: { type: 'string' },
    message: { type: 'string' },
    retryable: { type: 'boolean' },
    retryAfterMs: { type: 'integer', minimum: 0, description: 'After how long from its end the same may work.' },
  }),
  Execution: object([...without(EXECUTION_PROPERTIES, 'success'), 'inputParams'], {
    ...EXECUTION_PROPERTIES,
    inputParams: INPUT,
  }),
  ExecutionOfCall: object(without(EXECUTION_PROPERTIES, 'success'), EXECUTION_PROPERTIES),
  Call: object(
    [
      'callId',
      'webhookId',
      'outcome',
      'executionMode',
      'dispatch',
      'isTest',
      'receivedAt',
      'finishedAt',
      'durationMs',
      'httpStatus',
      'executions',
      'inputParams',
    ],
    {
      callId: idSchema('call'),
      webhookId: idSchema('webhook'),
      outcome: { type: 'string', enum: CALL_OUTCOMES },
      executionMode: { type: 'string', enum: ['sync', 'async'] },
      dispatch: { type: 'string', enum: ['parallel', 'sequential'] },
      isTest: { type: 'boolean' },
      receivedAt: TIME,
      finishedAt: orNull(TIME),
      durationMs: { type: ['integer', 'null'], minimum: 0 },
      httpStatus: { type: ['integer', 'null'], description: 'Null while a sync caller waits.' },
      rejectionReason: { type: 'string' },
      rejectionCode: { type: 'string' },
      executions: { type: 'array', items: { $ref: '#/components/schemas/ExecutionOfCall' } },
      inputParams: INPUT,
    },
  ),
  ExecutionResult: object(['success', 'status', 'executionStarted'], PLAIN_PROPERTIES),
  ExecutionLogs: object(['success', 'status', 'executionStarted', 'nodeResults'], {
    ...PLAIN_PROPERTIES,
    nodeResults: { type: 'array', items: { $ref: '#/components/schemas/NodeResult' } },
  }),
  NodeResult: object(['nodeId', 'status', 'attempt', 'started'], {
    nodeId: { type: 'string' },
    status: { type: 'string', enum: STEP_STATUSES },
    attempt: { type: 'integer', minimum: 1 },
    started: TIME,
    ended: TIME,
    result: ANY,
    error: { $ref: '#/components/schemas/ExecutionError' },
  }),
  Alive: object(['status'], { status: { const: 'alive' } }),
  Readiness: object(['status', 'reasons'], {
    status: { type: 'string', enum: ['ready', 'not ready'] },
    reasons: { type: 'array', items: { type: 'string' } },
  }),
};

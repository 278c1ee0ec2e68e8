import type { ErrorCode } from '../../errors.js';
import {
  type DocumentFacts,
  EXAMPLE,
  type HeaderForms,
  type OperationForm,
  type ParameterForm,
  type ResponseForm,
} from './form.js';
import { always, ETAG, headersOf, PREFERENCE_APPLIED, RETRY_AFTER, VARY } from './headers.js';
import { DEFAULT_RESPONSE, problemResponses, TRANSPORT_PROBLEMS } from './problems.js';
import { idSchema } from './schemas.js';
import { RESULT_SECURITY } from './security.js';
import { REQUEST_ID } from './webhook-operations.js';

const RESULT_PROBLEMS: readonly ErrorCode[] = [
  ...TRANSPORT_PROBLEMS,
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'HTTPS_REQUIRED',
  'NOT_FOUND',
  'GONE',
  'STORAGE_UNAVAILABLE',
];

const EXECUTION_ID: ParameterForm = {
  name: 'executionId',
  in: 'path',
  required: true,
  description: 'From `results` of an answer to a POST.',
  schema: idSchema('execution'),
  example: EXAMPLE.executionId,
};

/** Of a link in `Location`. */
const LINK: readonly ParameterForm[] = [
  {
    name: 'expires',
    in: 'query',
    description: 'Of a signed link: until when it opens, Unix seconds.',
    schema: { type: 'string', pattern: '^[0-9]{1,12}$' },
  },
];

const IF_NONE_MATCH: ParameterForm = {
  name: 'If-None-Match',
  in: 'header',
  description: 'The `ETag` of what the caller has.',
  schema: { type: 'string' },
  example: EXAMPLE.tag,
};

function preferWait({ preferWaitMsMax }: DocumentFacts): ParameterForm {
  return {
    name: 'Prefer',
    in: 'header',
    description: `\`wait=N\`: the answer comes at the end, after N seconds at most, ${preferWaitMsMax / 1_000} at most; with \`If-None-Match\` as soon as there is anything new.`,
    schema: { type: 'string' },
    example: 'wait=20',
  };
}

const RETRY_WHILE_RUNNING: HeaderForms = { 'Retry-After': RETRY_AFTER };
const TAGGED: HeaderForms = { ETag: always(ETAG), ...RETRY_WHILE_RUNNING };
const WAITED: HeaderForms = { ...TAGGED, Vary: always(VARY), 'Preference-Applied': PREFERENCE_APPLIED };

/** What the answer of a route that waits has, whatever it is. */
const WAITING: HeaderForms = { Vary: VARY, 'Preference-Applied': PREFERENCE_APPLIED };

const unchanged = (own: HeaderForms): ResponseForm => ({
  description: 'Nothing has changed since what `If-None-Match` says.',
  headers: headersOf(own, true),
});

const { executionId, callId, webhookId, workerId, timestamp, later } = EXAMPLE;

const EXECUTION = {
  success: true,
  executionId,
  callId,
  webhookId,
  workerId,
  workerVersion: 3,
  status: 'SUCCEEDED',
  attempt: 1,
  queuedAt: timestamp,
  startedAt: timestamp,
  finishedAt: later,
  promptTokens: 912,
  completionTokens: 40,
  result: { priority: 'high' },
  error: null,
};
const INPUT = { event: 'order.created', id: 1 };

const CALL = {
  callId,
  webhookId,
  outcome: 'SUCCEEDED',
  executionMode: 'async',
  dispatch: 'parallel',
  isTest: false,
  receivedAt: timestamp,
  finishedAt: later,
  durationMs: 1_250,
  httpStatus: 202,
  executions: [EXECUTION],
  inputParams: INPUT,
};

const PLAIN = {
  success: true,
  status: 'ended',
  executionStarted: timestamp,
  executionEnded: later,
  result: { priority: 'high' },
};

const STREAM = `retry: 2000\n\nevent: status\nid: 1\ndata: {"at":"${timestamp}","status":"QUEUED"}\n\n`;

function json(schema: string, value: unknown): NonNullable<ResponseForm['content']> {
  return {
    'application/json': { schema: { $ref: `#/components/schemas/${schema}` }, examples: { ended: { value } } },
  };
}

/** GET /api/v1/executions/{executionId} */
export function executionOperation(facts: DocumentFacts): OperationForm {
  return {
    operationId: 'readExecution',
    summary: 'Read, wait for or stream an execution',
    description:
      'With `Accept: text/event-stream` it is streamed: `status` for every change of state, `step` for every durable step, `delta` for every piece of text, `done` with the body of the plain GET; ids are numbers, and `Last-Event-ID` goes on behind one. A comment comes every 15 s.',
    tags: ['Results'],
    security: RESULT_SECURITY,
    parameters: [
      EXECUTION_ID,
      ...LINK,
      IF_NONE_MATCH,
      preferWait(facts),
      {
        name: 'Last-Event-ID',
        in: 'header',
        description: 'Of a stream: the last event that the client has. Also as `?lastEventId=`.',
        schema: { type: 'string', pattern: '^[0-9]{1,9}$' },
        example: '2',
      },
      REQUEST_ID,
    ],
    responses: {
      '200': {
        description: 'The execution as it is now, or its stream.',
        headers: headersOf(
          {
            ...WAITED,
            ETag: ETAG,
            'X-Accel-Buffering': { description: 'Of a stream: no proxy is to hold it back.', schema: { const: 'no' } },
          },
          true,
        ),
        content: {
          ...json('Execution', { ...EXECUTION, inputParams: INPUT }),
          'text/event-stream': {
            schema: { type: 'string', description: 'Events (HTML Standard, 9.2).' },
            examples: { begun: { value: STREAM } },
          },
        },
      },
      '204': {
        description: 'Of a stream: the client has everything, and need not come again.',
        headers: headersOf({ Vary: always(VARY) }, true),
      },
      '304': unchanged(WAITED),
      ...problemResponses([...RESULT_PROBLEMS, 'BAD_USER_INPUT', 'TOO_MANY_WAITERS'], 'koa', WAITING),
      default: DEFAULT_RESPONSE,
    },
  };
}

/** GET /api/v1/calls/{callId} */
export function callResultOperation(facts: DocumentFacts): OperationForm {
  return {
    operationId: 'readCall',
    summary: 'Read or wait for a call with all its executions',
    description: 'A call is over when all its executions are.',
    tags: ['Results'],
    security: RESULT_SECURITY,
    parameters: [
      {
        name: 'callId',
        in: 'path',
        required: true,
        description: 'From an answer to a POST.',
        schema: idSchema('call'),
        example: callId,
      },
      ...LINK,
      IF_NONE_MATCH,
      preferWait(facts),
      REQUEST_ID,
    ],
    responses: {
      '200': { description: 'The call as it is now.', headers: headersOf(WAITED, true), content: json('Call', CALL) },
      '304': unchanged(WAITED),
      ...problemResponses([...RESULT_PROBLEMS, 'TOO_MANY_WAITERS'], 'koa', WAITING),
      default: DEFAULT_RESPONSE,
    },
  };
}

const EXECUTION_IN_QUERY: ParameterForm = { ...EXECUTION_ID, in: 'query' };

/** GET /api/v1/execution-result */
export function plainResultOperation(): OperationForm {
  return {
    operationId: 'readExecutionResult',
    summary: 'Read an execution in the form of EverWorker',
    description: "For programs that were written for EverWorker's own API.",
    tags: ['Results'],
    security: RESULT_SECURITY,
    parameters: [EXECUTION_IN_QUERY, ...LINK, IF_NONE_MATCH, REQUEST_ID],
    responses: {
      '200': {
        description: 'Where it stands.',
        headers: headersOf(TAGGED, true),
        content: json('ExecutionResult', PLAIN),
      },
      '304': unchanged(TAGGED),
      ...problemResponses([...RESULT_PROBLEMS, 'BAD_USER_INPUT'], 'koa'),
      default: DEFAULT_RESPONSE,
    },
  };
}

/** GET /api/v1/execution-logs */
export function plainLogsOperation(): OperationForm {
  const step = {
    nodeId: 'classify',
    status: 'SUCCEEDED',
    attempt: 1,
    started: timestamp,
    ended: later,
    result: 'high',
  };
  return {
    operationId: 'readExecutionLogs',
    summary: 'Read an execution with its steps in the form of EverWorker',
    description: 'The same as `execution-result`, with the durable steps of a workflow or agent.',
    tags: ['Results'],
    security: RESULT_SECURITY,
    parameters: [EXECUTION_IN_QUERY, ...LINK, REQUEST_ID],
    responses: {
      '200': {
        description: 'Where it stands, and its steps.',
        headers: headersOf(RETRY_WHILE_RUNNING, true),
        content: json('ExecutionLogs', { ...PLAIN, nodeResults: [step] }),
      },
      ...problemResponses([...RESULT_PROBLEMS, 'BAD_USER_INPUT'], 'koa'),
      default: DEFAULT_RESPONSE,
    },
  };
}

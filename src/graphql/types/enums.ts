import { registerEnumType } from 'type-graphql';
import type { UserRole } from '../../access/access.entities.js';
import type { Dispatch as DispatchName, ExecutionMode as ExecutionModeName } from '../../calls/call-modes.js';
import type { AlertKind as AlertKindName, AlertStatus as AlertStatusName } from '../../alerts/alert.js';
import type { BulkKind as BulkKindName, BulkStatus as BulkStatusName } from '../../bulk/bulk-operation.js';
import type { CallbackStatus as CallbackStatusName } from '../../callbacks/callback.js';
import type { CallOutcome as CallOutcomeName } from '../../calls/call.entity.js';
import type { ConnectionAuthenticationKind as ConnectionAuthenticationKindName } from '../../connections/connection.entity.js';
import type { StepStatus as StepStatusName } from '../../executions/read-steps.js';
import type { WorkerVersionChoice as WorkerVersionChoiceName } from '../../executions/retry.js';
import type { ExecutionStatus as ExecutionStatusName } from '../../executions/states.js';
import type { ModelProvider as ModelProviderName } from '../../models/model.entity.js';
import type { LimitScope as LimitScopeName } from '../../rate-limits/limit-scope.js';
import type { SecretStatus as SecretStatusName } from '../../webhooks/diagnose/diagnosis.js';
import type { DocumentLimitName } from '../limits/document-limits.js';
import type { WebhookOrderField as WebhookOrderFieldName } from '../../webhooks/manage/list-webhooks.js';
import type { WorkerOrderField as WorkerOrderFieldName } from '../../workers/read-workers.js';
import type { AuthenticationMethod as AuthenticationMethodName } from '../../webhooks/webhook.entity.js';
import type { AgentToolDefinition } from '../../workers/agent/agent-definition.js';
import type { WorkflowStep } from '../../workers/workflow/workflow.js';
import type { WorkerKind as WorkerKindName } from '../../workers/worker.entities.js';

/** An enum's values, each with its description; the compiler sees that none is missing. */
type Described<Name extends string> = Readonly<Record<Name, string>>;

function enumOf<Name extends string>(
  name: string,
  description: string,
  values: Described<Name>,
): { readonly [N in Name]: N } {
  const names = Object.keys(values) as Name[];
  const enumObject = Object.fromEntries(names.map((value) => [value, value])) as { [N in Name]: N };
  const valuesConfig = Object.fromEntries(names.map((value) => [value, { description: values[value] }]));
  registerEnumType(enumObject, {
    name,
    description,
    valuesConfig: valuesConfig as Record<Name, { description: string }>,
  });
  return enumObject;
}

export const ModelProvider = enumOf<ModelProviderName>('ModelProvider', 'Whose protocol a model speaks.', {
  OPENAI_COMPATIBLE: "OpenAI's chat completions at any address: Ollama, vLLM, LM Studio, OpenRouter and many more.",
  OPENAI: "OpenAI's chat completions at api.openai.com; needs a key.",
  ANTHROPIC: "Anthropic's messages.",
  GOOGLE: "Google's Gemini API.",
});

export const AuthenticationMethod = enumOf<AuthenticationMethodName>(
  'AuthenticationMethod',
  'How callers of a webhook prove that they may call it.',
  {
    SECRET_HEADER: 'The secret stands in a header, `X-Webhook-Secret` by default.',
    HMAC_SIGNATURE:
      'The hex HMAC-SHA256 of the raw body, keyed with the secret, stands in a header: `X-Webhook-Signature: sha256=…` by default.',
    BEARER_TOKEN: 'The secret stands in `Authorization: Bearer …`.',
    API_KEY: 'The secret stands in a header, `X-API-Key` by default.',
    CUSTOM_HEADER: 'The secret stands in a header that the user names.',
    PROVIDER: 'As the sender does it that `provider` names; `providers` lists them.',
  },
);

export const ExecutionMode = enumOf<ExecutionModeName>(
  'ExecutionMode',
  'Whether a call is answered with the results or before them.',
  {
    SYNC: 'The response waits for the executions and carries their results.',
    ASYNC: 'The response comes as soon as the call is stored, with the ids of its executions.',
  },
);

export const Dispatch = enumOf<DispatchName>('Dispatch', 'How a call runs the several workers of a webhook.', {
  PARALLEL: 'All workers start at once and end independently of each other.',
  SEQUENTIAL: 'One after the other; the first failure skips the rest.',
});

export const ExecutionStatus = enumOf<ExecutionStatusName>(
  'ExecutionStatus',
  'Where an execution stands. The last five are final and never change.',
  {
    QUEUED: 'It is ready and waits for a free slot of a runner.',
    WAITING: 'It waits for its turn (flow control), for the worker before it, or for the moment of its next attempt.',
    RUNNING: 'A runner holds its lease and an attempt is under way.',
    SUCCEEDED: 'It ended with a result.',
    FAILED: 'Its error is permanent, or it was the last attempt; `error` has the code. `retryExecution` runs it anew.',
    CANCELED: 'Somebody canceled it, or its webhook was deleted while it was paused. What it did until then stays.',
    TIMED_OUT: 'The same, and: attempts before were retried as after a failure.',
    SKIPPED: 'It never ran, because a worker before it failed or a later call took its place.',
  },
);

export const CallOutcome = enumOf<CallOutcomeName>(
  'CallOutcome',
  'What became of a call: two values while and after it runs, the others for calls that started nothing.',
  {
    ACCEPTED: 'It is stored, and not all of its executions have ended.',
    SUCCEEDED: 'Every execution of it succeeded, retries included.',
    FAILED: 'At least one execution did not succeed.',
    SUPERSEDED: 'A call that came soon after it took its place (debounce), so it never ran.',
    REJECTED_AUTHENTICATION:
      'The credential was missing, wrong or expired: 401. `rejectionCode` says which; `diagnoseSignature` explains.',
    REJECTED_ADDRESS: "The caller's address was not one of the webhook's.",
    REJECTED_INACTIVE: 'It was authentic, but the webhook was deactivated: the caller got 403.',
    REJECTED_MALFORMED: 'The body was not acceptable JSON, or a header not well-formed.',
    REJECTED_INPUT: "The body did not fit a worker's input schema, or was not that of the first call with its key.",
    RATE_LIMITED:
      'A rate limit (of the webhook, of its user or of all) was exhausted: the caller got 429 with Retry-After.',
    DUPLICATE: 'It repeated another call, and was answered with that one.',
    HANDSHAKE: 'Its sender only tried the address; nothing was started.',
    IGNORED: "The webhook's filter did not take it; nothing was started.",
  },
);

export const CallbackStatus = enumOf<CallbackStatusName>(
  'CallbackStatus',
  'Whether a callback was received, is still tried or was given up.',
  {
    PENDING: 'An attempt is due or under way.',
    SUCCEEDED: 'The receiver answered 2xx.',
    FAILED: 'It is not tried any more: the schedule is over, the receiver answered 410, or the address is not allowed.',
    SUPERSEDED: "Its call was retried before it was received; the retry's end has a callback of its own.",
  },
);

export const WorkerVersionChoice = enumOf<WorkerVersionChoiceName>(
  'WorkerVersionChoice',
  'At which version workers are run once more.',
  {
    ORIGINAL: 'At the version of the first time.',
    PRESENT: 'At the version that is current when it starts.',
  },
);

export const BulkOperationKind = enumOf<BulkKindName>('BulkOperationKind', 'What a bulk operation does to each.', {
  REPLAY: 'Makes a new call of a call.',
  RETRY: 'Runs an execution once more.',
  CANCEL: 'Ends an execution early.',
  REPLAY_CALLBACKS: 'Sends a callback again.',
});

export const BulkOperationStatus = enumOf<BulkStatusName>('BulkOperationStatus', 'Where a bulk operation stands.', {
  QUEUED: 'No runner has begun with it.',
  RUNNING: 'It is being done.',
  COMPLETED: 'Everything was looked at.',
  CANCELED: 'It was canceled; what it had done stays done.',
});

export const AlertKind = enumOf<AlertKindName>('AlertKind', "What is unusual about a webhook's calls.", {
  FAILURES: 'More of them fail than used to.',
  REJECTIONS: 'More of them are rejected than used to be.',
  SURGE: 'There are many more than there ever were in an hour of the days before.',
  SILENCE: 'None come in a time in which there used to be some.',
});

export const AlertStatus = enumOf<AlertStatusName>('AlertStatus', 'Where an alert stands.', {
  OPEN: 'Nobody has taken note of it.',
  ACKNOWLEDGED: 'Somebody looks after it.',
  RESOLVED: 'Its pattern is over, or somebody has dealt with it.',
});

export const WorkerKind = enumOf<WorkerKindName>(
  'WorkerKind',
  'How a worker does its work, and so which type it has in GraphQL.',
  {
    AGENT: 'A language model with instructions and tools.',
    HTTP: 'An HttpWorker: one request for each attempt, signed (Standard Webhooks) and retried with the same Idempotency-Key.',
    CODE: "A TypeScript function from the operator's folder.",
    WORKFLOW: 'A Workflow: steps whose results are stored, so that a crash or a retry repeats none that finished.',
  },
);

export const RateLimitScope = enumOf<LimitScopeName>('RateLimitScope', 'Whose calls a rate limit counts together.', {
  GLOBAL: 'All calls to all webhooks together.',
  USER: 'All calls to the webhooks that one user made.',
  WEBHOOK: 'The calls of one webhook.',
});

/** Shown in upper case, as GraphQL has it. */
export const UserRoleEnum = enumOf<Uppercase<UserRole>>(
  'UserRole',
  'What a user may do; each role may do all that the ones below it may.',
  {
    OWNER: 'Everything.',
    ADMIN: 'Also users, tokens, models, limits and caps, the audit log and seeing secrets.',
    EDITOR: 'Also changes webhooks, workers and connections, and replaces secrets.',
    OPERATOR: 'Also tests webhooks, runs workers, retries, replays, cancels, approves steps and looks after alerts.',
    VIEWER: 'Reads.',
  },
);

export const ConnectionAuthenticationKind = enumOf<ConnectionAuthenticationKindName>(
  'ConnectionAuthenticationKind',
  'How a connection proves itself to the outside system.',
  {
    NONE: 'No credential is sent.',
    BEARER: 'A token in `Authorization: Bearer …`.',
    BASIC: 'User name and password in `Authorization: Basic …`.',
    HEADER: 'A value in a header that the user names.',
    QUERY: 'A value in a query parameter that the user names.',
  },
);

export const StepStatus = enumOf<StepStatusName>('StepStatus', 'Where a step of an execution stands.', {
  RUNNING: 'It began. In an execution that does not run, its attempt was cut off.',
  WAITING: 'It waits: for a moment, for its next try, or for a person.',
  SUCCEEDED: 'It ended with an output and never runs again.',
  FAILED: 'It ended with an error after its last try; `error` has it.',
  SKIPPED: 'Its `if` was false; it has no output.',
});

export const SecretStatus = enumOf<SecretStatusName>(
  'SecretStatus',
  'Whether a version of a secret may be presented.',
  {
    ACTIVE: 'It may, until it is replaced.',
    RETIRING: 'It may, until it expires.',
    EXPIRED: 'It has expired after a rotation.',
    REVOKED: 'It was ended.',
  },
);

export const AgentToolKind = enumOf<AgentToolDefinition['kind']>(
  'AgentToolKind',
  "Where an agent's tool comes from, and so which fields of AgentTool are set.",
  {
    MCP: 'Tools of an MCP server.',
    HTTP: 'One request through a connection, with the parameters that the model chose.',
    WORKER: 'Another worker, run inside of the execution; the model fills in its input schema.',
  },
);

/** The kinds of steps, as enum values are written. */
export type WorkflowStepKindName = Uppercase<WorkflowStep['kind']>;

export const WorkflowStepKind = enumOf<WorkflowStepKindName>('WorkflowStepKind', 'What a step of a workflow does.', {
  WORKER: "Runs a worker; its result is the step's.",
  HTTP: 'Sends a request through a connection.',
  APPROVAL: 'Waits for a person to approve or reject.',
  FOREACH: 'Does steps for each item of an array.',
  PARALLEL: 'Does lists of steps side by side.',
  WAIT: 'Waits, and holds nothing meanwhile.',
  SWITCH: 'Does the first case that holds.',
  SET: 'Gives values names.',
});

export type ListOrderName = 'NEWEST_FIRST' | 'OLDEST_FIRST';

export const ListOrder = enumOf<ListOrderName>('ListOrder', 'In which order a list is.', {
  NEWEST_FIRST: 'What was made last comes first.',
  OLDEST_FIRST: 'What was made first comes first.',
});

export const DocumentLimit = enumOf<DocumentLimitName>('DocumentLimit', 'What is limited of a document.', {
  TOKENS: 'Lexical tokens: names, values, punctuation.',
  LEVELS: 'Fields below one another, fragments counted where they are used.',
  ALIASES: 'Aliases.',
  DIRECTIVES: 'Directives.',
  ROOT_FIELDS: 'Fields of Query, Mutation or Subscription in one operation.',
});

export const WebhookOrderField = enumOf<WebhookOrderFieldName>('WebhookOrderField', 'By what webhooks are ordered.', {
  CREATED_AT: 'When they were made.',
  UPDATED_AT: 'When they were last changed.',
  NAME: 'Their names, whatever the case.',
});

export const WorkerOrderField = enumOf<WorkerOrderFieldName>('WorkerOrderField', 'By what workers are ordered.', {
  CREATED_AT: 'When they were made.',
  UPDATED_AT: 'When they were last changed.',
  NAME: 'Their names, whatever the case.',
});

export const OrderDirection = enumOf<'ASC' | 'DESC'>('OrderDirection', 'Which way a list is ordered.', {
  ASC: 'The least first: A before Z, the oldest before the newest.',
  DESC: 'The greatest first.',
});

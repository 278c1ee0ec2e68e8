import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { buildSchema, type GraphQLEnumType, type GraphQLInputObjectType, type GraphQLObjectType } from 'graphql';

const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));

/** What programs may rely on: types with their fields. More is welcome, less is a breach. */
const FIELDS: Readonly<Record<string, string>> = {
  Webhook: `id name description url active executionMode dispatch syncTimeout authentication secrets workers version
    callCount lastCalledAt createdAt updatedAt createdBy rateLimit spendCap callbackUrl calls statistics`,
  WebhookAuthentication: 'method headerName prefix provider verifier',
  WebhookSecret: 'id hint createdAt expiresAt lastUsedAt',
  Worker: 'id name description inputSchema outputSchema version webhooks executions',
  AgentWorker: 'id',
  HttpWorker: 'id',
  CodeWorker: 'id',
  Workflow: 'id definition',
  Call: `webhook receivedAt outcome httpStatus durationMs isTest deliveryId sourceIp requestHeaders requestBody
    responseBody rejectionReason replayOf executions`,
  Execution: `call worker workerVersion status attempt queuedAt startedAt finishedAt promptTokens completionTokens cost
    partialText result error steps retryOf events`,
  ExecutionError: 'code message retryable',
  ExecutionEvent: 'cursor seq at execution',
  ExecutionTextDelta: 'offset delta',
  ExecutionStatusChanged: 'cursor',
  ExecutionStepChanged: 'cursor',
  CallStatistics: `total succeeded failed rejected byOutcome p50Ms p95Ms p99Ms promptTokens completionTokens cost
    lastCalledAt buckets`,
  StatisticsBucket: 'start total succeeded failed rejected p95Ms',
  UserError: 'field message code',
  CreateWebhookPayload: 'webhook secret curl userErrors',
  RotateWebhookSecretPayload: 'webhook secret previousSecretExpiresAt userErrors',
  TestWebhookPayload: 'call httpStatus responseBody curl userErrors',
  Query: `node nodes viewer webhook webhooks call calls execution executions worker workers models providers statistics
    users apiTokens rateLimits auditEvents queryCost version`,
  Mutation: `createWebhook updateWebhook deleteWebhook activateWebhook deactivateWebhook testWebhook revealWebhookSecret
    regenerateWebhookSecret rotateWebhookSecret expireWebhookSecret replayCall replayCalls retryExecution cancelExecution
    approveStep rejectStep createAgentWorker updateAgentWorker createHttpWorker updateHttpWorker createWorkflow
    updateWorkflow validateWorkflow deleteWorker runWorker createModel updateModel deleteModel testModel createConnection
    updateConnection deleteConnection createApiToken revokeApiToken inviteUser updateUser disableUser setRateLimit
    setSpendCap`,
  Subscription: 'executionEvents callExecutionEvents webhookExecutionEvents callReceived statisticsUpdated',
};

const ENUMS: Readonly<Record<string, string>> = {
  AuthenticationMethod: 'SECRET_HEADER HMAC_SIGNATURE BEARER_TOKEN API_KEY CUSTOM_HEADER PROVIDER',
  ExecutionMode: 'SYNC ASYNC',
  Dispatch: 'PARALLEL SEQUENTIAL',
  ExecutionStatus: 'QUEUED WAITING RUNNING SUCCEEDED FAILED CANCELED TIMED_OUT SKIPPED',
  CallOutcome: `ACCEPTED SUCCEEDED FAILED REJECTED_AUTHENTICATION REJECTED_INACTIVE REJECTED_MALFORMED REJECTED_INPUT
    RATE_LIMITED DUPLICATE HANDSHAKE`,
  WorkerKind: 'AGENT HTTP CODE WORKFLOW',
};

/** Inputs with the types and defaults that programs send by; what is added to them must be optional. */
const INPUTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  CreateWebhookInput: {
    name: 'String!',
    description: 'String',
    workerIds: '[ID!]!',
    executionMode: 'ExecutionMode! = ASYNC',
    dispatch: 'Dispatch! = PARALLEL',
    active: 'Boolean! = true',
    syncTimeout: 'Duration',
    authentication: 'WebhookAuthenticationInput!',
  },
  WebhookAuthenticationInput: {
    method: 'AuthenticationMethod!',
    headerName: 'String',
    headerPrefix: 'String',
    provider: 'ID',
    secret: 'String',
  },
  UpdateWebhookInput: {
    id: 'ID!',
    expectedVersion: 'Int',
    name: 'String',
    description: 'String',
    workerIds: '[ID!]',
    executionMode: 'ExecutionMode',
    dispatch: 'Dispatch',
    active: 'Boolean',
    syncTimeout: 'Duration',
    authentication: 'WebhookAuthenticationInput',
  },
  DeleteWebhookInput: { id: 'ID!' },
  RevealWebhookSecretInput: { id: 'ID!' },
  RegenerateWebhookSecretInput: { id: 'ID!' },
  RotateWebhookSecretInput: { id: 'ID!', overlap: 'Duration = "PT24H"', secret: 'String' },
  TestWebhookInput: { id: 'ID!', payload: 'JSON!', headers: 'JSON' },
};

const ARGUMENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Subscription.executionEvents': { executionId: 'ID!', after: 'String' },
  'Subscription.callExecutionEvents': { callId: 'ID!', after: 'String' },
  'Subscription.callReceived': { webhookId: 'ID' },
  'Subscription.webhookExecutionEvents': { webhookId: 'ID!', after: 'String', includeText: 'Boolean! = false' },
  'Subscription.statisticsUpdated': { webhookId: 'ID', interval: 'StatisticsInterval = HOUR' },
  'Query.workers': { first: 'Int', after: 'String', kind: 'WorkerKind', text: 'String' },
};

const words = (text: string): string[] => text.split(/\s+/);

/** As SDL has it: enum values and booleans bare, texts in quotes. */
const printed = ({ type, defaultValue }: { readonly type: unknown; readonly defaultValue?: unknown }): string => {
  if (defaultValue === undefined) return String(type);
  const bare = typeof defaultValue === 'string' && /^[A-Z]+$/.test(defaultValue);
  return `${String(type)} = ${bare ? defaultValue : JSON.stringify(defaultValue)}`;
};

describe('the schema that programs rely on', () => {
  it.each(Object.entries(FIELDS))('%s has its fields', (name, fields) => {
    const type = schema.getType(name) as GraphQLObjectType;
    expect(words(fields).filter((field) => !Object.hasOwn(type.getFields(), field))).toEqual([]);
  });

  it.each(Object.entries(ENUMS))('%s has its values', (name, values) => {
    const known = (schema.getType(name) as GraphQLEnumType).getValues().map((value) => value.name);
    expect(words(values).filter((value) => !known.includes(value))).toEqual([]);
  });

  it.each(Object.entries(INPUTS))('%s takes what it took, and nothing more is needed', (name, fields) => {
    const known = (schema.getType(name) as GraphQLInputObjectType).getFields();
    expect(Object.fromEntries(Object.keys(fields).map((field) => [field, printed(known[field]!)]))).toEqual(fields);
    const added = Object.values(known).filter((field) => !Object.hasOwn(fields, field.name));
    expect(added.filter(({ type, defaultValue }) => String(type).endsWith('!') && defaultValue === undefined)).toEqual(
      [],
    );
  });

  it.each(Object.entries(ARGUMENTS))('%s takes its arguments', (path, wanted) => {
    const [type, field] = path.split('.') as [string, string];
    const { args } = (schema.getType(type) as GraphQLObjectType).getFields()[field]!;
    const known = Object.fromEntries(args.map((arg) => [arg.name, printed(arg)]));
    expect(known).toMatchObject(wanted);
  });

  it.each(['DateTime', 'JSON', 'BigInt', 'Duration'])('has the scalar %s', (name) => {
    expect(schema.getType(name)).toBeDefined();
  });

  it('takes one input in every mutation, and answers with userErrors', () => {
    const mutations = Object.values(schema.getMutationType()!.getFields());
    const odd = mutations.filter(({ args, type }) => {
      const payload = schema.getType(String(type).replace('!', '')) as GraphQLObjectType;
      return args.length !== 1 || args[0]!.name !== 'input' || !Object.hasOwn(payload.getFields(), 'userErrors');
    });
    expect(odd.map(({ name }) => name)).toEqual([]);
  });

  it('takes an expected version in every update, and a key in everything that is made, tested and replayed', () => {
    const inputs = Object.values(schema.getTypeMap()).filter(({ name }) => name.endsWith('Input'));
    const without = (names: RegExp, field: string): string[] =>
      inputs
        .filter(({ name }) => names.test(name))
        .filter((type) => !Object.hasOwn((type as GraphQLInputObjectType).getFields(), field))
        .map(({ name }) => name);
    expect(without(/^Update/, 'expectedVersion')).toEqual([]);
    // A login link is shown once: a second one is another. A model that is tested is asked, a callback is sent, each time.
    const eachTime = ['CreateLoginLinkInput', 'TestModelInput', 'ReplayCallbackInput'];
    expect(without(/^(Create|Invite|Run|Test|Replay)/, 'idempotencyKey').toSorted()).toEqual(eachTime.toSorted());
  });
});

import { graphql, type GraphQLFormattedError } from 'graphql';
import { storeCalls } from '../../src/calls/store-calls.js';
import { RejectedCallRecorder } from '../../src/calls/rejected-calls.js';
import type { Principal } from '../../src/access/principal.js';
import { RepeatFinder } from '../../src/calls/repeat-finder.js';
import { EventHub } from '../../src/events/event-hub.js';
import { beginWait } from '../../src/executions/wait-for.js';
import type { GraphqlContext, GraphqlServices } from '../../src/graphql/context.js';
import { FlowDesk } from '../../src/flow/flow-desk.js';
import { presentError } from '../../src/graphql/errors.js';
import { OPERATION_LIMITS } from '../../src/graphql/limits/operation-limits.js';
import { createLoaders } from '../../src/graphql/loaders.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import { responseOfCall } from '../../src/http/response-of-call.js';
import { answerOutcome } from '../../src/http/outcome-response.js';
import { formatId, newUuidV7, parseId } from '../../src/lib/ids.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { CallLimiter } from '../../src/rate-limits/limiter.js';
import { SecretUsage } from '../../src/secrets/secret-usage.js';
import { AcceptCall } from '../../src/webhooks/accept-call.js';
import { SignatureDesk } from '../../src/webhooks/diagnose/diagnose-signature.js';
import { explainRejection } from '../../src/webhooks/diagnose/explain-rejection.js';
import { bodyBytesMaxOf } from '../../src/webhooks/rules/body-limit.js';
import { WebhookCache } from '../../src/webhooks/webhook-cache.js';
import { WorkerRegistry } from '../../src/workers/registry.js';
import { type AdminFixture, openAdminFixture } from './admin-fixture.js';

export interface Answer {
  // eslint-disable-next-line typescript/no-explicit-any -- tests take it apart by their expectations
  readonly data: any;
  readonly errors: readonly GraphQLFormattedError[];
  /** The codes of the errors. */
  readonly codes: readonly unknown[];
}

export interface CallToAdd {
  /** Public ids. */
  readonly webhookId: string;
  readonly workerIds?: readonly string[];
  readonly receivedAtMs?: number;
  readonly body?: string;
}

/** The schema over a real database and a real ingress, without a transport. */
export interface GraphqlFixture extends AdminFixture {
  readonly services: GraphqlServices;
  /** Its sweeps are the test's to ask for. */
  readonly flow: FlowDesk;
  /** Runs a document as somebody: the owner when nobody is named, nobody for `null`. */
  readonly run: (
    document: string,
    variables?: Record<string, unknown>,
    principal?: Principal | null,
  ) => Promise<Answer>;
  /** What a process that stops does to its ingress. */
  releaseWaits(): void;
  /** Makes a webhook and gives its public id. */
  addWebhook(name: string, workerIds: readonly string[], more?: Record<string, unknown>): Promise<string>;
  /** Stores a call as the ingress does and gives public ids. */
  addCall(call: CallToAdd): Promise<{ readonly callId: string; readonly executionIds: readonly string[] }>;
}

/** @param wrap replaces services for what a test is about. */
export async function openGraphqlFixture(
  wrap: (services: GraphqlServices) => GraphqlServices = (services) => services,
): Promise<GraphqlFixture> {
  const admin = await openAdminFixture();
  const { database, keyring, clock, log } = admin;
  const sql = database.pool;
  const hub = new EventHub();
  const rateLimitDefaults = { globalPerMinute: 60_000, userPerMinute: 6_000, webhookPerMinute: 0 };
  const webhooks = new WebhookCache({ sql, hub, keyring, clock, listening: () => false });
  const limiter = new CallLimiter({ database, hub, log, defaults: rateLimitDefaults });
  const rejectedCalls = new RejectedCallRecorder({ sql, clock, log, shard: 1 });
  const repeats = new RepeatFinder(sql, 0);
  const secretUsage = new SecretUsage({ sql, clock, log });
  const outbound = new OutboundClient({ allowedCidrs: ['127.0.0.0/8'] });
  const registry = new WorkerRegistry({ database, hub, runners: [] });
  const flow = new FlowDesk({ pool: sql, hub, shard: 1, clock, log });
  const accept = new AcceptCall({
    webhooks,
    limiter,
    rejectedCalls,
    explain: (...of) => explainRejection({ sql, keyring }, ...of),
    secretUsage,
    store: async (call) => (await storeCalls(sql, 1, [call]))[0]!,
    findRepeat: (key) => repeats.find(key),
    bodyBytesMaxOf: (webhook) => bodyBytesMaxOf({ ...admin, bodyBytesMax: 1_048_576 }, webhook),
    noteTime: () => undefined,
    flow,
    validateInput: (...of) => registry.validateInput(...of),
    beginWait: (callId, isStored) => beginWait({ hub, sql, clock }, callId, isStored),
    publicUrl: () => 'https://hooks.example',
    releaseLimited: async () => undefined, // no model in these tests
    noteDeadline: () => undefined, // no caller of these tests waits
    syncTimeoutMs: 1_000,
    preferWaitMsMax: 2_000,
    idempotencyWindowMs: 86_400_000,
    clock,
    log,
  });
  const services = wrap({
    database,
    hub,
    keyring,
    clock,
    log,
    publicUrl: () => 'https://hooks.example',
    outbound,
    sendTestCall: async (incoming) => {
      const outcome = await accept.accept(incoming);
      const context = { webhookId: incoming.webhookId, requestId: 'test', nowMs: clock.nowMs() };
      const { status, body } = answerOutcome(outcome, { ...context, signLink: (path) => path });
      return { status, body: String(body), callId: 'call' in outcome ? outcome.call.callId : undefined };
    },
    responseOfCall,
    signatures: new SignatureDesk({ sql, keyring, clock, publicUrl: () => 'https://hooks.example' }),
    byHand: {
      pool: sql,
      validateInput: (...of) => registry.validateInput(...of),
      limiter,
      findRepeat: (key) => repeats.find(key),
      clock,
      retentionDays: 0,
    },
    replay: {
      pool: sql,
      webhooks,
      validateInput: (...of) => registry.validateInput(...of),
      clock,
      retentionDays: 0,
    },
    rateLimitDefaults,
    mcpServers: new Set(['shop']),
    bodyBytesCeiling: admin.bodyBytesCeiling,
    version: '1.2.3',
  });
  const schema = buildGraphqlSchema();

  const run: GraphqlFixture['run'] = async (source, variableValues = {}, as = admin.owner) => {
    const principal = as ?? undefined;
    const requestId = 'request-1';
    const loaders = createLoaders(services, principal);
    const rules = { introspection: true, limits: OPERATION_LIMITS };
    const contextValue: GraphqlContext = { services, principal, requestId, rules, loaders };
    const { data, errors = [] } = await graphql({ schema, source, variableValues, contextValue });
    const shown = errors.map((error) => presentError(error, { requestId, log, suggestions: true }));
    return { data, errors: shown, codes: shown.map((error) => error.extensions?.['code']) };
  };

  return {
    ...admin,
    services,
    flow,
    run,
    releaseWaits: () => accept.releaseWaits(),
    addWebhook: async (name, workerIds, more = {}) => {
      const input = { name, workerIds, authentication: { method: 'HMAC_SIGNATURE' }, ...more };
      const { data, errors } = await run(
        'mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { webhook { id } userErrors { message } } }',
        { input },
      );
      if (!data?.createWebhook.webhook) throw new Error(JSON.stringify({ data, errors }));
      return data.createWebhook.webhook.id as string;
    },
    addCall: async ({ webhookId: id, workerIds = [], receivedAtMs = Date.now(), body = '{}' }) => {
      const webhookId = parseId('webhook', id)!;
      const { rows } = await sql.query<{ version: number }>('select version from webhooks where id = $1', [webhookId]);
      const executions = workerIds.map((workerId) => ({ executionId: newUuidV7(receivedAtMs), workerId }));
      const callId = newUuidV7(receivedAtMs);
      const [stored] = await storeCalls(sql, 1, [
        {
          callId,
          webhookId,
          webhookVersion: rows[0]!.version,
          receivedAtMs,
          executionMode: 'ASYNC',
          dispatch: 'PARALLEL',
          isTest: false,
          sourceIp: '192.0.2.7',
          headersJson: '{"content-type":"application/json"}',
          body: Buffer.from(body),
          executions,
        },
      ]);
      if (stored !== 'stored') throw new Error('the call was not stored');
      return {
        callId: formatId('call', callId),
        executionIds: executions.map(({ executionId }) => formatId('execution', executionId)),
      };
    },
    close: async () => {
      await outbound.close();
      await rejectedCalls.close();
      await flow.close();
      await secretUsage.close();
      await limiter.close();
      webhooks.close();
      registry.close();
      hub.close();
      await admin.close();
    },
  };
}

/** Adds the version 1 that `addWorkers` leaves out, so that the workers can be read. */
export async function addWorkerVersions(fixture: AdminFixture, inputSchema: unknown = null): Promise<void> {
  await fixture.database.pool.query(
    `insert into worker_versions (worker_id, version, definition, input_schema, timeout_ms, attempts_max)
     select id, 1, '{}', $1, 30000, 3 from workers on conflict do nothing`,
    [inputSchema === null ? null : JSON.stringify(inputSchema)],
  );
}

import type pg from 'pg';
import { DurationRecorder } from '../../src/calls/duration-recorder.js';
import { type CallFlow, storeCalls } from '../../src/calls/store-calls.js';
import type { Dispatch } from '../../src/calls/call-modes.js';
import { type Database, openDatabase } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import { topics } from '../../src/events/event.js';
import { EventHub } from '../../src/events/event-hub.js';
import { EventListener } from '../../src/events/event-listener.js';
import { rawTransaction } from '../../src/db/raw-transaction.js';
import { cancelOne } from '../../src/executions/cancel.js';
import { Cancellations } from '../../src/executions/cancellations.js';
import { createExecuteHandler } from '../../src/executions/execute.js';
import type { ExecutionView } from '../../src/executions/execution-view.js';
import { LeaseDesk } from '../../src/executions/lease-desk.js';
import { readCallExecutions } from '../../src/executions/read-executions.js';
import { wakeIfDecided } from '../../src/executions/wake-decided.js';
import { beginWait } from '../../src/executions/wait-for.js';
import { FlowDesk } from '../../src/flow/flow-desk.js';
import { systemClock } from '../../src/lib/clock.js';
import { newRandomUuid, newUuidV7 } from '../../src/lib/ids.js';
import { createLogger } from '../../src/lib/logger.js';
import { RUN_EXECUTION } from '../../src/queue/enqueue.js';
import { type QueueRunner, startQueueRunner } from '../../src/queue/runner.js';
import { openBatchPool } from '../../src/db/batch-pool.js';
import { WorkerRegistry } from '../../src/workers/registry.js';
import type { ConnectionRequest } from '../../src/connections/connection-client.js';
import type { OutboundResponse } from '../../src/outbound/outbound-client.js';
import type { WorkerOutput, WorkerRun } from '../../src/workers/worker-run.js';
import type { WorkerKind } from '../../src/workers/worker.entities.js';
import { compileWorkflow } from '../../src/workers/workflow/compile-workflow.js';
import { WorkflowRunner } from '../../src/workers/workflow/run/workflow-runner.js';
import { toStoredWorkflow } from '../../src/workers/workflow/workflow-definition.js';
import { createTestDatabase } from './test-database.js';

/** What a test's worker does in an attempt. */
export type Behaviour = (run: WorkerRun) => Promise<WorkerOutput>;

export interface StoredCall {
  readonly callId: string;
  readonly executionIds: readonly string[];
}

export interface StoreOptions {
  readonly dispatch?: Dispatch;
  readonly body?: string;
  /** Under flow control; nothing but a release lets it run. */
  readonly flow?: CallFlow;
}

/** Everything that runs executions, on a database of the test file's own; the tests decide what workers do. */
export interface ExecutionFixture {
  readonly url: string;
  readonly database: Database;
  readonly pool: pg.Pool;
  readonly hub: EventHub;
  readonly webhookId: string;
  readonly leases: LeaseDesk;
  /** Its sweeps are the test's to ask for. */
  readonly flow: FlowDesk;
  readonly durations: DurationRecorder;
  addWorker(id: string, behaviour: Behaviour, limits?: { attemptsMax?: number; timeoutMs?: number }): Promise<void>;
  /** Stores a workflow's definition; the requests of its steps go to {@link answerRequests}. */
  addWorkflow(id: string, definition: unknown, limits?: { attemptsMax?: number; timeoutMs?: number }): Promise<void>;
  /** What the connections of workflows answer. */
  answerRequests(answer: (request: ConnectionRequest) => Promise<OutboundResponse>): void;
  /** Lets workflows believe that it is later, and makes the jobs due that wait for it. */
  passTime(ms: number): Promise<void>;
  /** Ends an execution early. */
  cancel(executionId: string): Promise<void>;
  /** Resolves once something holds of an execution; it is asked again whenever that changes. */
  until(executionId: string, holds: () => Promise<boolean>): Promise<void>;
  /** Gives a worker something else to do. */
  changeWorker(id: string, behaviour: Behaviour): void;
  /** Stores a call that starts these workers, as the ingress does. */
  store(workerIds: readonly string[], options?: StoreOptions): Promise<StoredCall>;
  startRunner(concurrency?: number): Promise<QueueRunner>;
  /** Waits for a stored call's end; fails after ten seconds. */
  end(callId: string): Promise<readonly ExecutionView[]>;
  read(callId: string): Promise<ExecutionView[]>;
  close(): Promise<void>;
}

export async function openExecutionFixture(): Promise<ExecutionFixture> {
  const testDatabase = await createTestDatabase();
  const { url } = testDatabase;
  const log = createLogger('silent');
  const database = await openDatabase({ url, entities: ENTITIES, poolSize: 8, log });
  const pool = openBatchPool(url, { connectionsMax: 8, joins: 'key', log });
  const hub = new EventHub();
  const listener = new EventListener({ url, hub, log });
  await listener.start();
  const behaviours = new Map<string, Behaviour>();
  let answer = refuseRequest;
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const workers = new WorkerRegistry({
    database,
    hub,
    runners: [
      { kind: 'CODE', run: (worker, run) => behaviours.get(worker.id)!(run) },
      new WorkflowRunner({ connections: { request: (request) => answer(request) }, clock }),
    ],
  });
  const cancellations = new Cancellations({ pool, hub, shard: 3, log });
  const flow = new FlowDesk({ pool: database.pool, hub, shard: 3, clock: systemClock, log });
  const onFreed = (webhookIds: readonly string[]): void => flow.release(webhookIds);
  const leases = new LeaseDesk({ pool, shard: 3, clock: systemClock, log, onFreed });
  const durations = new DurationRecorder({ sql: database.pool, clock: systemClock, log, shard: 3 });
  const runners: QueueRunner[] = [];
  const webhookId = await addWebhook(database.pool);
  return {
    url,
    database,
    pool,
    hub,
    webhookId,
    leases,
    flow,
    durations,
    addWorker: async (id, behaviour, { attemptsMax = 3, timeoutMs = 60_000 } = {}) => {
      behaviours.set(id, behaviour);
      await addWorkerRow(database.pool, id, attemptsMax, timeoutMs);
    },
    addWorkflow: async (id, definition, { attemptsMax = 3, timeoutMs = 60_000 } = {}) => {
      const compiled = compileWorkflow(definition);
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.userErrors));
      const stored = toStoredWorkflow(definition, compiled.value);
      await addWorkerRow(database.pool, id, attemptsMax, timeoutMs, { kind: 'WORKFLOW', definition: stored });
    },
    answerRequests: (answerOne) => (answer = answerOne),
    passTime: async (ms) => {
      aheadMs += ms;
      await database.pool.query(
        `select count(*) from graphile_worker.reschedule_jobs(
           array(select id from graphile_worker._private_jobs where locked_at is null), run_at := now())`,
      );
    },
    cancel: async (executionId) => {
      await rawTransaction(database.pool, ({ sql }) => cancelOne(sql, 3, executionId));
    },
    until: async (executionId, holds) => {
      let changed = signal();
      const both = [topics.execution(executionId), topics.executionProgress(executionId)];
      const stop = hub.listen(both, () => changed.give());
      try {
        for (let there = await holds(); !there; there = await holds()) {
          await changed.given;
          changed = signal();
        }
      } finally {
        stop();
      }
    },
    changeWorker: (id, behaviour) => void behaviours.set(id, behaviour),
    store: async (workerIds, { dispatch = 'PARALLEL', body = '{}', flow: callFlow } = {}) => {
      const receivedAtMs = Date.now();
      const executions = workerIds.map((workerId) => ({ executionId: newUuidV7(receivedAtMs), workerId }));
      const callId = newUuidV7(receivedAtMs);
      await storeCalls(database.pool, 3, [
        {
          callId,
          webhookId,
          webhookVersion: 1,
          receivedAtMs,
          executionMode: 'ASYNC',
          dispatch,
          isTest: false,
          sourceIp: '127.0.0.1',
          headersJson: '{}',
          body: Buffer.from(body),
          executions,
          flow: callFlow,
        },
      ]);
      return { callId, executionIds: executions.map(({ executionId }) => executionId) };
    },
    startRunner: async (concurrency = 8) => {
      const handler = createExecuteHandler({
        workers,
        leases,
        cancellations,
        wakeIfDecided: (executionId, attemptMs) => wakeIfDecided(database.pool, executionId, attemptMs),
        noteTime: (id, durationMs) => durations.note('TIME_TO_EXECUTE', id, durationMs),
        clock: systemClock,
        log,
      });
      const tasks = { [RUN_EXECUTION]: handler };
      const runner = await startQueueRunner({ pool, tasks, concurrency, clock: systemClock, log });
      runners.push(runner);
      return runner;
    },
    end: async (callId) => {
      const executions = await beginWait({ hub, sql: database.pool, clock: systemClock }, callId, true).finished(
        10_000,
      );
      if (executions === undefined) throw new Error('the call did not end in time');
      return executions;
    },
    read: (callId) => readCallExecutions(database.pool, callId),
    close: async () => {
      await Promise.all(runners.map((runner) => runner.stop(0)));
      await leases.close();
      cancellations.close();
      await flow.close();
      await durations.close();
      workers.close();
      hub.close();
      await listener.close();
      await pool.end();
      await database.close();
      await testDatabase.drop();
    },
  };
}

const refuseRequest = (request: ConnectionRequest): Promise<OutboundResponse> =>
  Promise.reject(new Error(`no request to ${request.connectionId} was expected`));

async function addWebhook(pool: pg.Pool): Promise<string> {
  const [ownerId, webhookId] = [newUuidV7(), newRandomUuid()];
  await pool.query("insert into users (id, name, role) values ($1, 'owner', 'owner')", [ownerId]);
  await pool.query(
    `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id)
     values ($1, 'test', true, 'ASYNC', 'PARALLEL', 'HMAC_SIGNATURE', $2)`,
    [webhookId, ownerId],
  );
  return webhookId;
}

async function addWorkerRow(
  pool: pg.Pool,
  id: string,
  attemptsMax: number,
  timeoutMs: number,
  { kind, definition }: { readonly kind: WorkerKind; readonly definition: object } = { kind: 'CODE', definition: {} },
): Promise<void> {
  await pool.query(
    'insert into workers (id, kind, name, current_version) values ($1, $2, $1, 1) on conflict do nothing',
    [id, kind],
  );
  await pool.query(
    `insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max)
     values ($1, 1, $4, $2, $3)`,
    [id, timeoutMs, attemptsMax, definition],
  );
}

/** A promise and its resolver: a signal between a test and its worker. */
export function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { given: promise, give: resolve };
}

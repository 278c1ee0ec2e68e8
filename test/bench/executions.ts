import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as StoreCallsModule from '../../src/calls/store-calls.ts';
import type * as DatabaseModule from '../../src/db/database.ts';
import type * as StartEmbeddedPostgresModule from '../../src/db/embedded/start-embedded-postgres.ts';
import type * as MigratorModule from '../../src/db/migrator.ts';
import type * as EntitiesModule from '../../src/entities.ts';
import type * as EventHubModule from '../../src/events/event-hub.ts';
import type * as CancellationsModule from '../../src/executions/cancellations.ts';
import type * as ExecuteModule from '../../src/executions/execute.ts';
import type * as LeaseDeskModule from '../../src/executions/lease-desk.ts';
import type * as ClockModule from '../../src/lib/clock.ts';
import type * as IdsModule from '../../src/lib/ids.ts';
import type * as LoggerModule from '../../src/lib/logger.ts';
import type * as EnqueueModule from '../../src/queue/enqueue.ts';
import type * as RunnerModule from '../../src/queue/runner.ts';
import type * as BatchPoolModule from '../../src/db/batch-pool.ts';
import type * as CodeRunnerModule from '../../src/workers/code/code-runner.ts';
import type * as ImportModulesModule from '../../src/workers/code/import-modules.ts';
import type * as DescribeModule from '../../src/workers/code/isolate/describe-modules.ts';
import type * as IsolatedRunnerModule from '../../src/workers/code/isolate/isolated-code-runner.ts';
import type * as IsolatePoolModule from '../../src/workers/code/isolate/isolate-pool.ts';
import type * as ResolutionModule from '../../src/workers/code/module-resolution.ts';
import type { WorkerKindRunner } from '../../src/workers/worker-run.ts';
import type * as RegistryModule from '../../src/workers/registry.ts';

/**
 * How fast one process drains executions of a worker that does nothing: the figure of the queue, the lease and the
 * finish alone, without an ingress. Runs from `dist`: `npm run build && node test/bench/executions.ts [executions]
 * [at once] [isolation]`. With `none` or `process` as the isolation the worker is a module that returns its input.
 */
const executions = Number(process.argv[2] ?? 20_000);
const concurrency = Number(process.argv[3] ?? 30);
const isolation = process.argv[4];
const WARM_UP = 2_000;
const BATCH = 128;
const BODY = Buffer.from(JSON.stringify({ order: 1, text: 'x'.repeat(1_000) }));

const built = <Module>(path: string): Promise<Module> =>
  import(new URL(`../../dist/src/${path}`, import.meta.url).href) as Promise<Module>;

const { startEmbeddedPostgres } = await built<typeof StartEmbeddedPostgresModule>(
  'db/embedded/start-embedded-postgres.js',
);
const { openDatabase } = await built<typeof DatabaseModule>('db/database.js');
const { migrate } = await built<typeof MigratorModule>('db/migrator.js');
const { ENTITIES } = await built<typeof EntitiesModule>('entities.js');
const { createLogger } = await built<typeof LoggerModule>('lib/logger.js');
const { systemClock } = await built<typeof ClockModule>('lib/clock.js');
const { newUuidV7, newRandomUuid } = await built<typeof IdsModule>('lib/ids.js');
const { storeCalls } = await built<typeof StoreCallsModule>('calls/store-calls.js');
const { LeaseDesk } = await built<typeof LeaseDeskModule>('executions/lease-desk.js');
const { Cancellations } = await built<typeof CancellationsModule>('executions/cancellations.js');
const { createExecuteHandler } = await built<typeof ExecuteModule>('executions/execute.js');
const { openBatchPool } = await built<typeof BatchPoolModule>('db/batch-pool.js');
const { startQueueRunner } = await built<typeof RunnerModule>('queue/runner.js');
const { RUN_EXECUTION } = await built<typeof EnqueueModule>('queue/enqueue.js');
const { WorkerRegistry } = await built<typeof RegistryModule>('workers/registry.js');
const { EventHub } = await built<typeof EventHubModule>('events/event-hub.js');

let closeIsolates = (): void => undefined;
const log = createLogger('warn');
const dataDir = await mkdtemp(join(tmpdir(), 'workhook-bench-'));
const server = await startEmbeddedPostgres({ dataDir, log: () => undefined });
const database = await openDatabase({ url: server.url, entities: ENTITIES, poolSize: 10, log });
const pool = openBatchPool(server.url, { connectionsMax: 8, joins: 'key', log });
try {
  await migrate(database);
  const webhookId = await makeWebhook();
  const hub = new EventHub();
  const workers = new WorkerRegistry({
    database,
    hub,
    runners: [await codeRunner()],
  });
  const leases = new LeaseDesk({ pool, shard: 0, clock: systemClock, log });
  const cancellations = new Cancellations({ pool, hub, shard: 0, log });
  const execute = createExecuteHandler({ workers, leases, cancellations, clock: systemClock, log });
  let left = 0;
  let done = Promise.withResolvers<void>();

  const drain = async (amount: number): Promise<number> => {
    await store(webhookId, amount);
    left = amount;
    done = Promise.withResolvers<void>();
    const startedMs = performance.now();
    const cpu = process.cpuUsage();
    const runner = await startQueueRunner({
      pool,
      concurrency,
      clock: systemClock,
      log,
      tasks: {
        [RUN_EXECUTION]: async (payload, context) => {
          await execute(payload, context);
          left -= 1;
          if (left === 0) done.resolve();
        },
      },
    });
    await done.promise;
    const tookMs = performance.now() - startedMs;
    const used = process.cpuUsage(cpu);
    await runner.stop(1_000);
    console.log(`node: ${((used.user + used.system) / 10 / tookMs).toFixed(0)} % of a core`);
    return (amount * 1_000) / tookMs;
  };

  await drain(WARM_UP);
  console.log(`${Math.round(await drain(executions)).toLocaleString('en')} executions/s, ${concurrency} at once`);
  const { rows } = await database.pool.query<Record<string, unknown>>(
    'select outcome, count(*)::integer, sum(pending)::integer as pending from calls group by outcome',
  );
  console.log(rows);
  await leases.close();
  cancellations.close();
  workers.close();
} finally {
  closeIsolates();
  await pool.end();
  await database.close();
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
}

async function codeRunner(): Promise<WorkerKindRunner> {
  if (isolation === undefined) return { kind: 'CODE', run: (_, run) => Promise.resolve({ result: run.inputText }) };
  const dir = fileURLToPath(new URL('../support/workers', import.meta.url));
  if (isolation === 'none') {
    const { CodeWorkerRunner } = await built<typeof CodeRunnerModule>('workers/code/code-runner.js');
    const { importModules } = await built<typeof ImportModulesModule>('workers/code/import-modules.js');
    (await built<typeof ResolutionModule>('workers/code/module-resolution.js')).resolveForOperatorModules();
    const { modules } = await importModules(dir);
    return new CodeWorkerRunner(new Map(modules.map((module) => [module.worker.id, module])));
  }
  const { describeModules } = await built<typeof DescribeModule>('workers/code/isolate/describe-modules.js');
  const { IsolatePool } = await built<typeof IsolatePoolModule>('workers/code/isolate/isolate-pool.js');
  const { IsolatedCodeRunner } = await built<typeof IsolatedRunnerModule>(
    'workers/code/isolate/isolated-code-runner.js',
  );
  const entry = fileURLToPath(new URL('../../dist/src/workers/code/isolate/main.js', import.meta.url));
  const options = { dir, entry, env: {}, memoryMb: 256, log };
  const { modules, sources } = await describeModules(options);
  const isolates = new IsolatePool({ ...options, sources, size: 2 });
  closeIsolates = () => isolates.close();
  return new IsolatedCodeRunner(new Map(modules.map((module) => [module.worker.id, module])), isolates);
}

async function makeWebhook(): Promise<string> {
  const [ownerId, webhookId] = [newUuidV7(), newRandomUuid()];
  await database.pool.query("insert into users (id, name, role) values ($1, 'bench', 'owner')", [ownerId]);
  await database.pool.query(
    `insert into workers (id, kind, name, current_version) values ('worker-echo', 'CODE', 'Echo', 1)`,
  );
  await database.pool.query(
    `insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max)
     values ('worker-echo', 1, '{}', 60000, 3)`,
  );
  await database.pool.query(
    `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id)
     values ($1, 'bench', true, 'ASYNC', 'PARALLEL', 'HMAC_SIGNATURE', $2)`,
    [webhookId, ownerId],
  );
  return webhookId;
}

async function store(webhookId: string, amount: number): Promise<void> {
  for (let at = 0; at < amount; at += BATCH) {
    const receivedAtMs = Date.now();
    const calls = Array.from({ length: Math.min(BATCH, amount - at) }, () => ({
      callId: newUuidV7(receivedAtMs),
      webhookId,
      webhookVersion: 1,
      receivedAtMs,
      executionMode: 'ASYNC' as const,
      dispatch: 'PARALLEL' as const,
      isTest: false,
      sourceIp: '127.0.0.1',
      headersJson: '{}',
      body: BODY,
      executions: [{ executionId: newUuidV7(receivedAtMs), workerId: 'worker-echo' }],
    }));
    await storeCalls(database.pool, 0, calls);
  }
}

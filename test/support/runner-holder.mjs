/**
 * A runner in a process of its own, to be killed: it takes one job and never ends it. Prints a line when the worker
 * has started. `node runner-holder.mjs <database url>`, from `dist`.
 */
/** @param {string} path of a built module */
const built = (path) => import(new URL(`../../dist/src/${path}`, import.meta.url).href);

const { createLogger } = await built('lib/logger.js');
const { systemClock } = await built('lib/clock.js');
const { openBatchPool } = await built('db/batch-pool.js');
const { startQueueRunner } = await built('queue/runner.js');
const { LeaseDesk } = await built('executions/lease-desk.js');
const { Cancellations } = await built('executions/cancellations.js');
const { EventHub } = await built('events/event-hub.js');
const { createExecuteHandler } = await built('executions/execute.js');

const log = createLogger('silent');
const pool = openBatchPool(process.argv[2], { connectionsMax: 8, joins: 'key', log });
const worker = {
  id: 'worker-hangs',
  kind: 'CODE',
  name: 'hangs',
  version: 1,
  definition: {},
  inputSchema: null,
  timeoutMs: 600_000,
  attemptsMax: 3,
};
const workers = {
  load: () => Promise.resolve(worker),
  run: () => {
    process.stdout.write('started\n');
    return new Promise(() => undefined);
  },
};
await startQueueRunner({
  pool,
  concurrency: 2,
  clock: systemClock,
  log,
  tasks: {
    run_execution: createExecuteHandler({
      workers,
      cancellations: new Cancellations({ pool, hub: new EventHub(), shard: 0, log }),
      leases: new LeaseDesk({ pool, shard: 0, clock: systemClock, log }),
      clock: systemClock,
      log,
    }),
  },
});

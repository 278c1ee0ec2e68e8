import { removeEndedSessions } from '../access/sessions.js';
import { deleteExpiredAlerts } from '../alerts/delete-alerts.js';
import { evaluateAlerts } from '../alerts/evaluate-alerts.js';
import { compactStatistics } from '../calls/compact-statistics.js';
import { deleteExpiredCallbacks } from '../callbacks/delete-callbacks.js';
import { deleteExpiredKeys } from '../calls/idempotency.js';
import { startMaintenance } from '../db/maintenance.js';
import { dropExpiredPartitions, ensurePartitions } from '../db/partitions.js';
import { JobMender, reviveFailedJobs } from '../executions/mend-jobs.js';
import { removeForgottenLeases } from '../models/step-leases.js';
import type { Parts } from './parts.js';

/** What is unusual shows within the hour that is looked at; more often would cost more and say no more. */
const ALERTS_EVERY_MS = 5 * 60_000;

/** "aler" and "ting" as two 32-bit numbers. */
const ALERTS_LOCK = [0x616c_6572, 0x7469_6e67] as const;

/** Keeps the database in shape while the process runs; of several processes one does it. */
export function buildMaintenance(stack: AsyncDisposableStack, parts: Parts): void {
  const { config, database, clock, log } = parts;
  const mender = new JobMender();
  const mended = (jobs: number, what: string): void => {
    if (jobs > 0) log.warn({ jobs }, what);
  };
  const maintenance = startMaintenance({
    pool: database.pool,
    tasks: [
      { name: 'make partitions', run: ensurePartitions },
      { name: 'drop expired partitions', run: (sql) => dropExpiredPartitions(sql, config.retentionDays) },
      { name: 'delete expired callbacks', run: (sql) => deleteExpiredCallbacks(sql, config.retentionDays) },
      { name: 'delete expired alerts', run: (sql) => deleteExpiredAlerts(sql, config.retentionDays) },
      { name: 'delete expired idempotency keys', run: deleteExpiredKeys },
      {
        name: 'offer failed jobs again',
        run: async (sql) =>
          mended(await reviveFailedJobs(sql), 'jobs were given up by the queue; they are offered again'),
      },
      {
        name: 'add missing jobs',
        run: async (sql) => mended(await mender.addMissing(sql), 'executions had no job; they have one again'),
      },
      { name: 'compact statistics', run: compactStatistics },
      { name: 'remove forgotten leases of models', run: removeForgottenLeases },
      { name: 'remove ended sessions', run: removeEndedSessions },
    ],
    log,
  });
  stack.defer(() => maintenance.stop());
  const watch = startMaintenance({
    pool: database.pool,
    tasks: [{ name: 'look for unusual calls', run: (sql) => evaluateAlerts(sql, clock.nowMs()) }],
    everyMs: ALERTS_EVERY_MS,
    lock: ALERTS_LOCK,
    log,
  });
  stack.defer(() => watch.stop());
}

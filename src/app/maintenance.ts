import { removeEndedSessions } from '../access/sessions.js';
import { compactStatistics } from '../calls/compact-statistics.js';
import { deleteExpiredCallbacks } from '../callbacks/delete-callbacks.js';
import { deleteExpiredKeys } from '../calls/idempotency.js';
import { startMaintenance } from '../db/maintenance.js';
import { dropExpiredPartitions, ensurePartitions } from '../db/partitions.js';
import { JobMender, reviveFailedJobs } from '../executions/mend-jobs.js';
import { removeForgottenLeases } from '../models/step-leases.js';
import type { Parts } from './parts.js';

/** Keeps the database in shape while the process runs; of several processes one does it. */
export function buildMaintenance(stack: AsyncDisposableStack, parts: Parts): void {
  const { config, database, log } = parts;
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
}

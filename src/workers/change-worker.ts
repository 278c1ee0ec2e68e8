import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../db/database.js';
import { assertVersion } from '../db/expected-version.js';
import { AppError } from '../errors.js';
import { type Outcome, refused } from '../lib/user-error.js';
import { readWorkersById, type WorkerView } from './read-workers.js';
import { type Worker, WorkerEntity, type WorkerKind } from './worker.entities.js';

/**
 * Takes a worker's row, to change it. FOR UPDATE also waits for, and holds off, webhooks that are being given this
 * worker: their key check shares the row.
 *
 * @param expectedVersion the version that the user saw.
 * @throws AppError NOT_FOUND; CONFLICT when another version is current by now.
 */
export async function lockWorker(em: EntityManager, id: string, expectedVersion: number | undefined): Promise<Worker> {
  await em.execute('select 1 from workers where id = ? for update', [id]);
  const worker = await em.findOne(WorkerEntity, { id, deletedAt: null });
  if (worker === null) throw new AppError('NOT_FOUND', 'There is no such worker.');
  assertVersion('The worker', worker.currentVersion, expectedVersion);
  return worker;
}

const NAMES: Readonly<Record<WorkerKind, string>> = {
  AGENT: 'an AGENT',
  HTTP: 'an HTTP',
  CODE: 'a CODE',
  WORKFLOW: 'a WORKFLOW',
};

/** The refusal to change a worker as something that it is not. */
export function wrongKind(kind: WorkerKind, wanted: WorkerKind): Outcome<never> {
  const message =
    kind === 'CODE'
      ? "A CODE worker lives in the operator's folder and cannot be changed here."
      : `This is not ${NAMES[wanted]} worker and cannot be edited as one.`;
  return refused({ field: ['id'], message, code: 'WORKER_READ_ONLY' });
}

/** A worker as it is after a change. */
export async function readManagedWorker(database: Database, id: string): Promise<WorkerView> {
  const [worker] = await readWorkersById(database.pool, [id]);
  if (worker === undefined) throw new AppError('NOT_FOUND', 'There is no such worker.');
  return worker;
}

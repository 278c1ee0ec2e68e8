import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Sql } from '../db/database.js';
import { newUuidV7 } from '../lib/ids.js';

/**
 * The machine as far as process ids reach: two containers may have one host name, and in each of them pid 1 is
 * somebody else. On Linux the id of the pid namespace tells them apart.
 */
export function runnerHost(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname(); // not Linux
  }
}

/** The runners of this process, so that one that starts later doesn't take its neighbour for a dead predecessor. */
const liveRunnerIds = new Set<string>();

/** Whether a runner lives in this process. */
export function isRunnerOfThisProcess(runnerId: string): boolean {
  return liveRunnerIds.has(runnerId);
}

/**
 * A runner's row: as long as it stands, the runner's leases and locked jobs are its own. Whoever deletes the row
 * declares the runner dead and frees its work.
 *
 * States: REGISTERED → row gone, found by `beat` → `register` again under a new id → … → `remove`.
 */
export class RunnerRegistration {
  readonly #sql: Sql;
  #queueWorkerIds: readonly string[] = [];
  #id = newUuidV7();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get id(): string {
    return this.#id;
  }

  /** Inserts a row under a new id. */
  async register(): Promise<void> {
    liveRunnerIds.delete(this.#id);
    const id = newUuidV7();
    await this.#sql.query('insert into runners (id, host, pid, queue_worker_ids) values ($1, $2, $3, $4)', [
      id,
      runnerHost(),
      process.pid,
      this.#queueWorkerIds,
    ]);
    this.#id = id;
    liveRunnerIds.add(id);
  }

  /** Adds a name under which the queue locks jobs for this runner. When that fails, the next heartbeat writes it. */
  async addQueueWorker(queueWorkerId: string): Promise<void> {
    this.#queueWorkerIds = [...this.#queueWorkerIds, queueWorkerId];
    await this.#sql.query('update runners set queue_worker_ids = $2 where id = $1', [this.#id, this.#queueWorkerIds]);
  }

  /** Frees the jobs that a name still locks and forgets it. To be called when nothing runs under it any more. */
  async removeQueueWorker(queueWorkerId: string): Promise<void> {
    await this.#sql.query('select graphile_worker.force_unlock_workers($1)', [[queueWorkerId]]);
    this.#queueWorkerIds = this.#queueWorkerIds.filter((id) => id !== queueWorkerId);
  }

  /** Says that this runner lives, in the database's time. `lost`: the row is gone. */
  async beat(): Promise<'alive' | 'lost'> {
    const { rowCount } = await this.#sql.query(
      'update runners set heartbeat_at = now(), queue_worker_ids = $2 where id = $1',
      [this.#id, this.#queueWorkerIds],
    );
    return rowCount === 1 ? 'alive' : 'lost';
  }

  /** Deletes the row and frees every job that is still locked. */
  async remove(): Promise<void> {
    liveRunnerIds.delete(this.#id);
    await this.#sql.query(REMOVE, [this.#id, this.#queueWorkerIds]);
  }
}

const REMOVE = `
  with removed as (delete from runners where id = $1)
  select graphile_worker.force_unlock_workers($2)`;

import type pg from 'pg';
import { codeOf } from '../errors.js';
import { backoffMs } from '../lib/backoff.js';
import type { Logger } from '../lib/logger.js';

export interface SteadyPool {
  /** To be given to graphile-worker. */
  readonly pool: pg.Pool;
  /** From now on a statement that fails is not tried again and never settles. */
  readonly abandon: () => void;
}

const RETRY = { baseMs: 100, maxMs: 1_000 };

/**
 * SQLSTATE classes that blame the statement, not the moment: 22 data, 23 integrity, 42 syntax and access.
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
const STATEMENT_FAULT = /^(22|23|42)/;

/**
 * A pool for graphile-worker 0.18 whose statements survive the loss of their connection: they wait and are done again.
 *
 * The queue does not stand a connection that breaks. Tried by ending its connections while it worked: when the jobs
 * that it holds can't be given back it throws where nobody can catch, which ends the process; when the completion of a
 * job fails it shuts itself down and, half of the times, never settles, so that nobody can start it again; when its
 * first statement fails it keeps that failure for ever and takes no job any more. So it gets to see no such failure.
 *
 * Its statements are single ones and may be done twice: jobs of a claim whose answer was lost stay locked, and are
 * freed by `unlockForgotten`; to complete, fail or give back a job twice changes nothing. They are told by being
 * objects. Whatever comes as text (LISTEN) goes to a real connection: the queue connects again by itself there.
 *
 * @param named resolves when the queue's statements may begin; never rejects.
 * @param onClaimLost called when a statement is done again: its first try may have gone through unheard.
 */
export function steadyPool(real: pg.Pool, log: Logger, named: Promise<void>, onClaimLost: () => void): SteadyPool {
  let abandoned = false;

  const query = async (config: pg.QueryConfig): Promise<pg.QueryResult> => {
    await named;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await real.query(config);
      } catch (error) {
        if (STATEMENT_FAULT.test(codeOf(error) ?? '')) throw error;
        if (abandoned) return await new Promise<never>(() => undefined);
        log.warn({ err: error, statement: config.name }, 'a statement of the queue failed; it is done again');
        onClaimLost();
        await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, RETRY)));
      }
    }
  };
  const client = { query, release: () => undefined } as unknown as pg.PoolClient;
  const pool = Object.create(real) as pg.Pool;
  const connect = (callback?: Parameters<pg.Pool['connect']>[0]): unknown =>
    callback === undefined ? Promise.resolve(client) : real.connect(callback);
  pool.connect = connect as pg.Pool['connect'];
  return { pool, abandon: () => (abandoned = true) };
}

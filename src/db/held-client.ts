import type pg from 'pg';
import type { Sql } from './database.js';

/**
 * One connection of a pool, kept checked out for a caller whose statements come one after another. A statement then
 * leaves at once; through the pool it would wait for the end of the event loop's present turn, which under load is as
 * long as answering a whole batch. A connection that broke is given up and the next statement takes another.
 */
export class HeldClient implements Sql {
  readonly #pool: pg.Pool;
  #client: pg.PoolClient | undefined;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async query<Row extends pg.QueryResultRow>(
    statement: pg.QueryConfig | string,
    values?: unknown[],
  ): Promise<pg.QueryResult<Row>> {
    const client = (this.#client ??= await this.#take());
    try {
      return typeof statement === 'string'
        ? await client.query<Row>(statement, values)
        : await client.query<Row>(statement);
    } catch (error) {
      this.#giveUp(client); // whether the connection or only the statement failed: another one is a sure start
      throw error;
    }
  }

  /** Gives the connection back. No statement may be under way. */
  close(): void {
    this.#client?.release();
    this.#client = undefined;
  }

  async #take(): Promise<pg.PoolClient> {
    const client = await this.#pool.connect();
    client.once('error', () => this.#giveUp(client)); // broken while nothing was under way
    return client;
  }

  #giveUp(client: pg.PoolClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.release(true);
  }
}

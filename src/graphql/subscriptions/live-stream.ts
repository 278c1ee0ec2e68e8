import type { Sql } from '../../db/database.js';
import { patientSql } from '../../db/patient-sql.js';

/** What a subscription yields, and what ends it from outside. */
export interface LiveStream<T> extends AsyncIterableIterator<T, void, void> {
  return(): Promise<IteratorResult<T, void>>;
}

export interface LiveStreamOptions<T> {
  /** What is waited for; closed once the stream ends, however it does. */
  readonly source: { close(): void };
  readonly sql: Sql;
  /** Makes the generator. What it reads waits while the database is away, instead of ending the stream. */
  readonly start: (sql: Sql) => AsyncGenerator<T, void, void>;
}

/**
 * Binds a generator to the source that it waits for. An async generator can't be returned while it waits: `return`
 * stands in line behind the event that may never come. So the source is closed first, which ends the waiting.
 */
export function liveStream<T>({ source, sql, start }: LiveStreamOptions<T>): LiveStream<T> {
  const ended = new AbortController();
  const generator = start(patientSql(sql, ended.signal));
  const end = (): void => {
    ended.abort();
    source.close();
  };
  return {
    next: async () => {
      try {
        const result = await generator.next();
        if (result.done === true) end();
        return result;
      } catch (error) {
        const wasEnded = ended.signal.aborted;
        end();
        if (wasEnded) return { done: true, value: undefined }; // what it waited for was given up with it
        throw error;
      }
    },
    return: async () => {
      end();
      return await generator.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import { type Notification, topics } from '../../src/events/event.js';
import { EventHub } from '../../src/events/event-hub.js';
import { EventListener } from '../../src/events/event-listener.js';
import { publish } from '../../src/events/publish.js';
import { newUuidV7 } from '../../src/lib/ids.js';
import { createLogger } from '../../src/lib/logger.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const log = createLogger('silent');

let testDatabase: TestDatabase;
let database: Database;
let hub: EventHub;
let listener: EventListener;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = await openDatabase({ url: testDatabase.url, entities: ENTITIES, poolSize: 4, log });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  hub = new EventHub();
  listener = new EventListener({ url: testDatabase.url, hub, log });
  await listener.start();
});

afterEach(async () => {
  hub.close();
  await listener.close();
});

const workerChanged = (workerId: string): { kind: 'worker-changed'; workerId: string } => ({
  kind: 'worker-changed',
  workerId,
});

const next = async (stream: AsyncIterator<Notification>): Promise<Notification> => {
  const result = await stream.next();
  if (result.done === true) throw new Error('the stream ended');
  return result.value;
};

describe('events between processes', () => {
  it('are heard after the commit, and not at all after a rollback', async () => {
    const stream = hub.subscribe([topics.workers])[Symbol.asyncIterator]();
    await database
      .transaction(async (em) => {
        await publish(em, [workerChanged('worker-rolled-back')]);
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    await database.transaction((em) => publish(em, [workerChanged('worker-committed')]));
    expect(await next(stream)).toEqual(workerChanged('worker-committed'));
    await stream.return?.();
  });

  it('arrive all and in order, however many there are', async () => {
    const ids = Array.from({ length: 500 }, () => `worker-${newUuidV7()}`);
    const stream = hub.subscribe([topics.workers], ids.length)[Symbol.asyncIterator]();
    await database.transaction((em) => publish(em, ids.map(workerChanged)));
    const heard: Notification[] = [];
    while (heard.length < ids.length) heard.push(await next(stream));
    expect(heard).toEqual(ids.map(workerChanged));
    await stream.return?.();
  });
});

describe('a lost event connection', () => {
  it('is made again, and subscribers are told to read again', async () => {
    const stream = hub.subscribe([topics.workers])[Symbol.asyncIterator]();
    expect(listener.listening).toBe(true);
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query = 'listen workhook_events'`,
    );
    expect(await next(stream)).toEqual({ kind: 'resync' });
    expect(listener.listening).toBe(true);
    await database.transaction((em) => publish(em, [workerChanged('worker-after')]));
    expect(await next(stream)).toEqual(workerChanged('worker-after'));
    await stream.return?.();
  });
});

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Sql } from '../../../src/db/database.js';
import { EventHub } from '../../../src/events/event-hub.js';
import { newUuidV7 } from '../../../src/lib/ids.js';
import { ModelCache } from '../../../src/models/model-cache.js';
import { SpendCaps } from '../../../src/models/spend-caps.js';
import { type AdminFixture, openAdminFixture } from '../../support/admin-fixture.js';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await openAdminFixture();
});

afterAll(() => admin.close());

/** The database, whose first answer is held until it is lost. */
function losingFirst() {
  const lost = Promise.withResolvers<never>();
  let statements = 0;
  const sql = {
    query: (statement: pg.QueryConfig) => {
      statements += 1;
      return statements === 1 ? lost.promise : admin.database.pool.query(statement);
    },
  } as Sql;
  return { sql, lose: () => lost.reject(new Error('the connection broke')), statements: () => statements };
}

const listening = (): boolean => true;

describe.each([
  [
    'ModelCache',
    (sql: Sql, hub: EventHub) => {
      const cache = new ModelCache({ ...admin, sql, hub, listening });
      return { get: (id: string) => cache.get(id), close: () => cache.close() };
    },
    'model-changed',
  ],
  [
    'SpendCaps',
    (sql: Sql, hub: EventHub) => {
      const caps = new SpendCaps({ sql, hub, listening });
      return { get: (id: string) => caps.limitsSteps(id), close: () => caps.close() };
    },
    'spend-cap-changed',
  ],
])('%s', (_, open, kind) => {
  it('keeps what was read after a change, whatever becomes of an older read', async () => {
    const id = newUuidV7();
    const hub = new EventHub();
    const { sql, lose, statements } = losingFirst();
    const cache = open(sql, hub);
    const old = cache.get(id).catch((error: unknown) => error);
    hub.deliver(kind === 'model-changed' ? { kind, modelId: id } : { kind: 'spend-cap-changed', webhookId: id });
    await new Promise((resolve) => setImmediate(resolve)); // the event has been heard
    const newer = await cache.get(id);
    lose();
    expect(await old).toMatchObject({ message: 'the connection broke' });
    expect(await cache.get(id)).toEqual(newer);
    expect(statements()).toBe(2);
    cache.close();
    hub.close();
  });
});

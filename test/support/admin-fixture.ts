import { ensureOwner } from '../../src/access/owner.js';
import type { UserRole } from '../../src/access/access.entities.js';
import { type Principal, systemPrincipal } from '../../src/access/principal.js';
import { type Database, openDatabase } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import type { Clock } from '../../src/lib/clock.js';
import { newUuidV7 } from '../../src/lib/ids.js';
import { createLogger, type Logger } from '../../src/lib/logger.js';
import { Keyring } from '../../src/secrets/seal.js';
import { createTestDatabase } from './test-database.js';

/** A clock that a test moves by hand. */
export class TestClock implements Clock {
  #aheadMs = 0;

  advance(ms: number): void {
    this.#aheadMs += ms;
  }

  nowMs(): number {
    return Date.now() + this.#aheadMs;
  }

  monotonicMs(): number {
    return performance.now() + this.#aheadMs;
  }
}

/** What the use cases of the admin API work with, on a database of the test file's own. */
export interface AdminFixture {
  readonly url: string;
  readonly database: Database;
  readonly keyring: Keyring;
  readonly clock: TestClock;
  readonly log: Logger;
  readonly bodyBytesCeiling: number;
  /** The owner, through the process itself. */
  readonly owner: Principal;
  /** A new user with a role, through a made-up token. */
  addUser(role: UserRole, scopes?: readonly string[]): Promise<Principal>;
  /** CODE workers by their ids; enough for webhooks to name them. */
  addWorkers(...ids: string[]): Promise<void>;
  close(): Promise<void>;
}

export async function openAdminFixture(): Promise<AdminFixture> {
  const testDatabase = await createTestDatabase();
  const log = createLogger('silent');
  const database = await openDatabase({ url: testDatabase.url, entities: ENTITIES, poolSize: 12, log });
  const clock = new TestClock();
  const { ownerId } = await ensureOwner({ database, clock });
  return {
    url: testDatabase.url,
    database,
    keyring: new Keyring([{ id: 'test', key: Buffer.alloc(32, 7) }]),
    clock,
    log,
    bodyBytesCeiling: 26_214_400,
    owner: systemPrincipal(ownerId, 'startup'),
    addUser: async (role, scopes = []) => {
      const userId = newUuidV7();
      await database.pool.query('insert into users (id, name, role) values ($1, $2, $2)', [userId, role]);
      return { userId, role, credential: { type: 'api-token', id: newUuidV7() }, scopes };
    },
    addWorkers: async (...ids) => {
      await database.pool.query(
        "insert into workers (id, kind, name, current_version) select id, 'CODE', id, 1 from unnest($1::text[]) as t(id)",
        [ids],
      );
    },
    close: async () => {
      await database.close();
      await testDatabase.drop();
    },
  };
}

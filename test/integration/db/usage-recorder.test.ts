import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createApiToken } from '../../../src/access/api-tokens.js';
import { UsageRecorder } from '../../../src/db/usage-recorder.js';
import { type AdminFixture, openAdminFixture } from '../../support/admin-fixture.js';
import { waitForBlockedSessions } from '../../support/blocked-sessions.js';

let fixture: AdminFixture;
/** Of two tokens, in the order of the table's key. */
let ids: [string, string];

beforeAll(async () => {
  fixture = await openAdminFixture();
  const make = async (name: string): Promise<string> => {
    const made = await createApiToken(fixture, fixture.owner, { name });
    if (!made.ok) throw new Error(JSON.stringify(made.userErrors));
    return made.value.apiToken.id;
  };
  const made = [await make('one'), await make('two')].toSorted();
  ids = [made[0]!, made[1]!];
  // Its row is the last one of the table now: reading along the table, the other one comes first.
  await fixture.database.pool.query('update api_tokens set name = name where id = $1', [ids[0]]);
});

afterAll(() => fixture.close());

const HOUR_MS = 3_600_000;

const recorderOf = (): UsageRecorder => {
  const { database, clock, log } = fixture;
  return new UsageRecorder({ sql: database.pool, clock, log }, { table: 'api_tokens', flushMs: HOUR_MS });
};

const lastUses = async (): Promise<(Date | null)[]> => {
  const { rows } = await fixture.database.pool.query<{ at: Date | null }>(
    'select last_used_at as at from api_tokens where id = any($1) order by id',
    [ids],
  );
  return rows.map(({ at }) => at);
};

describe('UsageRecorder', () => {
  it('locks rows in one order, whatever order they were used in', async () => {
    const { pool } = fixture.database;
    const recorder = recorderOf();
    recorder.note(ids[1]);
    recorder.note(ids[0]);
    const other = await pool.connect();
    let flushed: Promise<void> | undefined;
    try {
      await other.query('begin');
      await other.query('select 1 from api_tokens where id = $1 for update', [ids[0]]);
      flushed = recorder.flush();
      await waitForBlockedSessions(pool, 1);
      const { rows } = await other.query('select 1 from api_tokens where id = $1 for update nowait', [ids[1]]);
      expect(rows).toHaveLength(1);
    } finally {
      await other.query('rollback');
      other.release();
      await flushed;
      await recorder.close();
    }
    expect(await lastUses()).toEqual([expect.any(Date), expect.any(Date)]);
  });

  it('never takes a later use back, and does without a row that is gone', async () => {
    const recorder = recorderOf();
    const later = new Date(fixture.clock.nowMs() + HOUR_MS);
    await fixture.database.pool.query('update api_tokens set last_used_at = $1 where id = $2', [later, ids[0]]);
    recorder.note(ids[0]);
    recorder.note('00000000-0000-4000-8000-000000000000');
    await recorder.close();
    expect((await lastUses())[0]).toEqual(later);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { recordAudit, verifyAudit } from '../../src/access/audit.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';

let fixture: AdminFixture;

beforeAll(async () => {
  fixture = await openAdminFixture();
});

afterAll(() => fixture.close());

const record = (action: string, details: Record<string, string | number | readonly string[]> = {}): Promise<void> =>
  fixture.database.transaction((em) => recordAudit(em, fixture.owner, { action, subjectId: 'wh_1', details }));

/** What somebody with the database, and not with the program, could do. */
async function tamper(statement: string): Promise<void> {
  await fixture.database.pool.query(
    `alter table audit_events disable trigger user; ${statement}; alter table audit_events enable trigger user`,
  );
}

describe('the audit log', () => {
  it('is one chain however many write at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => record('thing.done', { i })));
    expect(await verifyAudit(fixture.database.pool)).toMatchObject({ intact: true, events: 21 }); // one of the owner
  });

  it('keeps its order of details, and what JSON in PostgreSQL cannot hold', async () => {
    await record('thing.named', { zebra: 1.5, apple: ['b', 'a'], name: 'a\0b\ud800c "quoted" grün' });
    expect(await verifyAudit(fixture.database.pool)).toMatchObject({ intact: true });
    const { rows } = await fixture.database.pool.query('select * from audit_events order by seq desc limit 1');
    expect(rows[0]).toMatchObject({
      action: 'thing.named',
      user_id: fixture.owner.userId,
      credential: 'system:startup',
      details: { zebra: 1.5, apple: ['b', 'a'], name: 'a\u{fffd}b\u{fffd}c "quoted" grün' },
    });
  });

  it('records nothing of a change that is rolled back', async () => {
    const before = await verifyAudit(fixture.database.pool);
    const failing = fixture.database.transaction(async (em) => {
      await recordAudit(em, fixture.owner, { action: 'thing.done', subjectId: null });
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    expect(await verifyAudit(fixture.database.pool)).toEqual(before);
  });

  it('refuses to be changed', async () => {
    const { pool } = fixture.database;
    await expect(pool.query("update audit_events set action = 'x'")).rejects.toThrow('append-only');
    await expect(pool.query('delete from audit_events')).rejects.toThrow('append-only');
    await expect(pool.query('truncate audit_events')).rejects.toThrow('append-only');
  });

  it.each([
    ['a changed detail', `update audit_events set details = '{"i": 99}' where seq = 5`, 5],
    ['a changed time', "update audit_events set at = at + interval '1 millisecond' where seq = 4", 4],
    ['a removed event', 'delete from audit_events where seq = 3', 4],
  ])('shows %s', async (_, statement, seq) => {
    await tamper(statement);
    expect(await verifyAudit(fixture.database.pool)).toEqual({ intact: false, seq });
  });

  it('takes no event before the first, and shows one that got there all the same', async () => {
    const forge = `insert into audit_events select -5, at, user_id, credential, 'user.forged', subject_id, details,
      previous_hash, hash from audit_events where seq = 5`;
    await expect(fixture.database.pool.query(forge)).rejects.toMatchObject({ code: '23514' });
    await fixture.database.pool.query('alter table audit_events drop constraint audit_events_seq');
    await fixture.database.pool.query(forge);
    expect(await verifyAudit(fixture.database.pool)).toEqual({ intact: false, seq: -5 });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CallOutcome } from '../../../src/calls/call.entity.js';
import { readCallRequests, readCallsByIds } from '../../../src/calls/call-summary.js';
import { type CallFilter, countCalls, listCalls } from '../../../src/calls/list-calls.js';
import type { KeysetPage, KeysetRequest } from '../../../src/db/keyset.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { type AdminFixture, openAdminFixture } from '../../support/admin-fixture.js';

const MINUTE_MS = 60_000;
const START_MS = Date.now() - 20 * 86_400_000; // partitions, and the one for what lies outside them

describe('listCalls', () => {
  let fixture: AdminFixture;
  const [webhookId, otherId] = [newRandomUuid(), newRandomUuid()];
  /** The newest first, as they are listed. */
  let ids: readonly string[];

  const outcomeOf = (i: number): CallOutcome => (i % 4 === 0 ? 'RATE_LIMITED' : 'SUCCEEDED');

  const addCall = async (id: string, owner: string, outcome: CallOutcome): Promise<void> => {
    await fixture.database.pool.query(
      `insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, is_test, request_headers,
         request_body, pending) values ($1, $2, now(), 'ASYNC', 'PARALLEL', $3, false, '{"a":"b"}', 'body', 0)`,
      [id, owner, outcome],
    );
  };

  beforeAll(async () => {
    fixture = await openAdminFixture();
    // 20 days, one call a day; two a millisecond at the end.
    const all = Array.from({ length: 20 }, (_, i) => newUuidV7(START_MS + i * 86_400_000));
    all.push(newUuidV7(START_MS + 19 * 86_400_000));
    ids = all.toSorted().toReversed();
    for (const [i, id] of ids.entries()) await addCall(id, webhookId, outcomeOf(i));
    await addCall(newUuidV7(START_MS + MINUTE_MS), otherId, 'SUCCEEDED');
  });

  afterAll(() => fixture.close());

  const list = async (filter: CallFilter, page: Partial<KeysetRequest>): Promise<KeysetPage<string>> => {
    const request = { limit: 100, fromEnd: false, ...page };
    const { items, ...rest } = await listCalls(fixture.database.pool, fixture.owner, filter, request);
    return { items: items.map((call) => call.id), ...rest };
  };

  it('lists the newest first, those of a webhook or of all', async () => {
    expect(await list({ webhookId }, {})).toEqual({ items: ids, hasNextPage: false, hasPreviousPage: false });
    expect((await list({}, {})).items).toHaveLength(22);
    expect((await list({ webhookId: newRandomUuid() }, {})).items).toEqual([]);
  });

  it('pages forwards and backwards without a gap or a repeat', async () => {
    const forwards: string[] = [];
    for (let page = await list({ webhookId }, { limit: 4 }); ;) {
      forwards.push(...page.items);
      if (!page.hasNextPage) break;
      page = await list({ webhookId }, { limit: 4, after: page.items.at(-1) });
      expect(page.hasPreviousPage).toBe(true);
    }
    expect(forwards).toEqual(ids);
    const backwards: string[] = [];
    for (let page = await list({ webhookId }, { limit: 4, fromEnd: true }); ;) {
      backwards.unshift(...page.items);
      if (!page.hasPreviousPage) break;
      page = await list({ webhookId }, { limit: 4, fromEnd: true, before: page.items[0] });
      expect(page.hasNextPage).toBe(true);
    }
    expect(backwards).toEqual(ids);
  });

  it('keeps its place while new calls come in', async () => {
    const first = await list({ webhookId: otherId }, { limit: 1 });
    const late = newUuidV7();
    await addCall(late, otherId, 'SUCCEEDED');
    expect((await list({ webhookId: otherId }, { after: first.items[0] })).items).toEqual([]);
    expect((await list({ webhookId: otherId }, { before: first.items[0] })).items).toEqual([late]);
  });

  it('filters by outcome and by time, and counts the same', async () => {
    const limited = ids.filter((_, i) => outcomeOf(i) === 'RATE_LIMITED');
    expect((await list({ webhookId, outcomes: ['RATE_LIMITED', 'FAILED'] }, {})).items).toEqual(limited);
    const [from, to] = [new Date(START_MS + 5 * 86_400_000), new Date(START_MS + 9 * 86_400_000)];
    const filter = { webhookId, from, to }; // from is in, to is not
    expect((await list(filter, {})).items).toEqual(ids.slice(-9, -5));
    expect(await countCalls(fixture.database.pool, fixture.owner, filter)).toBe(4);
    const both = { ...filter, outcomes: ['RATE_LIMITED'] as const };
    expect(await countCalls(fixture.database.pool, fixture.owner, both)).toBe((await list(both, {})).items.length);
  });

  it('reads calls and requests by ids', async () => {
    const asked = [ids[3]!, newUuidV7(), ids[0]!];
    const calls = await readCallsByIds(fixture.database.pool, asked);
    expect([...calls.keys()].toSorted()).toEqual([ids[0]!, ids[3]!].toSorted());
    expect(calls.get(ids[0]!)).toMatchObject({ webhookId, outcome: 'RATE_LIMITED', isTest: false, sourceIp: null });
    const requests = await readCallRequests(fixture.database.pool, asked);
    expect(requests.get(ids[3]!)).toEqual({ headers: { a: 'b' }, body: Buffer.from('body') });
    expect(requests.size).toBe(2);
  });

  it('lets only those who may', async () => {
    const narrowed = await fixture.addUser('owner', ['executions:read']);
    const forbidden = expect.objectContaining({ code: 'FORBIDDEN' }) as unknown;
    const { pool } = fixture.database;
    await expect(listCalls(pool, narrowed, {}, { limit: 1, fromEnd: false })).rejects.toEqual(forbidden);
    await expect(countCalls(pool, narrowed, {})).rejects.toEqual(forbidden);
  });
});

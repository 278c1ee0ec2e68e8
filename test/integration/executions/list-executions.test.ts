import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KeysetPage, KeysetRequest } from '../../../src/db/keyset.js';
import { countExecutions, type ExecutionFilter, listExecutions } from '../../../src/executions/list-executions.js';
import type { ExecutionStatus } from '../../../src/executions/states.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { type AdminFixture, openAdminFixture } from '../../support/admin-fixture.js';

const START_MS = Date.now() - 3_600_000;

interface Stored {
  readonly id: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly workerId: string;
  readonly status: ExecutionStatus;
}

describe('listExecutions', () => {
  let fixture: AdminFixture;
  const [webhookId, otherId] = [newRandomUuid(), newRandomUuid()];
  const stored: Stored[] = [];

  const addCall = async (ofWebhook: string, receivedAtMs: number, workerIds: readonly string[]): Promise<void> => {
    const { pool } = fixture.database;
    const callId = newUuidV7(receivedAtMs);
    await pool.query(
      `insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, is_test, request_headers,
         request_body, pending) values ($1, $2, now(), 'ASYNC', 'PARALLEL', $3, false, '{}', '', 0)`,
      [callId, ofWebhook, workerIds.length === 0 ? 'RATE_LIMITED' : 'ACCEPTED'],
    );
    for (const [position, workerId] of workerIds.entries()) {
      const status = stored.length % 3 === 0 ? 'FAILED' : 'QUEUED';
      const execution = { id: newUuidV7(receivedAtMs), callId, webhookId: ofWebhook, workerId, status } as const;
      await pool.query(
        `insert into executions (id, call_id, webhook_id, worker_id, position, status, queued_at, result)
         values ($1, $2, $3, $4, $5, $6, now(), '{"big": 12345678901234567890}')`,
        [execution.id, callId, ofWebhook, workerId, position, status],
      );
      stored.push(execution);
    }
  };

  beforeAll(async () => {
    fixture = await openAdminFixture();
    // Every millisecond has two calls of the webhook and one of the other, so that the order within one matters.
    for (let i = 0; i < 6; i += 1) {
      await addCall(webhookId, START_MS + i, ['worker-a', 'worker-b', 'worker-c']);
      await addCall(webhookId, START_MS + i, ['worker-a']);
      await addCall(otherId, START_MS + i, ['worker-b']);
      await addCall(webhookId, START_MS + i, []);
    }
  });

  afterAll(() => fixture.close());

  const list = async (filter: ExecutionFilter, page: Partial<KeysetRequest> = {}): Promise<KeysetPage<string>> => {
    const request = { limit: 100, fromEnd: false, ...page };
    const { items, ...rest } = await listExecutions(fixture.database.pool, fixture.owner, filter, request);
    return { items: items.map(({ id }) => id), ...rest };
  };

  const newestFirst = (which: (execution: Stored) => boolean): string[] =>
    stored
      .filter(which)
      .map(({ id }) => id)
      .toSorted()
      .toReversed();

  /** By call, then within it: the order of a webhook's list. */
  const ofWebhook = (which: (execution: Stored) => boolean = () => true): string[] =>
    stored
      .filter((execution) => execution.webhookId === webhookId && which(execution))
      .toSorted((a, b) => (a.callId + a.id < b.callId + b.id ? 1 : -1))
      .map(({ id }) => id);

  it.each<[string, ExecutionFilter, () => readonly string[]]>([
    ['all', {}, () => newestFirst(() => true)],
    ['a webhook', { webhookId }, () => ofWebhook()],
    ['a worker', { workerId: 'worker-b' }, () => newestFirst(({ workerId }) => workerId === 'worker-b')],
    ['a status', { statuses: ['FAILED', 'SKIPPED'] }, () => newestFirst(({ status }) => status === 'FAILED')],
    [
      'a webhook, a worker and a status',
      { webhookId, workerId: 'worker-a', statuses: ['QUEUED'] },
      () => ofWebhook(({ workerId, status }) => workerId === 'worker-a' && status === 'QUEUED'),
    ],
  ])('lists those of %s, page by page in both directions, and counts them', async (_, filter, expected) => {
    const all = expected();
    expect(all.length).toBeGreaterThan(4);
    expect((await list(filter)).items).toEqual(all);
    expect(await countExecutions(fixture.database.pool, fixture.owner, filter)).toBe(all.length);
    for (const limit of [1, 2, 3]) {
      const forwards: string[] = [];
      for (let page = await list(filter, { limit }); ;) {
        forwards.push(...page.items);
        if (!page.hasNextPage) break;
        page = await list(filter, { limit, after: page.items.at(-1) });
      }
      expect(forwards).toEqual(all);
      const backwards: string[] = [];
      for (let page = await list(filter, { limit, fromEnd: true }); ;) {
        backwards.unshift(...page.items);
        if (!page.hasPreviousPage) break;
        page = await list(filter, { limit, fromEnd: true, before: page.items[0] });
      }
      expect(backwards).toEqual(all);
    }
  });

  it('lists those of a call, and none when the webhook is another', async () => {
    const { callId } = stored[0]!;
    expect((await list({ callId })).items).toEqual(newestFirst((execution) => execution.callId === callId));
    expect((await list({ callId, webhookId })).items).toHaveLength(3);
    expect((await list({ callId, webhookId: otherId })).items).toEqual([]);
  });

  it('goes on behind a cursor whose execution is gone', async () => {
    const gone = newUuidV7(START_MS + 2);
    const older = stored.filter((execution) => execution.webhookId === webhookId).slice(0, 8);
    const { items } = await list({ webhookId }, { after: gone });
    expect(items).toEqual(expect.arrayContaining(older.map(({ id }) => id)));
  });

  it('gives results as the text that they are', async () => {
    const page = { limit: 1, fromEnd: false };
    const { items } = await listExecutions(fixture.database.pool, fixture.owner, { webhookId }, page);
    expect(items[0]?.result).toBe('{"big": 12345678901234567890}');
  });

  it('lets only those who may', async () => {
    const narrowed = await fixture.addUser('owner', ['calls:read']);
    const forbidden = expect.objectContaining({ code: 'FORBIDDEN' }) as unknown;
    const { pool } = fixture.database;
    await expect(listExecutions(pool, narrowed, {}, { limit: 1, fromEnd: false })).rejects.toEqual(forbidden);
    await expect(countExecutions(pool, narrowed, {})).rejects.toEqual(forbidden);
  });
});

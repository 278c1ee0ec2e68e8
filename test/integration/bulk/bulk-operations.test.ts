import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import type { Principal } from '../../../src/access/principal.js';
import { createBulkHandler } from '../../../src/bulk/run-bulk.js';
import { besideUuidSql } from '../../../src/calls/callback-sql.js';
import { formatId, newRandomUuid, newUuidV7, parseId } from '../../../src/lib/ids.js';
import { RunnerStopping } from '../../../src/queue/job-context.js';
import { waitForBlockedSessions } from '../../support/blocked-sessions.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let operator: Principal;
let viewer: Principal;
let webhookId: string;
let n = 0;

const SHOWN = `bulkOperation {
  id kind status progress lookedAt succeeded failed failures { id reason } filter workerVersion startedAt finishedAt createdBy { id }
} userErrors { field code }`;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  await fixture.addWorkers('worker-a', 'worker-b');
  await addWorkerVersions(fixture);
  operator = await fixture.addUser('operator');
  viewer = await fixture.addUser('viewer');
});

beforeEach(async () => {
  webhookId = await fixture.addWebhook(`Bulk ${(n += 1)}`, ['worker-a']);
  await sql().query('delete from graphile_worker._private_jobs');
});

afterAll(() => fixture.close());

const sql = () => fixture.database.pool;

const start = async (mutation: string, input: string, as: Principal = operator) => {
  const { data, codes } = await fixture.run(`mutation { ${mutation}(input: ${input}) { ${SHOWN} } }`, {}, as);
  return { payload: data?.[mutation], codes };
};

const started = async (mutation: string, input: string): Promise<string> => {
  const { payload } = await start(mutation, input);
  if (payload.bulkOperation === null) throw new Error(JSON.stringify(payload.userErrors));
  return payload.bulkOperation.id as string;
};

const read = async (id: string) =>
  (
    await fixture.run(
      `{ bulkOperation(id: "${id}") { id kind status progress lookedAt succeeded failed failures { id reason } startedAt finishedAt } }`,
    )
  ).data.bulkOperation;

/** Does one job, as the queue does when it is due. */
const runJob = async (id: string, pool: pg.Pool = sql(), signal = new AbortController().signal): Promise<void> => {
  const handler = createBulkHandler({ ...fixture.services.replay, pool, log: fixture.log });
  await handler({ bulkOperationId: parseId('bulkOperation', id) }, { runnerId: newUuidV7(), signal });
};

/** How long after it was made the next job of an operation is due, in milliseconds; `undefined` when there is none. */
const nextJobMs = async (id: string): Promise<number | undefined> => {
  const { rows } = await sql().query<{ ms: number }>(
    `select extract(epoch from run_at - updated_at)::float8 * 1000 as ms from graphile_worker._private_jobs
     where payload->>'bulkOperationId' = $1 and attempts < max_attempts`,
    [parseId('bulkOperation', id)],
  );
  expect(rows.length).toBeLessThanOrEqual(1);
  return rows[0]?.ms;
};

/** Does all jobs of an operation until there is none. @returns how many. */
const runAll = async (id: string): Promise<number> => {
  for (let jobs = 0; ; jobs += 1) {
    if ((await nextJobMs(id)) === undefined) return jobs;
    await sql().query("delete from graphile_worker._private_jobs where payload->>'executionId' is not null");
    await sql().query("delete from graphile_worker._private_jobs where payload->>'bulkOperationId' = $1", [
      parseId('bulkOperation', id),
    ]);
    await runJob(id);
  }
};

const addCalls = async (
  count: number,
  outcome = 'FAILED',
  workerId = 'worker-a',
  ageMs = 60_000,
): Promise<string[]> => {
  const callIds: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const { callId } = await fixture.addCall({
      webhookId,
      workerIds: [workerId],
      receivedAtMs: Date.now() - ageMs + i,
      body: `{"i":${i}}`,
    });
    callIds.push(callId);
  }
  const ids = callIds.map((id) => parseId('call', id));
  const status = outcome === 'FAILED' ? 'FAILED' : 'SUCCEEDED';
  await sql().query(
    `update calls set outcome = $2, pending = 0, failures = ($2 = 'FAILED')::integer, finished_at = now(), duration_ms = 5
     where id = any($1)`,
    [ids, outcome],
  );
  await sql().query('update executions set status = $2, finished_at = now() where call_id = any($1)', [ids, status]);
  await sql().query('delete from graphile_worker._private_jobs');
  return callIds;
};

const replaysOf = async (callIds: readonly string[]): Promise<number[]> => {
  const { rows } = await sql().query<{ n: number }>(
    `select (select count(*)::integer from calls where replay_of = s.id) as n
     from unnest($1::uuid[]) with ordinality as s(id, at) order by at`,
    [callIds.map((id) => parseId('call', id))],
  );
  return rows.map((row) => row.n);
};

describe('a bulk operation', () => {
  it('replays every call that its filter takes, each once, in pages with pauses', async () => {
    const failed = await addCalls(120);
    const succeeded = await addCalls(3, 'SUCCEEDED', 'worker-a', 30_000);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}", outcomes: [FAILED] } }`);
    expect(await read(id)).toMatchObject({ kind: 'REPLAY', status: 'QUEUED', progress: 0, succeeded: 0 });
    await sql().query('delete from graphile_worker._private_jobs');
    await runJob(id);
    const first = await read(id);
    expect(first).toMatchObject({ status: 'RUNNING', succeeded: 50, failed: 0, lookedAt: 50, finishedAt: null });
    expect(first.progress).toBeLessThan(1);
    expect(await nextJobMs(id)).toBe(500); // 50 in half a second: 100 a second
    expect(await runAll(id)).toBe(3); // 50, 20, nothing more
    expect(await read(id)).toMatchObject({
      status: 'COMPLETED',
      succeeded: 120,
      failed: 0,
      lookedAt: 123,
      progress: 1,
    });
    expect(await replaysOf(failed)).toEqual(failed.map(() => 1));
    expect(await replaysOf(succeeded)).toEqual([0, 0, 0]);
    await runJob(id); // a job too many
    expect(await read(id)).toMatchObject({ succeeded: 120 });
  });

  it('leaves alone what comes after it was asked for, its own replays too', async () => {
    const calls = await addCalls(2, 'SUCCEEDED', 'worker-a', 5_000);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    const later = await fixture.addCall({ webhookId, workerIds: ['worker-a'], receivedAtMs: Date.now() + 1_000 });
    await sql().query("update calls set outcome = 'SUCCEEDED' where webhook_id = $1", [parseId('webhook', webhookId)]);
    await runAll(id);
    expect(await replaysOf([...calls, later.callId])).toEqual([1, 1, 0]);
    expect(await read(id)).toMatchObject({ succeeded: 2 });
  });

  it('chooses by time and by worker', async () => {
    const [early] = await addCalls(1, 'FAILED', 'worker-a', 3_600_000);
    const [ofOther] = await addCalls(1, 'FAILED', 'worker-b', 60_000);
    const [wanted] = await addCalls(1, 'FAILED', 'worker-a', 50_000);
    const [late] = await addCalls(1, 'FAILED', 'worker-a', 10_000);
    const from = new Date(Date.now() - 600_000).toISOString();
    const to = new Date(Date.now() - 30_000).toISOString();
    const id = await started(
      'replayCalls',
      `{ filter: { webhookId: "${webhookId}", workerId: "worker-a", from: "${from}", to: "${to}" } }`,
    );
    await runAll(id);
    expect(await replaysOf([early!, ofOther!, wanted!, late!])).toEqual([0, 0, 1, 0]);
  });

  it('looks on in the same job when for long nothing matches', async () => {
    await sql().query(
      `insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, is_test, request_headers,
         request_body, pending)
       select (left(workhook_uuid_floor(now() - interval '1 hour' + n * interval '1 millisecond')::text, 14)
           || '7' || substr(gen_random_uuid()::text, 16))::uuid,
         $1, now(), 'ASYNC', 'PARALLEL', 'SUCCEEDED', false, '{}', '{}', 0
       from generate_series(1, 2500) as n`,
      [parseId('webhook', webhookId)],
    );
    const calls = await addCalls(1);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}", outcomes: [FAILED] } }`);
    await runJob(id);
    expect(await replaysOf(calls)).toEqual([1]);
    expect(await read(id)).toMatchObject({ lookedAt: 2_501, succeeded: 1 });
  });

  it('keeps the first twenty reasons', async () => {
    const calls = await addCalls(60);
    await sql().query("update calls set outcome = 'RATE_LIMITED', request_body = '' where webhook_id = $1", [
      parseId('webhook', webhookId),
    ]);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}", outcomes: [RATE_LIMITED] } }`);
    await runAll(id);
    const { failed, failures } = await read(id);
    expect(failed).toBe(60);
    expect(failures.map((failure: { id: string }) => failure.id)).toEqual(calls.slice(0, 20));
  });

  it('says of what could not be done why', async () => {
    const [failed] = await addCalls(1);
    await sql().query("update calls set outcome = 'RATE_LIMITED', request_body = '' where id = $1", [
      parseId('call', failed!),
    ]);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}", outcomes: [RATE_LIMITED] } }`);
    await runAll(id);
    expect(await read(id)).toMatchObject({
      status: 'COMPLETED',
      succeeded: 0,
      failed: 1,
      failures: [{ id: failed, reason: 'Its body cannot be replayed: it was not kept.' }],
    });
  });

  it('does a page wholly or not at all', async () => {
    const calls = await addCalls(10);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    // The connection breaks when everything is written and only the commit is left.
    const breaking = {
      connect: async () => {
        const client = await sql().connect();
        return {
          query: (first: unknown, ...rest: unknown[]) =>
            first === 'commit'
              ? Promise.reject(new Error('cut off'))
              : (client.query as (...args: unknown[]) => unknown)(first, ...rest),
          release: () => client.release(true),
        };
      },
    } as unknown as pg.Pool;
    await expect(runJob(id, breaking)).rejects.toThrow('cut off');
    expect(await replaysOf(calls)).toEqual(calls.map(() => 0));
    expect(await read(id)).toMatchObject({ status: 'QUEUED', succeeded: 0 });
    await runAll(id);
    expect(await replaysOf(calls)).toEqual(calls.map(() => 1));
    expect(await read(id)).toMatchObject({ status: 'COMPLETED', succeeded: 10 });
  });

  it('is done once by two runners that both have its job', async () => {
    const calls = await addCalls(80);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    await Promise.all([runJob(id), runJob(id)]);
    await runAll(id);
    expect(await replaysOf(calls)).toEqual(calls.map(() => 1));
    expect(await read(id)).toMatchObject({ status: 'COMPLETED', succeeded: 80 });
  });

  it('adds nothing while runners do not keep up', async () => {
    const calls = await addCalls(3);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    await sql().query("select graphile_worker.add_job('run_execution', '{}') from generate_series(1, 200)");
    await runJob(id);
    expect(await replaysOf(calls)).toEqual([0, 0, 0]);
    expect(await nextJobMs(id)).toBe(1_000);
    await sql().query("delete from graphile_worker._private_jobs where payload::text = '{}'");
    await runAll(id);
    expect(await replaysOf(calls)).toEqual([1, 1, 1]);
  });

  it('gives its job back when the process stops', async () => {
    const calls = await addCalls(1);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    const stopping = AbortSignal.abort(new RunnerStopping());
    await expect(runJob(id, sql(), stopping)).rejects.toBeInstanceOf(RunnerStopping);
    expect(await replaysOf(calls)).toEqual([0]);
  });

  it('can be canceled between two pages; what it did stays', async () => {
    const calls = await addCalls(60);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    await runJob(id);
    const cancel = () => start('cancelBulkOperation', `{ id: "${id}" }`);
    expect((await cancel()).payload).toMatchObject({ bulkOperation: { status: 'CANCELED', succeeded: 50 } });
    await runAll(id);
    expect((await replaysOf(calls)).filter((times) => times === 1)).toHaveLength(50);
    expect((await cancel()).payload.userErrors).toEqual([{ field: ['id'], code: 'ALREADY_ENDED' }]);
    expect((await start('cancelBulkOperation', `{ id: "${formatId('bulkOperation', newUuidV7())}" }`)).codes).toEqual([
      'NOT_FOUND',
    ]);
  });

  it('retries executions, each once, and none of its own retries', async () => {
    const calls = await addCalls(3);
    await addCalls(1, 'SUCCEEDED');
    const id = await started('retryExecutions', `{ filter: { webhookId: "${webhookId}" }, workerVersion: ORIGINAL }`);
    await runAll(id);
    expect(await read(id)).toMatchObject({ kind: 'RETRY', status: 'COMPLETED', succeeded: 3, failed: 0 });
    const { rows } = await sql().query(
      'select status, count(*)::integer as n from executions where retry_of is not null and webhook_id = $1 group by status',
      [parseId('webhook', webhookId)],
    );
    expect(rows).toEqual([{ status: 'QUEUED', n: 3 }]);
    // Failed again at once, in the same milliseconds as what was asked for.
    await sql().query("update executions set status = 'FAILED' where retry_of is not null");
    await sql().query("update bulk_operations set status = 'RUNNING', position = $2 where id = $1", [
      parseId('bulkOperation', id),
      '00000000-0000-0000-0000-000000000000',
    ]);
    await runJob(id);
    expect(await read(id)).toMatchObject({ succeeded: 3 });
    expect(calls).toHaveLength(3);
  });

  it('cancels executions of one call, and of a webhook', async () => {
    const first = await fixture.addCall({
      webhookId,
      workerIds: ['worker-a', 'worker-b'],
      receivedAtMs: Date.now() - 9_000,
    });
    const second = await fixture.addCall({ webhookId, workerIds: ['worker-a'], receivedAtMs: Date.now() - 8_000 });
    const statuses = async (): Promise<string[]> => {
      const { rows } = await sql().query<{ status: string }>(
        'select status from executions where webhook_id = $1 order by id',
        [parseId('webhook', webhookId)],
      );
      return rows.map(({ status }) => status).toSorted();
    };
    const one = await started('cancelExecutions', `{ filter: { callId: "${first.callId}" } }`);
    await runAll(one);
    expect(await read(one)).toMatchObject({ kind: 'CANCEL', succeeded: 2 });
    expect(await statuses()).toEqual(['CANCELED', 'CANCELED', 'QUEUED']);
    await runAll(await started('cancelExecutions', `{ filter: { webhookId: "${webhookId}" } }`));
    expect(await statuses()).toEqual(['CANCELED', 'CANCELED', 'CANCELED']);
    expect(second.callId).toBeDefined();
  });

  it('cancels none that has begun to run meanwhile, when only those that wait are meant', async () => {
    const { executionIds } = await fixture.addCall({
      webhookId,
      workerIds: ['worker-a'],
      receivedAtMs: Date.now() - 9_000,
    });
    const id = await started('cancelExecutions', `{ filter: { webhookId: "${webhookId}", statuses: [QUEUED] } }`);
    const runner = await sql().connect();
    let done: Promise<void> | undefined;
    try {
      await runner.query('begin');
      await runner.query("update executions set status = 'RUNNING', attempt = 1 where id = $1", [
        parseId('execution', executionIds[0]!),
      ]);
      done = runJob(id); // it still finds the one that is about to run
      await waitForBlockedSessions(sql(), 1);
      await runner.query('commit');
    } finally {
      await runner.query('rollback');
      runner.release();
      await done;
    }
    expect(await read(id)).toMatchObject({ succeeded: 0, failed: 0 });
    const { rows } = await sql().query('select status, cancel_requested_at from executions where id = $1', [
      parseId('execution', executionIds[0]!),
    ]);
    expect(rows).toEqual([{ status: 'RUNNING', cancel_requested_at: null }]);
  });

  it('shows how far it has come through the calls of its webhook, however old others are', async () => {
    await addCalls(1, 'FAILED', 'worker-a', 86_400_000);
    webhookId = await fixture.addWebhook('Young', ['worker-a']);
    const calls = await addCalls(60, 'FAILED', 'worker-a', 1_000);
    const id = await started('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    await sql().query('delete from graphile_worker._private_jobs');
    await runJob(id);
    const { progress, succeeded } = await read(id);
    expect([succeeded, calls.length]).toEqual([50, 60]);
    expect(progress).toBeLessThan(0.5); // 50 ms of a second
  });

  it('sends callbacks again that were given up', async () => {
    const calls = await addCalls(2);
    await fixture.run(
      `mutation { updateWebhook(input: { id: "${webhookId}", callbackUrl: "https://receiver.example/" }) { webhook { id } } }`,
    );
    await sql().query(
      `insert into callbacks (id, call_id, webhook_id, status, tries, attempts, finished_at)
       select ${besideUuidSql('c.id')}, c.id, c.webhook_id, 'FAILED', 8, 8, now() from calls c where c.id = any($1)`,
      [calls.map((id) => parseId('call', id))],
    );
    const id = await started('replayCallbacks', `{ filter: { webhookId: "${webhookId}" } }`);
    await runAll(id);
    expect(await read(id)).toMatchObject({ kind: 'REPLAY_CALLBACKS', status: 'COMPLETED', succeeded: 2 });
    const { rows } = await sql().query('select status, tries, round from callbacks where webhook_id = $1', [
      parseId('webhook', webhookId),
    ]);
    expect(rows).toEqual([
      { status: 'PENDING', tries: 0, round: 2 },
      { status: 'PENDING', tries: 0, round: 2 },
    ]);
  });
});

describe('asking for a bulk operation', () => {
  it('is recorded, with who asked, and is listed', async () => {
    const { payload } = await start('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    expect(payload.bulkOperation).toMatchObject({
      workerVersion: 'PRESENT',
      filter: { webhookId, from: expect.any(String), to: expect.any(String) },
      createdBy: { id: formatId('user', operator.userId) },
    });
    const { rows } = await sql().query('select action, subject_id from audit_events order by seq desc limit 1');
    expect(rows).toEqual([{ action: 'bulk-operation.started', subject_id: payload.bulkOperation.id }]);
    const { data } = await fixture.run(
      `{ bulkOperations(first: 1) { totalCount nodes { id } pageInfo { hasNextPage } } node(id: "${payload.bulkOperation.id}") { id } }`,
    );
    expect(data.bulkOperations).toMatchObject({
      nodes: [{ id: payload.bulkOperation.id }],
      pageInfo: { hasNextPage: true },
    });
    expect(data.node).toEqual({ id: payload.bulkOperation.id });
  });

  it('begins one for one key, and refuses the key for another', async () => {
    const ask = (more: string) =>
      start('replayCalls', `{ filter: { webhookId: "${webhookId}" ${more} }, idempotencyKey: "bulk-key-${n}" }`);
    const [first, second] = await Promise.all([ask(''), ask('')]);
    expect(second.payload.bulkOperation.id).toBe(first.payload.bulkOperation.id);
    expect((await ask(', outcomes: [FAILED]')).payload.userErrors).toEqual([
      { field: ['idempotencyKey'], code: 'IDEMPOTENCY_MISMATCH' },
    ]);
  });

  it.each([
    ['replayCalls', '{ filter: {} }'],
    ['replayCalls', '{ filter: { outcomes: [FAILED] } }'],
    ['retryExecutions', '{ filter: { statuses: [FAILED] } }'],
    ['cancelExecutions', '{ filter: { to: "2030-01-01T00:00:00Z" } }'],
    ['replayCallbacks', '{ filter: {} }'],
  ])('refuses to do it to everything: %s(%s)', async (mutation, input) => {
    expect((await start(mutation, input)).payload).toMatchObject({
      bulkOperation: null,
      userErrors: [{ field: ['filter'], code: 'REQUIRED' }],
    });
  });

  it('refuses times that make no sense and ids that are none', async () => {
    const times = 'from: "2026-02-01T00:00:00Z", to: "2026-01-01T00:00:00Z"';
    expect((await start('replayCalls', `{ filter: { ${times} } }`)).payload.userErrors).toEqual([
      { field: ['filter', 'to'], code: 'OUT_OF_RANGE' },
    ]);
    expect((await start('replayCalls', '{ filter: { webhookId: "" } }')).codes).toEqual(['BAD_USER_INPUT']);
    expect((await start('retryExecutions', '{ filter: { callId: "wh_x" } }')).codes).toEqual(['BAD_USER_INPUT']);
    expect((await start('cancelExecutions', '{ filter: { workerId: "" } }')).codes).toEqual(['BAD_USER_INPUT']);
  });

  it.each([
    ['retryExecutions', '[FAILED, SUCCEEDED]'],
    ['retryExecutions', '[RUNNING]'],
    ['cancelExecutions', '[QUEUED, CANCELED]'],
  ])('refuses statuses that it cannot act on: %s(%s)', async (mutation, statuses) => {
    const { payload } = await start(mutation, `{ filter: { webhookId: "${webhookId}", statuses: ${statuses} } }`);
    expect(payload).toMatchObject({
      bulkOperation: null,
      userErrors: [{ field: ['filter', 'statuses'], code: 'INVALID' }],
    });
  });

  it('refuses ids of nothing, and takes those of what is deleted', async () => {
    const unknown = formatId('webhook', newRandomUuid());
    const call = formatId('call', newUuidV7());
    const filter = `{ webhookId: "${unknown}", callId: "${call}", workerId: "worker-none" }`;
    expect((await start('retryExecutions', `{ filter: ${filter} }`)).payload.userErrors).toEqual(
      ['webhookId', 'callId', 'workerId'].map((name) => ({ field: ['filter', name], code: 'NOT_FOUND' })),
    );
    const { data } = await fixture.run(
      'mutation ($id: ID!) { deleteWebhook(input: { id: $id }) { deletedWebhookId } }',
      { id: webhookId },
    );
    expect(data.deleteWebhook.deletedWebhookId).toBe(webhookId);
    const { payload } = await start('replayCalls', `{ filter: { webhookId: "${webhookId}" } }`);
    expect(payload.userErrors).toEqual([]);
  });

  it.each(['replayCalls', 'retryExecutions', 'cancelExecutions', 'replayCallbacks'])(
    '%s is for who may operate',
    async (mutation) => {
      expect((await start(mutation, `{ filter: { webhookId: "${webhookId}" } }`, viewer)).codes).toEqual(['FORBIDDEN']);
    },
  );
});

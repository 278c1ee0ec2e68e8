import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../../src/access/audit.js';
import { deleteExpiredAlerts } from '../../../src/alerts/delete-alerts.js';
import { evaluateAlerts } from '../../../src/alerts/evaluate-alerts.js';
import { compactStatistics } from '../../../src/calls/compact-statistics.js';
import { formatId, newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { addToken, type GraphqlProcess, openGraphqlProcess } from '../../support/graphql-process.js';
import { graphqlOf } from '../../support/page.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;

let testDatabase: TestDatabase;
let gateway: GraphqlProcess;
let operator: string;
let viewer: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  gateway = await openGraphqlProcess({ databaseUrl: testDatabase.url });
  ({ token: operator } = await addToken(gateway.database.pool, 'operator'));
  ({ token: viewer } = await addToken(gateway.database.pool, 'viewer'));
});

afterAll(async () => {
  await gateway.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  await gateway.database.pool.query(
    'truncate alerts, call_statistics; update webhooks set deleted_at = now() where deleted_at is null',
  );
});

async function addWebhook(): Promise<string> {
  const id = newRandomUuid();
  await gateway.database.pool.query(
    `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id, updated_at)
     select $1, 'watched', true, 'ASYNC', 'PARALLEL', 'HMAC_SIGNATURE', id, now() - interval '1 year' from users limit 1`,
    [id],
  );
  return id;
}

/** Counts calls of a minute as the ingress and the runners do. */
async function count(webhookId: string, atMs: number, outcome: string, calls: number): Promise<void> {
  await gateway.database.pool.query(
    `insert into call_statistics (webhook_id, bucket_start, shard, outcome, duration_bucket, calls)
     values ($1, date_trunc('minute', $2::timestamptz), 1, $3, $4, $5)`,
    [webhookId, new Date(atMs), outcome, outcome === 'SUCCEEDED' || outcome === 'FAILED' ? 5 : -1, calls],
  );
}

/** Forty calls in every hour of the last 15 days up to two hours ago, all of which succeeded. */
async function addHistory(webhookId: string): Promise<void> {
  await gateway.database.pool.query(
    `insert into call_statistics (webhook_id, bucket_start, shard, outcome, duration_bucket, calls)
     select $1, $2::timestamptz - h * interval '1 hour', 1, o.outcome, o.bucket, 40
     from generate_series(2, 15 * 24) h, (values ('ACCEPTED', -1), ('SUCCEEDED', 5)) o(outcome, bucket)`,
    [webhookId, new Date(NOW_MS)],
  );
}

async function addCalls(webhookId: string, atMs: number, succeeded: number, failed: number): Promise<void> {
  await count(webhookId, atMs, 'ACCEPTED', succeeded + failed);
  if (succeeded > 0) await count(webhookId, atMs, 'SUCCEEDED', succeeded);
  if (failed > 0) await count(webhookId, atMs, 'FAILED', failed);
}

const look = (nowMs: number): Promise<void> => evaluateAlerts(gateway.database.pool, nowMs);

interface AlertNode {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly endedAt: string | null;
}

async function list(variables: object = {}): Promise<AlertNode[]> {
  const { data, errors } = await gateway.post(
    `query ($webhookId: ID, $statuses: [AlertStatus!], $kinds: [AlertKind!]) {
       alerts(webhookId: $webhookId, statuses: $statuses, kinds: $kinds) {
         totalCount nodes { id kind status summary observed expected calls openedAt lastSeenAt endedAt webhook { id }
           acknowledgedAt acknowledgedBy { id } resolvedAt resolvedBy { id } } } }`,
    { token: viewer, variables },
  );
  expect(errors).toBeUndefined();
  const { totalCount, nodes } = (data as { alerts: { totalCount: number; nodes: AlertNode[] } }).alerts;
  expect(totalCount).toBe(nodes.length);
  return nodes;
}

async function settle(
  mutation: 'acknowledgeAlert' | 'resolveAlert',
  id: string,
  token = operator,
): Promise<{ alert: AlertNode | null; userErrors: { code: string }[] }> {
  const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input`;
  const { data, errors } = await gateway.post(
    `mutation ($input: ${type}!) { ${mutation}(input: $input) {
       alert { id kind status endedAt acknowledgedBy { id } resolvedBy { id } } userErrors { field message code } } }`,
    { token, variables: { input: { id } } },
  );
  if (errors !== undefined) throw new Error(errors[0]!.extensions.code);
  return (data as Record<string, Awaited<ReturnType<typeof settle>>>)[mutation]!;
}

describe('alerts', () => {
  it('open on failures, stay one while they go on, and resolve themselves when they are over', async () => {
    const webhookId = await addWebhook();
    await addHistory(webhookId);
    await addCalls(webhookId, NOW_MS - 40 * MINUTE_MS, 20, 0);
    await look(NOW_MS);
    expect(await list()).toEqual([]);

    await addCalls(webhookId, NOW_MS - 5 * MINUTE_MS, 0, 20);
    await look(NOW_MS);
    await look(NOW_MS);
    const [alert, ...others] = await list();
    expect(others).toEqual([]);
    expect(alert).toMatchObject({
      kind: 'FAILURES',
      status: 'OPEN',
      observed: 0.5,
      expected: 0,
      calls: 40,
      summary: "50 % of the last hour's 40 calls that ended failed; it used to be 0 %.",
      openedAt: new Date(NOW_MS).toISOString(),
      endedAt: null,
      webhook: { id: formatId('webhook', webhookId) },
    });

    const laterMs = NOW_MS + 30 * MINUTE_MS;
    await addCalls(webhookId, laterMs - MINUTE_MS, 85, 0); // 20 of 105 in the hour: not enough to begin, enough to go on
    await look(laterMs);
    expect(await list()).toEqual([
      expect.objectContaining({ status: 'OPEN', observed: 20 / 105, lastSeenAt: new Date(laterMs).toISOString() }),
    ]);

    const endMs = NOW_MS + 70 * MINUTE_MS;
    await addCalls(webhookId, endMs - MINUTE_MS, 20, 0);
    await look(endMs);
    const ended = await list();
    expect(ended).toEqual([
      expect.objectContaining({
        id: alert!.id,
        status: 'RESOLVED',
        endedAt: new Date(endMs).toISOString(),
        resolvedAt: new Date(endMs).toISOString(),
        resolvedBy: null,
      }),
    ]);
    await look(endMs);
    expect(await list()).toEqual(ended);
  });

  it('tell rejections, a surge and silence, each of the webhook that it is of', async () => {
    const [rejected, surging, silent, usual] = [
      await addWebhook(),
      await addWebhook(),
      await addWebhook(),
      await addWebhook(),
    ];
    for (const webhookId of [rejected, surging, silent, usual]) await addHistory(webhookId);
    for (const webhookId of [rejected, surging, usual]) await addCalls(webhookId, NOW_MS - 10 * MINUTE_MS, 20, 0);
    await count(rejected, NOW_MS - MINUTE_MS, 'REJECTED_AUTHENTICATION', 30);
    await addCalls(surging, NOW_MS - MINUTE_MS, 200, 0);
    const laterMs = NOW_MS + 10 * MINUTE_MS; // two hours and ten minutes after the silent one's last call
    await look(laterMs);
    const kinds = Object.fromEntries(
      (await list()).map((alert) => [(alert as AlertNode & { webhook: { id: string } }).webhook.id, alert.kind]),
    );
    expect(kinds).toEqual({
      [formatId('webhook', rejected)]: 'REJECTIONS',
      [formatId('webhook', surging)]: 'SURGE',
      [formatId('webhook', silent)]: 'SILENCE',
    });

    await addCalls(silent, laterMs + MINUTE_MS, 1, 0);
    await look(laterMs + 5 * MINUTE_MS);
    expect(await list({ kinds: ['SILENCE'] })).toEqual([expect.objectContaining({ status: 'RESOLVED' })]);
    expect((await list({ statuses: ['OPEN'] })).map(({ kind }) => kind).toSorted()).toEqual(['REJECTIONS', 'SURGE']);
    expect(await list({ webhookId: formatId('webhook', usual) })).toEqual([]);
  });

  it('say the same when the counters of old minutes were folded', async () => {
    const webhookId = await addWebhook();
    await addHistory(webhookId);
    await compactStatistics(gateway.database.pool);
    await look(NOW_MS + 10 * MINUTE_MS);
    expect(await list()).toEqual([expect.objectContaining({ kind: 'SILENCE', expected: expect.any(Number) })]);
  });

  it('of a webhook that is not active any more are resolved, and none are opened', async () => {
    const webhookId = await addWebhook();
    await addHistory(webhookId);
    await look(NOW_MS + 10 * MINUTE_MS);
    expect(await list({ statuses: ['OPEN'] })).toHaveLength(1);
    await gateway.database.pool.query('update webhooks set active = false where id = $1', [webhookId]);
    await look(NOW_MS + 15 * MINUTE_MS);
    expect(await list()).toEqual([expect.objectContaining({ status: 'RESOLVED', endedAt: expect.any(String) })]);
  });

  it('are one however many processes look at once', async () => {
    const webhookId = await addWebhook();
    await addHistory(webhookId);
    await Promise.all(Array.from({ length: 4 }, () => look(NOW_MS + 10 * MINUTE_MS)));
    expect(await list()).toHaveLength(1);
  });

  it('are deleted when they ended beyond retention', async () => {
    const webhookId = await addWebhook();
    const add = (endedAt: Date | null): Promise<unknown> =>
      gateway.database.pool.query(
        `insert into alerts (id, webhook_id, kind, status, observed, expected, calls, opened_at, last_seen_at, ended_at)
         values ($1, $2, 'SURGE', 'RESOLVED', 1, 1, 1, now() - interval '99 days', now(), $3)`,
        [newUuidV7(), webhookId, endedAt],
      );
    await add(new Date(Date.now() - 31 * DAY_MS));
    await add(new Date(Date.now() - 29 * DAY_MS));
    await add(null);
    await deleteExpiredAlerts(gateway.database.pool, 0);
    expect(await list()).toHaveLength(3);
    await deleteExpiredAlerts(gateway.database.pool, 30);
    expect(await list()).toHaveLength(2);
  });
});

describe('who looks after an alert', () => {
  async function openOne(): Promise<{ id: string; webhookId: string }> {
    const webhookId = await addWebhook();
    await addHistory(webhookId);
    await addCalls(webhookId, NOW_MS - 5 * MINUTE_MS, 10, 30);
    await look(NOW_MS);
    const [alert] = await list();
    return { id: alert!.id, webhookId };
  }

  it('acknowledges it and resolves it, each once, and both are audited', async () => {
    const { id } = await openOne();
    expect(await settle('acknowledgeAlert', id)).toMatchObject({
      alert: { status: 'ACKNOWLEDGED', acknowledgedBy: { id: expect.stringMatching(/^user-/) } },
      userErrors: [],
    });
    expect((await settle('acknowledgeAlert', id)).userErrors).toMatchObject([{ code: 'ALREADY_ACKNOWLEDGED' }]);
    expect(await settle('resolveAlert', id)).toMatchObject({ alert: { status: 'RESOLVED', endedAt: null } });
    expect((await settle('resolveAlert', id)).userErrors).toMatchObject([{ code: 'ALREADY_RESOLVED' }]);
    expect((await settle('acknowledgeAlert', id)).userErrors).toMatchObject([{ code: 'ALREADY_RESOLVED' }]);
    const { rows } = await gateway.database.pool.query<{ action: string }>(
      'select action from audit_events where subject_id = $1 order by seq',
      [id],
    );
    expect(rows.map(({ action }) => action)).toEqual(['alert.acknowledged', 'alert.resolved']);
    expect(await verifyAudit(gateway.database.pool)).toMatchObject({ intact: true });
  });

  it('is not told of the same pattern again while it goes on, but of the next one', async () => {
    const { id, webhookId } = await openOne();
    await settle('resolveAlert', id);
    await look(NOW_MS + 5 * MINUTE_MS);
    expect(await list()).toEqual([expect.objectContaining({ id, status: 'RESOLVED', endedAt: null })]);
    await addCalls(webhookId, NOW_MS + 61 * MINUTE_MS, 40, 0);
    await look(NOW_MS + 65 * MINUTE_MS);
    expect(await list()).toEqual([
      expect.objectContaining({ id, endedAt: expect.any(String), resolvedBy: { id: expect.any(String) } }),
    ]);
    await addCalls(webhookId, NOW_MS + 130 * MINUTE_MS, 10, 30);
    await look(NOW_MS + 135 * MINUTE_MS);
    expect((await list()).map(({ kind, status }) => [kind, status])).toEqual([
      ['FAILURES', 'OPEN'],
      ['FAILURES', 'RESOLVED'],
    ]);
  });

  it('has the permission, and names an alert that there is', async () => {
    const { id } = await openOne();
    await expect(settle('acknowledgeAlert', id, viewer)).rejects.toThrow('FORBIDDEN');
    await expect(settle('resolveAlert', formatId('alert', newUuidV7()))).rejects.toThrow('NOT_FOUND');
    await expect(settle('resolveAlert', 'alert-1')).rejects.toThrow('BAD_USER_INPUT');
  });

  it('reads it by its id, as a node too, and through cursors', async () => {
    const { id, webhookId } = await openOne();
    await count(webhookId, NOW_MS - MINUTE_MS, 'RATE_LIMITED', 100);
    await look(NOW_MS);
    const read = async (query: string, token = viewer): Promise<unknown> => {
      const { data, errors } = await gateway.post(query, { token });
      return errors === undefined ? data : errors[0]!.extensions.code;
    };
    expect(await read(`{ alert(id: "${id}") { id } node(id: "${id}") { __typename id } }`)).toEqual({
      alert: { id },
      node: { __typename: 'Alert', id },
    });
    expect(await read(`{ alert(id: "${formatId('alert', newUuidV7())}") { id } }`)).toEqual({ alert: null });
    const { token } = await addToken(gateway.database.pool, 'owner', ['webhooks:read']);
    expect(await read(`{ node(id: "${id}") { id } }`, token)).toBe('FORBIDDEN');
    const first = (await read('{ alerts(first: 1) { nodes { kind } pageInfo { endCursor hasNextPage } } }')) as {
      alerts: { nodes: AlertNode[]; pageInfo: { endCursor: string; hasNextPage: boolean } };
    };
    expect(first.alerts.pageInfo.hasNextPage).toBe(true);
    const second = await read(
      `{ alerts(first: 5, after: "${first.alerts.pageInfo.endCursor}") { nodes { kind } pageInfo { hasNextPage } } }`,
    );
    expect(
      [...first.alerts.nodes, ...(second as typeof first).alerts.nodes].map(({ kind }) => kind).toSorted(),
    ).toEqual(expect.arrayContaining(['FAILURES', 'REJECTIONS']));
  });
});

it('every document of docs/alerts.md works', async () => {
  const webhookId = await addWebhook();
  const variables = { webhookId: formatId('webhook', webhookId) };
  const [query, acknowledge, resolve, subscription] = await graphqlOf('docs/alerts.md');
  const inForce = Promise.withResolvers<void>();
  const listen = gateway.hub.subscribe.bind(gateway.hub);
  gateway.hub.subscribe = (...args) => {
    inForce.resolve();
    return listen(...args);
  };
  const changes = gateway.client(viewer).iterate({ query: subscription!, variables });
  await inForce.promise;
  await addHistory(webhookId);
  await look(NOW_MS + 10 * MINUTE_MS);
  const opened = { alertChanged: expect.objectContaining({ status: 'OPEN', kind: 'SILENCE' }) };
  expect(await changes.next()).toMatchObject({ value: { data: opened } });
  const listed = await gateway.post(query!, { token: viewer, variables });
  const { alerts } = listed.data as { alerts: { nodes: AlertNode[] } };
  expect(alerts.nodes).toHaveLength(1);
  const { id } = alerts.nodes[0]!;
  for (const [document, status] of [
    [acknowledge, 'ACKNOWLEDGED'],
    [resolve, 'RESOLVED'],
  ] as const) {
    const { data } = await gateway.post(document!, { token: operator, variables: { id } });
    const expected = expect.objectContaining({ userErrors: [], alert: expect.objectContaining({ id, status }) });
    expect(Object.values(data!)).toEqual([expected]);
  }
});

describe('alertChanged', () => {
  interface Told {
    readonly data?: { readonly alertChanged: AlertNode } | null;
  }

  it('tells each change once, in another process too, also one that it did not hear of', async () => {
    const deaf = await openGraphqlProcess({ databaseUrl: testDatabase.url, deaf: true });
    try {
      const webhookId = await addWebhook();
      const heard = subscribe(gateway, webhookId);
      const missed = subscribe(deaf, webhookId);
      const next = async (source: typeof heard): Promise<string> => {
        const { value } = await source.events.next();
        return (value as Told).data!.alertChanged.status;
      };
      await Promise.all([heard.inForce, missed.inForce]);
      await addHistory(webhookId);
      await look(NOW_MS + 10 * MINUTE_MS);
      expect(await next(heard)).toBe('OPEN');
      deaf.hub.resync();
      expect(await next(missed)).toBe('OPEN');
      const [alert] = await list();
      await settle('acknowledgeAlert', alert!.id);
      expect(await next(heard)).toBe('ACKNOWLEDGED');
      deaf.hub.resync();
      expect(await next(missed)).toBe('ACKNOWLEDGED');
    } finally {
      await deaf.close();
    }
  });

  function subscribe(
    process: GraphqlProcess,
    webhookId: string,
  ): { events: AsyncIterator<unknown>; inForce: Promise<void> } {
    const { promise: inForce, resolve } = Promise.withResolvers<void>();
    const listen = process.hub.subscribe.bind(process.hub);
    process.hub.subscribe = (topics, ...rest) => {
      const stream = listen(topics, ...rest);
      if (topics.some((topic) => topic.startsWith('webhook-alerts:'))) resolve();
      return stream;
    };
    const events = process.client(viewer).iterate({
      query: 'subscription ($webhookId: ID) { alertChanged(webhookId: $webhookId) { id status } }',
      variables: { webhookId: formatId('webhook', webhookId) },
    });
    return { events, inForce };
  }
});

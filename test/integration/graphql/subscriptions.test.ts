import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'graphql-ws';
import { RejectedCallRecorder } from '../../../src/calls/rejected-calls.js';
import { systemClock } from '../../../src/lib/clock.js';
import { formatId, newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import { createLogger } from '../../../src/lib/logger.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';
import { addToken, type GraphqlProcess, openGraphqlProcess, openKnownSocket } from '../../support/graphql-process.js';
import { subscribers } from '../../support/hub-subscribers.js';

let fixture: ExecutionFixture;
/** Two processes that share nothing but the database; calls are stored and run by a third, the fixture. */
let here: GraphqlProcess;
let there: GraphqlProcess;
let token: string;
let webhookId: string;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  here = await openGraphqlProcess({ databaseUrl: fixture.url });
  there = await openGraphqlProcess({ databaseUrl: fixture.url });
  ({ token } = await addToken(here.database.pool, 'viewer'));
  webhookId = formatId('webhook', fixture.webhookId);
  await fixture.startRunner();
});

afterAll(async () => {
  await here.close();
  await there.close();
  await fixture.close();
});

interface EventNode {
  readonly cursor: string;
  readonly seq: number;
  readonly status: string;
  readonly attempt: number;
  readonly execution: { readonly id: string };
}

const EVENTS = `subscription($id: ID!, $after: String) {
  executionEvents(executionId: $id, after: $after) {
    cursor seq at execution { id status } ... on ExecutionStatusChanged { status attempt }
  }
}`;

/** The values of one subscription; fails on an error, so that a test never waits for what will not come. */
async function* values<T>(
  client: Client,
  query: string,
  variables: Record<string, unknown> = {},
): AsyncGenerator<T, void> {
  for await (const { data, errors } of client.iterate<Record<string, T>>({ query, variables })) {
    if (errors !== undefined) throw new Error(errors.map(({ extensions }) => extensions?.['code']).join());
    yield Object.values(data!)[0]!;
  }
}

function events(process: GraphqlProcess, executionId: string, after?: string): AsyncGenerator<EventNode, void> {
  return values(process.client(token), EVENTS, { id: formatId('execution', executionId), after });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function take<T>(items: AsyncIterator<T, unknown>): Promise<T> {
  const { done, value } = await items.next();
  if (done === true) throw new Error('the subscription has ended');
  return value;
}

describe('executionEvents', () => {
  it('tells everything from the beginning, in every process, and completes with the end', async () => {
    const [started, release] = [signal(), signal()];
    await fixture.addWorker('worker-steps', async () => {
      started.give();
      await release.given;
      return { result: asJsonText('{"ok":true}') };
    });
    const { executionIds } = await fixture.store(['worker-steps']);
    const [a, b] = [events(here, executionIds[0]!), events(there, executionIds[0]!)];
    for (const stream of [a, b]) {
      expect(await take(stream)).toMatchObject({ seq: 1, status: 'QUEUED', attempt: 0 });
      expect(await take(stream)).toMatchObject({ seq: 2, status: 'RUNNING', attempt: 1 });
    }
    await started.given;
    release.give();
    for (const stream of [a, b]) {
      const [last, ...more] = await all(stream);
      expect(more).toEqual([]);
      expect(last).toMatchObject({
        seq: 3,
        status: 'SUCCEEDED',
        execution: { id: formatId('execution', executionIds[0]!), status: 'SUCCEEDED' },
      });
    }
  });

  it('goes on behind a cursor without a gap and without a repeat, in another process too', async () => {
    const release = signal();
    await fixture.addWorker('worker-resume', async () => {
      await release.given;
      return { result: asJsonText('1') };
    });
    const { callId, executionIds } = await fixture.store(['worker-resume']);
    const first = events(here, executionIds[0]!);
    const seen = [await take(first)];
    await first.return();
    release.give();
    await fixture.end(callId); // everything else happens while nobody listens
    seen.push(...(await all(events(there, executionIds[0]!, seen[0]!.cursor))));
    expect(seen.map(({ seq, status }) => [seq, status])).toEqual([
      [1, 'QUEUED'],
      [2, 'RUNNING'],
      [3, 'SUCCEEDED'],
    ]);
    expect(await all(events(there, executionIds[0]!, seen[2]!.cursor))).toEqual([]);
    const other = await fixture.store(['worker-resume']);
    await fixture.end(other.callId);
    for (const after of [seen[0]!.cursor, `0${seen[0]!.cursor}`, '1']) {
      await expect(all(events(here, other.executionIds[0]!, after))).rejects.toThrow('BAD_USER_INPUT');
    }
  });

  it('misses nothing whose hint was lost', async () => {
    const release = signal();
    const running = signal();
    await fixture.addWorker('worker-lost', async () => {
      running.give();
      await release.given;
      return { result: asJsonText('1') };
    });
    const deaf = await openGraphqlProcess({ databaseUrl: fixture.url, deaf: true });
    try {
      const { callId, executionIds } = await fixture.store(['worker-lost']);
      await running.given;
      const stream = events(deaf, executionIds[0]!);
      await take(stream);
      expect(await take(stream)).toMatchObject({ status: 'RUNNING' });
      release.give();
      await fixture.end(callId);
      deaf.hub.resync(); // what the listener says once it is connected again
      expect(await all(stream)).toEqual([expect.objectContaining({ seq: 3, status: 'SUCCEEDED' })]);
    } finally {
      await deaf.close();
    }
  });

  it('refuses what there is not', async () => {
    const { executionIds } = await fixture.store(['worker-steps']);
    await expect(all(events(here, newUuidV7()))).rejects.toThrow('NOT_FOUND');
    await expect(all(values(here.client(token), EVENTS, { id: 'exec-nonsense' }))).rejects.toThrow('BAD_USER_INPUT');
    for (const after of ['nonsense', '99', '-1']) {
      await expect(all(events(here, executionIds[0]!, after))).rejects.toThrow('BAD_USER_INPUT');
    }
  });
});

const CALLS = 'subscription($webhookId: ID) { callReceived(webhookId: $webhookId) { id outcome webhook { id } } }';

interface CallNode {
  readonly id: string;
  readonly outcome: string;
}

/** Opens the subscription and waits until it is in force: the answer to a ping comes after it on the same socket. */
async function listen(
  process: GraphqlProcess,
  variables: object,
): Promise<Awaited<ReturnType<typeof openKnownSocket>>> {
  const raw = await openKnownSocket(process.socketUrl, token);
  raw.send({ type: 'subscribe', id: 'a', payload: { query: CALLS, variables } });
  // Another subscription that begins with a value and reads the webhook as this one does: once it has, both listen.
  raw.send({ type: 'subscribe', id: 'b', payload: { query: STATISTICS, variables } });
  while ((await raw.next()).id !== 'b');
  raw.send({ type: 'complete', id: 'b' });
  return raw;
}

function nextCall(raw: Awaited<ReturnType<typeof openKnownSocket>>): Promise<CallNode> {
  return (async () => {
    for (;;) {
      const { id, payload } = await raw.next();
      if (id === 'a') return (payload as { data: { callReceived: CallNode } }).data.callReceived;
    }
  })();
}

const STATISTICS = `subscription($webhookId: ID) {
  statisticsUpdated(webhookId: $webhookId, interval: HOUR) { total succeeded rejected }
}`;

interface Counts {
  readonly total: number;
  readonly succeeded: number;
  readonly rejected: number;
}

describe('callReceived', () => {
  it('tells each call once, accepted and rejected, in every process', async () => {
    const sockets = [await listen(here, { webhookId }), await listen(there, {})];
    const { callId } = await fixture.store([]);
    for (const raw of sockets) {
      expect(await nextCall(raw)).toEqual({
        id: formatId('call', callId),
        outcome: expect.any(String),
        webhook: { id: webhookId },
      });
    }
    const recorder = new RejectedCallRecorder({
      sql: fixture.database.pool,
      clock: systemClock,
      log: createLogger('silent'),
      shard: 1,
    });
    recorder.record({
      webhookId: fixture.webhookId,
      outcome: 'REJECTED_AUTHENTICATION',
      httpStatus: 401,
      reason: 'wrong signature',
      sourceIp: '127.0.0.1',
      requestHeaders: () => ({}),
      body: Buffer.from('{}'),
      isTest: false,
      executionMode: 'ASYNC',
      dispatch: 'PARALLEL',
    });
    await recorder.close();
    for (const raw of sockets) {
      expect(await nextCall(raw)).toMatchObject({ outcome: 'REJECTED_AUTHENTICATION' });
      raw.socket.terminate();
    }
  });

  it('tells only of the webhook that was asked for', async () => {
    const otherId = newRandomUuid();
    await fixture.database.pool.query(
      `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id)
       select $1, 'other', true, 'ASYNC', 'PARALLEL', 'HMAC_SIGNATURE', owner_id from webhooks limit 1`,
      [otherId],
    );
    const raw = await listen(here, { webhookId: formatId('webhook', otherId) });
    // Before the call: the news of one that is stored earlier may arrive after this has begun to listen, and be told.
    const everything = await listen(here, {});
    const { callId } = await fixture.store([]);
    expect((await nextCall(everything)).id).toBe(formatId('call', callId));
    raw.send({ type: 'ping' });
    expect((await raw.next()).type).toBe('pong');
    raw.socket.terminate();
    everything.socket.terminate();
  });

  it('finds what it missed, and repeats nothing', async () => {
    const raw = await listen(here, { webhookId });
    const before = await fixture.store([]);
    expect((await nextCall(raw)).id).toBe(formatId('call', before.callId));
    here.hub.resync();
    here.hub.resync();
    const after = await fixture.store([]);
    expect((await nextCall(raw)).id).toBe(formatId('call', after.callId));
    raw.socket.terminate();
    const deaf = await openGraphqlProcess({ databaseUrl: fixture.url, deaf: true });
    try {
      const unheard = await listen(deaf, { webhookId });
      const missed = [await fixture.store([]), await fixture.store([])].map(({ callId }) => formatId('call', callId));
      deaf.hub.resync();
      const found = [await nextCall(unheard), await nextCall(unheard)].map(({ id }) => id);
      expect(new Set(found)).toEqual(new Set(missed));
      unheard.socket.terminate();
    } finally {
      await deaf.close();
    }
  });

  it('keeps up with more calls than it is told of one by one', async () => {
    const raw = await listen(here, { webhookId });
    raw.socket.pause();
    const ids = new Set<string>();
    for (let i = 0; i < 400; i += 1) ids.add(formatId('call', (await fixture.store([])).callId));
    raw.socket.resume();
    const told: string[] = [];
    while (told.length < 400) told.push((await nextCall(raw)).id);
    expect(new Set(told)).toEqual(ids);
    raw.socket.terminate();
  });

  it('reads again what overflowed its buffers: none is missed, none told twice', async () => {
    const deaf = await openGraphqlProcess({ databaseUrl: fixture.url, deaf: true });
    try {
      const raw = await listen(deaf, { webhookId });
      const callIds: string[] = [];
      for (let i = 0; i < 1_100; i += 1) callIds.push((await fixture.store([])).callId);
      const tell = (ids: readonly string[]): void => {
        for (const callId of ids) {
          deaf.hub.deliver({ kind: 'call-received', callId, webhookId: fixture.webhookId });
        }
      };
      tell(callIds); // all in one turn: more than a stream of the hub holds
      const told = new Map<string, number>();
      const takeAll = async (count: number): Promise<void> => {
        while (told.size < count) {
          const { id } = await nextCall(raw);
          told.set(id, (told.get(id) ?? 0) + 1);
        }
      };
      await takeAll(callIds.length);
      tell(callIds.slice(-300)); // heard of again: nobody is told again
      const { callId } = await fixture.store([]);
      tell([callId]);
      await takeAll(callIds.length + 1);
      const expected = [...callIds, callId].map((id) => formatId('call', id));
      expect([...told.keys()].toSorted()).toEqual(expected.toSorted());
      expect(Math.max(...told.values())).toBe(1);
      raw.socket.terminate();
    } finally {
      await deaf.close();
    }
  });

  it('refuses a webhook that there is not', async () => {
    const unknown = formatId('webhook', newRandomUuid());
    await expect(all(values(here.client(token), CALLS, { webhookId: unknown }))).rejects.toThrow('NOT_FOUND');
    await expect(all(values(here.client(token), CALLS, { webhookId: 'wh_1' }))).rejects.toThrow('BAD_USER_INPUT');
  });
});

describe('statisticsUpdated', () => {
  it('begins with the present state and follows every change, four times a second at most', async () => {
    await fixture.addWorker('worker-counted', () => Promise.resolve({ result: asJsonText('1') }));
    const updates = values<Counts>(there.client(token), STATISTICS, { webhookId });
    const before = await take(updates);
    const startedMs = performance.now();
    const calls = await Promise.all(Array.from({ length: 20 }, () => fixture.store(['worker-counted'])));
    let readings = 0;
    for (let now = before; now.succeeded < before.succeeded + calls.length; readings += 1) now = await take(updates);
    expect(readings).toBeLessThanOrEqual(2 + (performance.now() - startedMs) / 250);
    await updates.return();
  });
});

describe('a socket that closes', () => {
  it('leaves no subscriber in the hub', async () => {
    const release = signal();
    await fixture.addWorker('worker-waits', async () => {
      await release.given;
      return { result: asJsonText('1') };
    });
    const { callId, executionIds } = await fixture.store(['worker-waits']);
    const process = await openGraphqlProcess({ databaseUrl: fixture.url });
    const subscribed = subscribers(process);
    const before = subscribed.now();
    const raw = await openKnownSocket(process.socketUrl, token);
    const id = formatId('execution', executionIds[0]!);
    const queries = [
      [EVENTS, { id }],
      [STATISTICS, { webhookId }],
      [STATISTICS, {}],
      [CALLS, {}],
      [CALLS, { webhookId }],
    ] as const;
    queries.forEach(([query, variables], i) =>
      raw.send({ type: 'subscribe', id: String(i), payload: { query, variables } }),
    );
    await subscribed.reach(before + queries.length);
    raw.socket.terminate();
    await subscribed.reach(before);
    release.give();
    await fixture.end(callId);
    await process.close();
  });
});

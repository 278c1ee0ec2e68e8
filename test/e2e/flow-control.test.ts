import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { parseId } from '../../src/lib/ids.js';
import {
  createWebhook,
  type CreatedWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from '../support/gateway-process.js';
import { openTurnstile, type Turnstile } from '../support/turnstile.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

interface Accepted {
  readonly callId: string;
  readonly queuePosition?: number;
}

let database: TestDatabase;
let sql: pg.Pool;
let front: GatewayProcess;
let turnstile: Turnstile;
let runners: GatewayProcess[] = [];

const start = (ROLES: string): Promise<GatewayProcess> =>
  startGatewayProcess({ env: { ...databaseEnv(database.url), ROLES, WORKERS_DIR: 'test/support/workers' } });

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  const maker = await start('ingress,admin,runner'); // the first runner tells the database of the workers
  await maker.end('SIGTERM');
  front = await start('ingress,admin');
});

beforeEach(async () => {
  turnstile = await openTurnstile();
});

afterEach(async () => {
  turnstile.open();
  await Promise.all(runners.splice(0).map((runner) => runner.end('SIGKILL')));
  await turnstile.close();
});

afterAll(async () => {
  await front.end('SIGTERM');
  await sql.end();
  await database.drop();
});

const webhookOf = (input: WebhookInput): Promise<CreatedWebhook> =>
  createWebhook(front, { workerIds: ['worker-gated'], authentication: { method: 'SECRET_HEADER' }, ...input });
const post = async (webhook: CreatedWebhook, name: string, more: object = {}): Promise<Accepted> => {
  const body = JSON.stringify({ gateUrl: `${turnstile.url}${name}`, ...more });
  const answer = await postCall<Accepted>(webhook, body);
  expect(answer.status).toBe(202);
  return answer.body;
};
const startRunners = async (n: number): Promise<void> => {
  runners = await Promise.all(Array.from({ length: n }, () => start('runner')));
};
const outcomesOf = async (calls: readonly Accepted[]): Promise<string[]> => {
  const { rows } = await sql.query<{ id: string; outcome: string }>(
    'select id, outcome from calls where id = any($1::uuid[])',
    [calls.map(({ callId }) => parseId('call', callId))],
  );
  const outcomes = new Map(rows.map(({ id, outcome }) => [id, outcome]));
  return calls.map(({ callId }) => outcomes.get(parseId('call', callId)!)!);
};
const superseded = (calls: readonly Accepted[]): Promise<true> =>
  pollUntil(
    'the superseded calls',
    async () => ((await outcomesOf(calls)).every((outcome) => outcome === 'SUPERSEDED') ? true : undefined),
    60_000, // as for every end: a process that has just started has much to do
  );
/** Ends the quiet time of what waits: no test has to wait for it, and none can miss it. */
const hurry = async ({ id }: CreatedWebhook): Promise<void> => {
  const { updateWebhook } = await front.graphql<{ updateWebhook: { userErrors: unknown[] } }>(
    `mutation ($id: ID!) {
      updateWebhook(input: { id: $id, flow: { debounce: { quiet: "PT0.1S" } } }) { userErrors { message } }
    }`,
    { id },
  );
  expect(updateWebhook.userErrors).toEqual([]);
};
const ended = (calls: readonly Accepted[]): Promise<string[]> =>
  pollUntil(
    'the end of every call',
    async () => {
      const outcomes = await outcomesOf(calls);
      return outcomes.includes('ACCEPTED') ? undefined : outcomes;
    },
    60_000,
  );
const flowOf = async (webhook: CreatedWebhook): Promise<{ waiting: number; running: number }> => {
  const { webhook: found } = await front.graphql<{ webhook: { flow: { waiting: number; running: number } } }>(
    'query ($id: ID!) { webhook(id: $id) { flow { waiting running } } }',
    webhook,
  );
  return found.flow;
};
const change = (mutation: string, webhook: CreatedWebhook): Promise<unknown> =>
  front.graphql(`mutation ($id: ID!) { ${mutation} { userErrors { message } } }`, webhook);
const names = (n: number): string[] => Array.from({ length: n }, (_, i) => String(i + 1));

describe('flow control over several processes', () => {
  it('never has more calls in progress than the limit, also when it is changed, and wastes none of it', async () => {
    const webhook = await webhookOf({ flow: { concurrency: 3 } });
    await startRunners(3);
    const calls = await Promise.all(names(30).map((name) => post(webhook, name)));
    const letThrough = async (n: number, atOnce: number): Promise<void> => {
      for (let i = 0; i < n; i += 1) {
        await turnstile.untilInside(atOnce);
        turnstile.letOneGo();
      }
    };
    await letThrough(12, 3);
    expect(turnstile.insideMax()).toBe(3);
    await change('updateWebhook(input: { id: $id, flow: { concurrency: 5 } })', webhook);
    await letThrough(6, 5);
    expect(turnstile.insideMax()).toBe(5);
    turnstile.open();
    expect(new Set(await ended(calls))).toEqual(new Set(['SUCCEEDED']));
    expect(turnstile.insideMax()).toBe(5);
    expect(turnstile.visitors()).toHaveLength(30);
  }, 120_000);

  it('runs the calls of a key in order across the SIGKILL of the runner that has one of them', async () => {
    const webhook = await webhookOf({ flow: { fifoKey: '/key' } });
    await startRunners(1);
    const calls: Accepted[] = [];
    for (const name of names(4)) calls.push(await post(webhook, name, { key: 'a' }));
    expect(calls.map(({ queuePosition }) => queuePosition)).toEqual([0, 1, 2, 3]);
    const other = await post(webhook, 'other', { key: 'b' });
    await turnstile.untilInside(2);
    expect(turnstile.visitors().toSorted()).toEqual(['1', 'other']);
    await runners[0]!.end('SIGKILL');
    await startRunners(2); // what the dead one had begun runs again, and still before the others of its key
    await turnstile.untilVisits(4);
    expect(turnstile.visitors().slice(2).toSorted()).toEqual(['1', 'other']);
    turnstile.open();
    expect(await ended([...calls, other])).toEqual(Array.from({ length: 5 }, () => 'SUCCEEDED'));
    expect(turnstile.visitors().slice(4)).toEqual(['2', '3', '4']);
  }, 120_000);

  it('keeps what is posted under load during a pause, and runs it in order when it is resumed', async () => {
    const webhook = await webhookOf({ flow: { concurrency: 1 } });
    await startRunners(2);
    const before = [await post(webhook, 'first'), await post(webhook, 'second')];
    await turnstile.untilInside(1);
    await change('pauseWebhook(input: { id: $id })', webhook);
    turnstile.letOneGo(); // what was in progress goes on
    await ended(before.slice(0, 1));
    const kept: Accepted[] = [];
    for (const name of names(10)) kept.push(await post(webhook, name));
    expect(kept.map(({ queuePosition }) => queuePosition)).toEqual(names(10).map((n) => Number(n) + 1));
    expect(await flowOf(webhook)).toEqual({ waiting: 11, running: 0 });
    expect(turnstile.visitors()).toEqual(['first']);
    turnstile.open();
    await change('resumeWebhook(input: { id: $id })', webhook);
    await ended([...before, ...kept]);
    expect(turnstile.visitors()).toEqual(['first', 'second', ...names(10)]);
    expect(turnstile.insideMax()).toBe(1);
  }, 120_000);

  it('debounces across the SIGKILL of the process that accepted the calls', async () => {
    turnstile.open();
    const webhook = await webhookOf({ flow: { debounce: { quiet: 'PT1H', maxDelay: 'P1D' } } });
    const calls = [await post(webhook, '1'), await post(webhook, '2'), await post(webhook, '3')];
    await front.end('SIGKILL');
    await startRunners(1);
    await superseded(calls.slice(0, 2));
    front = await start('ingress,admin');
    await hurry(webhook);
    expect(await ended(calls)).toEqual(['SUPERSEDED', 'SUPERSEDED', 'SUCCEEDED']);
    expect(turnstile.visitors()).toEqual(['3']);
  }, 120_000);

  it('answers a sync caller whose call was superseded with 202, and one whose call runs with its result', async () => {
    turnstile.open();
    await startRunners(1);
    const webhook = await webhookOf({
      executionMode: 'SYNC',
      syncTimeout: 'PT5M',
      workerIds: ['worker-echo'],
      flow: { debounce: { quiet: 'PT1H', maxDelay: 'P1D' } },
    });
    const first = postCall<Accepted>(webhook, '{"n":1}');
    await pollUntil('the first call', async () => ((await flowOf(webhook)).waiting === 1 ? true : undefined));
    const second = postCall<Accepted>(webhook, '{"n":2}');
    expect((await first).status).toBe(202);
    expect(await outcomesOf([(await first).body])).toEqual(['SUPERSEDED']);
    await hurry(webhook);
    expect(await second).toMatchObject({ status: 200, body: { results: [{ result: { n: 2 } }] } });
  }, 120_000);
});

import { createHmac } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const SENDERS = 16;
const ACKNOWLEDGED_BEFORE_KILL = 250;
/** One in so many is not authentic: few enough a second that each is kept as a row, so that rows can be compared. */
const FORGED_EVERY = 50;

let database: TestDatabase;
let sql: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
});

afterAll(async () => {
  await sql.end();
  await database.drop();
});

async function send(url: string, body: string, secret: string): Promise<number> {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-webhook-signature': `sha256=${signature}` };
  const response = await fetch(url, { method: 'POST', headers, body });
  await response.arrayBuffer();
  return response.status;
}

/** Sends calls, most of them authentic, until the gateway is killed in the middle of them. */
async function burstAndKill(gateway: GatewayProcess, url: string, secret: string): Promise<void> {
  let [n, acknowledged] = [0, 0];
  let killed: Promise<unknown> | undefined;
  const sender = async (): Promise<void> => {
    while (killed === undefined) {
      n += 1;
      const body = JSON.stringify({ n });
      const key = n % FORGED_EVERY === 0 ? 'not the secret' : secret;
      const status = await send(url, body, key).catch(() => undefined); // cut off by the kill
      if (status === 202) acknowledged += 1;
      if (acknowledged >= ACKNOWLEDGED_BEFORE_KILL) killed ??= gateway.end('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  await killed;
}

interface Statistics {
  readonly total: number;
  readonly byOutcome: readonly { readonly outcome: string; readonly count: number }[];
  readonly acceptTimes: { readonly p50Ms: number | null };
  readonly executionTimes: { readonly p50Ms: number | null };
}

const readCounted = async (gateway: GatewayProcess, webhookId: string): Promise<Statistics> => {
  const { webhook } = await gateway.graphql<{ webhook: { statistics: Statistics } }>(
    `query($id: ID!) { webhook(id: $id) { statistics(interval: HOUR) {
       total byOutcome { outcome count } acceptTimes { p50Ms } executionTimes { p50Ms } } } }`,
    { id: webhookId },
  );
  return webhook.statistics;
};

const outcomesOfRows = async (): Promise<Record<string, number>> => {
  const { rows } = await sql.query<{ outcome: string; n: number }>(
    'select outcome, count(*)::integer as n from calls group by outcome',
  );
  return Object.fromEntries(rows.map(({ outcome, n }) => [outcome, n]));
};

const unfinished = async (): Promise<number> => {
  const { rows } = await sql.query<{ n: number }>('select count(*)::integer as n from calls where pending > 0');
  return rows[0]!.n;
};

describe('gateways that are killed in bursts', () => {
  it('leave statistics that say what the rows of calls say, outcome by outcome', async () => {
    const env = { ...databaseEnv(database.url), WORKERS_DIR: 'test/support/workers' };
    const first = await startGatewayProcess({ env });
    const webhook = await createWebhook(first, { workerIds: ['worker-echo', 'worker-slow-echo'] });
    await burstAndKill(first, webhook.url, webhook.secret);
    expect(await unfinished()).toBeGreaterThan(0); // or the kill came too late to prove anything

    const second = await startGatewayProcess({ env });
    await burstAndKill(second, new URL(new URL(webhook.url).pathname, second.url).href, webhook.secret);

    const third = await startGatewayProcess({ env });
    try {
      await pollUntil('the end of every call', async () => ((await unfinished()) === 0 ? true : undefined), 60_000);
      const { total, byOutcome } = await readCounted(third, webhook.id);
      const rows = await outcomesOfRows();
      expect(Object.fromEntries(byOutcome.map(({ outcome, count }) => [outcome, count]))).toEqual(rows);
      expect(total).toBe(Object.values(rows).reduce((sum, n) => sum + n, 0));
      expect(rows['SUCCEEDED']).toBeGreaterThanOrEqual(2 * ACKNOWLEDGED_BEFORE_KILL);

      await send(new URL(new URL(webhook.url).pathname, third.url).href, '{}', webhook.secret);
      await pollUntil('the times of accepts and executions', async () => {
        const { acceptTimes, executionTimes } = await readCounted(third, webhook.id);
        return acceptTimes.p50Ms !== null && executionTimes.p50Ms !== null ? true : undefined;
      });
    } finally {
      await third.end('SIGTERM');
    }
  }, 120_000);
});

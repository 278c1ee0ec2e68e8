import { createHmac } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseId } from '../../src/lib/ids.js';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const SENDERS = 32;
/** The kill comes when this many calls were acknowledged: in the middle of the burst, with executions under way. */
const ACKNOWLEDGED_BEFORE_KILL = 400;

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

/** Sends calls until the gateway is gone; gives the ids of those that it acknowledged. */
async function burst(gateway: GatewayProcess, url: string, secret: string): Promise<Set<string>> {
  const acknowledged = new Set<string>();
  let n = 0;
  let killed: Promise<unknown> | undefined;
  const sender = async (): Promise<void> => {
    while (killed === undefined) {
      n += 1;
      const body = JSON.stringify({ n });
      const signature = createHmac('sha256', secret).update(body).digest('hex');
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-webhook-signature': `sha256=${signature}` },
        body,
      })
        .then(async (response) =>
          response.status === 202 ? ((await response.json()) as { callId: string }) : undefined,
        )
        .catch(() => undefined); // cut off by the kill: nothing was promised
      if (answer !== undefined) acknowledged.add(answer.callId);
      if (acknowledged.size >= ACKNOWLEDGED_BEFORE_KILL) killed ??= gateway.end('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  await killed;
  return acknowledged;
}

const unfinished = async (): Promise<number> => {
  const { rows } = await sql.query<{ n: number }>('select count(*)::integer as n from calls where pending > 0');
  return rows[0]!.n;
};

/** How many times each execution ended, by call: one event of a terminal status for each worker is right. */
const endsByCall = async (): Promise<Map<string, number>> => {
  const { rows } = await sql.query<{ call_id: string; ends: number }>(
    `select e.call_id, count(*)::integer as ends
     from executions e join execution_events v on v.execution_id = e.id
     where v.data ->> 'status' in ('SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELED', 'SKIPPED')
     group by e.call_id`,
  );
  return new Map(rows.map((row) => [row.call_id, row.ends]));
};

describe('a SIGKILL in the middle of a burst', () => {
  it.each([
    ['one worker', { workerIds: ['worker-echo'] }],
    [
      'three workers in sequence',
      { workerIds: ['worker-echo', 'worker-slow-echo', 'worker-quick-echo'], dispatch: 'SEQUENTIAL' },
    ],
  ] as const)(
    'loses no acknowledged call of %s, and every execution ends once',
    async (_, input) => {
      const env = { ...databaseEnv(database.url), WORKERS_DIR: 'test/support/workers' };
      const first = await startGatewayProcess({ env });
      const webhook = await createWebhook(first, input);
      const acknowledged = await burst(first, webhook.url, webhook.secret);
      expect(acknowledged.size).toBeGreaterThanOrEqual(ACKNOWLEDGED_BEFORE_KILL);
      expect(await unfinished()).toBeGreaterThan(0); // or the kill came too late to prove anything

      const second = await startGatewayProcess({ env });
      try {
        await pollUntil('the end of every call', async () => ((await unfinished()) === 0 ? true : undefined), 40_000);
      } finally {
        await second.end('SIGTERM');
      }
      const ends = await endsByCall();
      const lost = [...acknowledged].filter((callId) => ends.get(parseId('call', callId)!) !== input.workerIds.length);
      expect(lost).toEqual([]);
    },
    90_000,
  );
});

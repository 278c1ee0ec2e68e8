import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createClient } from 'graphql-ws';
import pg from 'pg';
import { WebSocket } from 'ws';
import {
  ADMIN_TOKEN,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { graphqlOf } from '../support/page.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Four pages. */
const CALLS = 170;

let database: TestDatabase;
let sql: pg.Pool;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  env = { ...databaseEnv(database.url), WORKERS_DIR: 'test/support/workers' };
});

afterAll(async () => {
  await sql.end();
  await database.drop();
});

interface Progress {
  readonly status: string;
  readonly progress: number;
  readonly succeeded: number;
  readonly failed: number;
}

/** Follows an operation to its end; gives what came. */
async function follow(gateway: GatewayProcess, query: string, bulkOperationId: string): Promise<Progress[]> {
  const client = createClient({
    url: `${gateway.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${ADMIN_TOKEN}` },
    retryAttempts: 0,
  });
  try {
    const seen: Progress[] = [];
    const stream = client.iterate<{ bulkOperationProgress: Progress }>({ query, variables: { bulkOperationId } });
    for await (const { data, errors } of stream) {
      if (!data) throw new Error(JSON.stringify(errors));
      seen.push(data.bulkOperationProgress);
    }
    return seen;
  } finally {
    await client.dispose();
  }
}

const replays = async (): Promise<{ all: number; sources: number }> => {
  const { rows } = await sql.query<{ all: number; sources: number }>(
    `select count(*)::integer as all, count(distinct replay_of)::integer as sources from calls where replay_of is not null`,
  );
  return rows[0]!;
};

it('a SIGKILL in the middle of a bulk replay loses none and does none twice; every document of docs/replay.md works', async () => {
  const [, , replay, replayMany, progress, bulkOperations, cancelMany, ...more] = await graphqlOf('docs/replay.md');
  expect(more).toEqual([]);
  const from = new Date(Date.now() - 60_000).toISOString();
  const first = await startGatewayProcess({ env });
  const webhook = await createWebhook(first, {
    workerIds: ['worker-failing'],
    authentication: { method: 'SECRET_HEADER' },
  });
  const webhookId = webhook.id;
  const posted = await Promise.all(
    Array.from({ length: CALLS }, (_, i) => postCall<{ callId: string }>(webhook, `{"i":${i}}`)),
  );
  await pollUntil('the end of every call', async () => {
    const { rows } = await sql.query("select 1 from calls where outcome = 'ACCEPTED' limit 1");
    return rows.length === 0 ? true : undefined;
  });
  const input = { webhookId, from, idempotencyKey: 'once' };
  const begun = await first.graphql<{ replayCalls: { bulkOperation: { id: string } } }>(replayMany!, input);
  const bulkOperationId = begun.replayCalls.bulkOperation.id;
  await pollUntil('the first page', async () => ((await replays()).all >= 50 ? true : undefined));
  await first.end('SIGKILL');
  const atKill = await replays();
  expect(atKill.all).toBeLessThan(CALLS); // or the kill came too late to prove anything

  const second = await startGatewayProcess({ env });
  try {
    const again = await second.graphql(replayMany!, input); // asked once more: the same one
    expect(again).toMatchObject({ replayCalls: { bulkOperation: { id: bulkOperationId } } });
    const seen = await follow(second, progress!, bulkOperationId);
    expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED', progress: 1, succeeded: CALLS, failed: 0 });
    expect(await replays()).toEqual({ all: CALLS, sources: CALLS });
    expect(await second.graphql(bulkOperations!, { bulkOperationId })).toMatchObject({
      bulkOperation: { kind: 'REPLAY', status: 'COMPLETED', succeeded: CALLS, filter: { webhookId } },
      bulkOperations: { nodes: [{ id: bulkOperationId }] },
    });
    expect(await second.graphql(cancelMany!, { bulkOperationId })).toMatchObject({
      cancelBulkOperation: { userErrors: [{ code: 'ALREADY_ENDED' }] },
    });

    const callId = posted[0]!.body.callId;
    const one = await second.graphql<{ replayCall: { call: { id: string } } }>(replay!, {
      callId,
      idempotencyKey: 'k',
    });
    expect(one).toMatchObject({
      replayCall: {
        call: { replayOf: { id: callId }, executions: [{ workerId: 'worker-failing' }] },
        userErrors: [],
      },
    });
    await pollUntil('the end of the replay', async () => {
      const { call } = await second.graphql<{ call: { outcome: string } }>(
        'query ($id: ID!) { call(id: $id) { outcome } }',
        { id: one.replayCall.call.id },
      );
      return call.outcome === 'FAILED' ? true : undefined;
    });
  } finally {
    await second.end('SIGTERM');
  }
}, 120_000);

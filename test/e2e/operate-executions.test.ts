import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { openGate } from '../support/gate.js';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { graphqlOf } from '../support/page.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
/** Where the API is asked. */
let front: GatewayProcess;
/** Where executions run. */
let runner: GatewayProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  const start = (ROLES: string): Promise<GatewayProcess> =>
    startGatewayProcess({ env: { ...databaseEnv(database.url), ROLES, WORKERS_DIR: 'test/support/workers' } });
  front = await start('ingress,admin');
  runner = await start('runner');
});

afterAll(async () => {
  await Promise.all([front, runner].map((gateway) => gateway.end('SIGTERM')));
  await database.drop();
});

interface Started {
  readonly callId: string;
  readonly results: readonly { readonly executionId: string }[];
}

const statusOf = async (executionId: string): Promise<string> =>
  (
    await front.graphql<{ execution: { status: string } }>('query ($id: ID!) { execution(id: $id) { status } }', {
      id: executionId,
    })
  ).execution.status;

it('a worker in another process is aborted when its execution is canceled, and its retry runs', async () => {
  const [cancel, retry] = await graphqlOf('docs/replay.md');
  const gate = await openGate();
  try {
    const webhook = await createWebhook(front, {
      workerIds: ['worker-gated'],
      authentication: { method: 'SECRET_HEADER' },
    });
    const { body } = await postCall<Started>(webhook, JSON.stringify({ gateUrl: gate.url }));
    const executionId = body.results[0]!.executionId;
    await gate.reached;
    expect(await front.graphql(cancel!, { executionId })).toMatchObject({
      cancelExecution: { execution: { cancelRequestedAt: expect.any(String) }, userErrors: [] },
    });
    await gate.left;
    await pollUntil('the end', async () => ((await statusOf(executionId)) === 'CANCELED' ? true : undefined));
    expect(await front.graphql(cancel!, { executionId })).toMatchObject({
      cancelExecution: { execution: null, userErrors: [{ code: 'ALREADY_ENDED' }] },
    });

    const retried = await front.graphql<{ retryExecution: { execution: { id: string } } }>(retry!, { executionId });
    expect(retried).toMatchObject({
      retryExecution: {
        execution: {
          status: expect.stringMatching(/^(?:QUEUED|RUNNING)$/), // a runner may have it already
          retryOf: { id: executionId, status: 'CANCELED' },
          call: { id: body.callId, outcome: 'ACCEPTED' },
        },
        userErrors: [],
      },
    });
    const newId = retried.retryExecution.execution.id;
    await pollUntil('the retry at the gate', () => Promise.resolve(gate.visits() === 2 || undefined));
    gate.open('now');
    await pollUntil('the end of the retry', async () => ((await statusOf(newId)) === 'SUCCEEDED' ? true : undefined));
    const { call } = await front.graphql<{ call: object }>(
      'query ($id: ID!) { call(id: $id) { outcome executions { id retriedBy { id } } } }',
      { id: body.callId },
    );
    expect(call).toEqual({
      outcome: 'SUCCEEDED',
      executions: [
        { id: executionId, retriedBy: { id: newId } },
        { id: newId, retriedBy: null },
      ],
    });
  } finally {
    await gate.close();
  }
}, 60_000);

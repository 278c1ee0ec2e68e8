import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../support/graphql-fixture.js';
import { pollUntil } from '../support/poll-until.js';

let fixture: GraphqlFixture;
let webhookId: string;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  await fixture.addWorkers('worker-echo');
  await addWorkerVersions(fixture);
  webhookId = await fixture.addWebhook('waits', ['worker-echo'], { executionMode: 'SYNC' });
});

afterAll(() => fixture.close());

interface Sent {
  readonly httpStatus: number;
  readonly executionMode: string;
  readonly tookMs: number;
}

/** Nothing runs what is called, so every call waits for as long as it may. */
async function send(prefer: string): Promise<Sent> {
  const startedMs = performance.now();
  const { data } = await fixture.run(
    'mutation ($input: TestWebhookInput!) { testWebhook(input: $input) { httpStatus responseBody } }',
    { input: { id: webhookId, payload: {}, headers: { Prefer: prefer } } },
  );
  const { httpStatus, responseBody } = data!.testWebhook as { httpStatus: number; responseBody: string };
  const { executionMode } = JSON.parse(responseBody) as { executionMode: string };
  return { httpStatus, executionMode, tookMs: performance.now() - startedMs };
}

async function storedCalls(): Promise<number> {
  const { rows } = await fixture.database.pool.query<{ count: string }>('select count(*) from calls');
  return Number(rows[0]!.count);
}

describe('a process that stops', () => {
  it('answers those who wait for results, and lets nobody wait any more', async () => {
    expect(await send('wait=1')).toMatchObject({ httpStatus: 202, executionMode: 'sync' });
    const waiting = send('wait=2');
    await pollUntil('the call that waits', async () => (await storedCalls()) === 2 || undefined);
    fixture.releaseWaits();
    const released = await waiting;
    expect(released.httpStatus).toBe(202);
    expect(released.tookMs).toBeLessThan(1_500);
    const late = await send('wait=2');
    expect(late).toMatchObject({ httpStatus: 202, executionMode: 'sync' });
    expect(late.tookMs).toBeLessThan(1_500);
  });
});

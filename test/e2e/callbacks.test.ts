import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { type CallbackReceiver, openCallbackReceiver, status } from '../support/callback-receiver.js';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { graphqlOf } from '../support/page.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let receiver: CallbackReceiver;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await openCallbackReceiver();
  env = {
    ...databaseEnv(database.url),
    WORKERS_DIR: 'test/support/workers',
    OUTBOUND_ALLOWED_CIDRS: '127.0.0.0/8',
  };
});

afterAll(async () => {
  await receiver.close();
  await database.drop();
});

const withCallback = () => ({ callbackUrl: receiver.url, authentication: { method: 'SECRET_HEADER' } });

interface CallbackAnswer {
  readonly call: {
    readonly callback: {
      readonly id: string;
      readonly status: string;
      readonly attempts: readonly { httpStatus: number }[];
    } | null;
  };
}

const readCallback = async (gateway: GatewayProcess, callId: string): Promise<CallbackAnswer['call']['callback']> =>
  (
    await gateway.graphql<CallbackAnswer>(
      'query ($id: ID!) { call(id: $id) { callback { id status attempts { httpStatus } } } }',
      { id: callId },
    )
  ).call.callback;

it('a kill while a callback is under way loses nothing: the next process sends the same again', async () => {
  const first = await startGatewayProcess({ env });
  const webhook = await createWebhook(first, withCallback());
  receiver.replyWith(() => undefined); // it never answers
  const { callId } = (await postCall<{ callId: string }>(webhook, '{"n":1}')).body;
  await receiver.until(1);
  await first.end('SIGKILL');

  receiver.replyWith(status(200));
  const second = await startGatewayProcess({ env });
  try {
    await receiver.until(2);
    const [before, after] = receiver.received;
    expect(after!.headers['webhook-id']).toBe(before!.headers['webhook-id']);
    expect(after!.body).toBe(before!.body);
    const verified = new StandardWebhook(webhook.callbackSecret!).verify(
      after!.body,
      after!.headers as Record<string, string>,
    );
    expect(verified).toMatchObject({ success: true, callId, results: [{ result: { n: 1 } }] });
    const done = await pollUntil('the end of the callback', async () => {
      const callback = await readCallback(second, callId);
      return callback?.status === 'SUCCEEDED' ? callback : undefined;
    });
    expect(done.attempts).toEqual([{ httpStatus: 200 }]); // the one that was cut off left none
  } finally {
    await second.end('SIGTERM');
  }
}, 90_000);

it('an address that the operator does not allow gets nothing', async () => {
  const gateway = await startGatewayProcess({ env: { ...env, OUTBOUND_ALLOWED_CIDRS: '' } });
  try {
    const before = receiver.received.length;
    const webhook = await createWebhook(gateway, withCallback());
    const { callId } = (await postCall<{ callId: string }>(webhook, '{"n":2}')).body;
    await pollUntil('the refusal', async () =>
      (await readCallback(gateway, callId))?.status === 'FAILED' ? true : undefined,
    );
    expect(receiver.received).toHaveLength(before);
  } finally {
    await gateway.end('SIGTERM');
  }
}, 60_000);

it('every document of docs/callbacks.md does what the page says', async () => {
  const [setCallback, newSecret, callbacks, sendAgain, ...more] = await graphqlOf('docs/callbacks.md');
  expect(more).toEqual([]);
  const gateway = await startGatewayProcess({ env });
  try {
    const webhook = await createWebhook(gateway, { authentication: { method: 'SECRET_HEADER' } });
    const webhookId = webhook.id;
    expect(await gateway.graphql(setCallback!, { webhookId, callbackUrl: receiver.url })).toMatchObject({
      updateWebhook: { webhook: { callbackUrl: receiver.url }, userErrors: [] },
    });
    receiver.replyWith(status(410, {}, 'enough'));
    const renewed = await gateway.graphql<{ regenerateWebhookCallbackSecret: { callbackSecret: string } }>(newSecret!, {
      webhookId,
    });
    const { callId } = (await postCall<{ callId: string }>(webhook, '{"hello":"world"}')).body;
    await pollUntil('the end of the callback', async () =>
      (await readCallback(gateway, callId))?.status === 'FAILED' ? true : undefined,
    );
    const attempts = [{ httpStatus: 410, error: 'The receiver answered with status 410.' }];
    const read = await gateway.graphql<CallbackAnswer>(callbacks!, { webhookId, callId });
    expect(read).toMatchObject({
      call: {
        callback: { status: 'FAILED', nextAttemptAt: null, attempts: [{ ...attempts[0], responseBody: 'enough' }] },
      },
      webhook: { callbacks: { nodes: [{ call: { id: callId }, attempts }] } },
    });

    const before = receiver.received.length;
    receiver.replyWith(status(200));
    expect(await gateway.graphql(sendAgain!, { callbackId: read.call.callback!.id })).toMatchObject({
      replayCallback: { callback: { status: 'PENDING' }, userErrors: [] },
    });
    await receiver.until(before + 1);
    const { body, headers } = receiver.received.at(-1)!;
    const { callbackSecret } = renewed.regenerateWebhookCallbackSecret;
    expect(new StandardWebhook(callbackSecret).verify(body, headers as Record<string, string>)).toMatchObject({
      success: true,
      callId,
      outcome: 'SUCCEEDED',
      results: [{ result: { hello: 'world' } }],
    });
  } finally {
    await gateway.end('SIGTERM');
  }
}, 60_000);

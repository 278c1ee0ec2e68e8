import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { putCallback } from '../../../src/callbacks/callback-settings.js';
import { readAttemptsOfCallbacks, readCallbacksOfCalls } from '../../../src/callbacks/read-callbacks.js';
import { createSendCallbackHandler } from '../../../src/callbacks/send-callback.js';
import type { CallbackAttemptView, CallbackView } from '../../../src/callbacks/callback.js';
import { deleteExpiredCallbacks } from '../../../src/callbacks/delete-callbacks.js';
import { finishExecutions, type Ending } from '../../../src/executions/finish.js';
import { takeLeases } from '../../../src/executions/lease.js';
import { openApiDocument } from '../../../src/http/openapi/document.js';
import { systemClock } from '../../../src/lib/clock.js';
import { formatId, newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import { createLogger } from '../../../src/lib/logger.js';
import { OutboundClient } from '../../../src/outbound/outbound-client.js';
import { type JobHandler, RunnerStopping } from '../../../src/queue/job-context.js';
import { Keyring } from '../../../src/secrets/seal.js';
import { type CallbackReceiver, openCallbackReceiver, status } from '../../support/callback-receiver.js';
import { type ExecutionFixture, openExecutionFixture } from '../../support/execution-fixture.js';

const SUCCEEDED: Ending = { status: 'SUCCEEDED', result: asJsonText('{"n":12345678901234567890}'), promptTokens: 7 };
const FAILED: Ending = {
  status: 'FAILED',
  error: toJsonText({ code: 'WORKER_FAILED', message: 'no luck', retryable: false }),
};

const keyring = new Keyring([{ id: 'test', key: Buffer.alloc(32, 7) }]);
let fixture: ExecutionFixture;
let receiver: CallbackReceiver;
let outbound: OutboundClient;
let guarded: OutboundClient;
let secret: string;
let runnerId: string;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.addWorker('worker-a', () => Promise.reject(new Error('not run here')));
  outbound = new OutboundClient({ allowedCidrs: ['127.0.0.0/8'] });
  guarded = new OutboundClient({ allowedCidrs: [] });
  runnerId = newUuidV7();
  await fixture.pool.query("insert into runners (id, host, pid, queue_worker_ids) values ($1, 'elsewhere', 1, '{}')", [
    runnerId,
  ]);
});

beforeEach(async () => {
  await receiver?.close();
  receiver = await openCallbackReceiver();
  await setUrl(null);
  secret = (await setUrl(receiver.url))!;
});

afterAll(async () => {
  await receiver.close();
  await outbound.close();
  await guarded.close();
  await fixture.close();
});

const setUrl = async (url: string | null): Promise<string | undefined> =>
  await fixture.database.transaction(async (em) => (await putCallback(em, keyring, fixture.webhookId, url)).secret);

/** Stores a call and ends its executions as the runner does. */
const endedCall = async (...endings: readonly Ending[]): Promise<string> => {
  const { callId, executionIds } = await fixture.store(endings.map(() => 'worker-a'));
  const leases = await takeLeases(
    fixture.pool,
    executionIds.map((executionId) => ({ executionId, runnerId, token: newRandomUuid() })),
  );
  await finishExecutions(
    fixture.pool,
    0,
    leases.map((taken, i) => {
      if (taken.type !== 'leased') throw new Error(taken.type);
      return { lease: taken.lease, ending: endings[i]! };
    }),
  );
  return callId;
};

const callbackOf = async (callId: string): Promise<CallbackView | undefined> =>
  (await readCallbacksOfCalls(fixture.pool, [callId])).get(callId);

const attemptsOf = async (callbackId: string): Promise<readonly CallbackAttemptView[]> =>
  (await readAttemptsOfCallbacks(fixture.pool, [callbackId])).get(callbackId) ?? [];

/** How long after they were made the jobs of a callback are due, in seconds. */
const dueInSeconds = async (callbackId: string): Promise<number[]> => {
  const { rows } = await fixture.pool.query<{ s: number }>(
    `select extract(epoch from run_at - updated_at)::float8 as s from graphile_worker._private_jobs
     where payload->>'callbackId' = $1 and attempts < max_attempts`,
    [callbackId],
  );
  return rows.map(({ s }) => s);
};

/** What the queue does when a job is due. */
const send = async (callbackId: string, client = outbound, signal = new AbortController().signal): Promise<void> => {
  const handler: JobHandler = createSendCallbackHandler({
    sql: fixture.pool,
    outbound: client,
    keyring,
    clock: systemClock,
    log: createLogger('silent'),
  });
  await handler({ callbackId }, { runnerId, signal });
};

/** As if the pause before the next attempt were over. */
const passTime = (callbackId: string): Promise<unknown> =>
  fixture.pool.query('update callbacks set next_attempt_at = now() where id = $1', [callbackId]);

/** Where a body differs from what the published description says of it. */
const contractFaults = (body: unknown): unknown[] => {
  const facts = { version: '0', bodyBytesMax: 1, syncTimeoutMs: 1, preferWaitMsMax: 1, idempotencyWindowMs: 1 };
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(openApiDocument(facts), 'document');
  const validate = ajv.compile({ $ref: 'document#/components/schemas/EndedCall' });
  return validate(body) ? [] : (validate.errors ?? []);
};

describe('the end of a call', () => {
  it('leaves a callback and its job, committed with it', async () => {
    const callback = await callbackOf(await endedCall(SUCCEEDED));
    expect(callback).toMatchObject({ status: 'PENDING', attempts: 0, finishedAt: null });
    const due = await dueInSeconds(callback!.id);
    expect(due).toHaveLength(1);
    expect(due[0]).toBeLessThanOrEqual(0);
  });

  it('leaves one for several executions, and none before the last has ended', async () => {
    const { callId, executionIds } = await fixture.store(['worker-a', 'worker-a']);
    const [first] = await takeLeases(fixture.pool, [
      { executionId: executionIds[0]!, runnerId, token: newRandomUuid() },
    ]);
    if (first?.type !== 'leased') throw new Error('not leased');
    await finishExecutions(fixture.pool, 0, [{ lease: first.lease, ending: SUCCEEDED }]);
    expect(await callbackOf(callId)).toBeUndefined();
    expect(await callbackOf(await endedCall(SUCCEEDED, FAILED))).toMatchObject({ status: 'PENDING' });
  });

  it('leaves none when the webhook has no callback URL', async () => {
    await setUrl(null);
    expect(await callbackOf(await endedCall(SUCCEEDED))).toBeUndefined();
  });
});

describe('a callback', () => {
  it('has the fields of the answer, signed as both official libraries verify it', async () => {
    const callId = await endedCall(SUCCEEDED, FAILED);
    const callback = (await callbackOf(callId))!;
    await send(callback.id);
    const { headers, body } = receiver.received[0]!;
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': formatId('callback', callback.id),
    });
    const signed = headers as Record<string, string>;
    expect(new StandardWebhook(secret).verify(body, signed)).toMatchObject({
      success: false,
      webhookId: formatId('webhook', fixture.webhookId),
      executionMode: 'async',
      results: [
        { workerId: 'worker-a', success: true, promptTokens: 7 },
        { workerId: 'worker-a', success: false, error: 'no luck', code: 'WORKER_FAILED' },
      ],
      callId: formatId('call', callId),
      status: 'completed',
      outcome: 'FAILED',
      error: '1 of 2 workers did not succeed.',
    });
    expect(body).toContain('"result":{"n":12345678901234567890}');
    expect(() => new SvixWebhook(secret).verify(body, signed)).not.toThrow();
    expect(contractFaults(JSON.parse(body))).toEqual([]);
    expect(contractFaults({ ...(JSON.parse(body) as object), outcome: 'ACCEPTED' })).not.toEqual([]);
    expect(() => new StandardWebhook(secret).verify(`${body} `, signed)).toThrow();
    expect(() => new SvixWebhook('whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA').verify(body, signed)).toThrow();
    expect(await callbackOf(callId)).toMatchObject({ status: 'SUCCEEDED', attempts: 1, nextAttemptAt: null });
    expect(await attemptsOf(callback.id)).toMatchObject([{ number: 1, httpStatus: 204, error: null }]);
  });

  it('is sent once, however many jobs come', async () => {
    const { id } = (await callbackOf(await endedCall(SUCCEEDED)))!;
    await send(id);
    await send(id);
    expect(receiver.received).toHaveLength(1);
  });

  it('comes again after a 500, five seconds later, with the same id and body', async () => {
    receiver.replyWith(status(500, {}, 'out\0 of order'));
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    await send(id);
    expect(await callbackOf(callId)).toMatchObject({ status: 'PENDING', attempts: 1 });
    const [due, ...more] = await dueInSeconds(id);
    expect(more).toEqual([]); // the job under way was replaced
    expect(due).toBeGreaterThan(3);
    expect(due).toBeLessThanOrEqual(5.5);
    await send(id);
    expect(receiver.received).toHaveLength(1); // it is not due yet

    await passTime(id);
    receiver.replyWith(status(200));
    await send(id);
    const [first, second] = receiver.received;
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
    expect(second!.body).toBe(first!.body);
    expect(await callbackOf(callId)).toMatchObject({ status: 'SUCCEEDED', attempts: 2 });
    expect(await attemptsOf(id)).toMatchObject([
      {
        number: 1,
        httpStatus: 500,
        error: 'The receiver answered with status 500.',
        responseBody: 'out\u{fffd} of order',
      },
      { number: 2, httpStatus: 200, error: null },
    ]);
  });

  it('is given up, visibly, after eight attempts', async () => {
    receiver.replyWith(status(500));
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    const pauses: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      await send(id);
      pauses.push(...(await dueInSeconds(id)));
      await passTime(id);
    }
    const wanted = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
    expect(pauses.slice(0, 7).map((s, i) => Math.abs(s - wanted[i]!) <= wanted[i]! * 0.1 + 2)).toEqual(
      wanted.map(() => true),
    );
    expect(await callbackOf(callId)).toMatchObject({ status: 'FAILED', attempts: 8 });
    await send(id);
    expect(receiver.received).toHaveLength(8);
  });

  it('ends for good with a 410', async () => {
    receiver.replyWith(status(410));
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    await send(id);
    expect(await callbackOf(callId)).toMatchObject({ status: 'FAILED', attempts: 1, nextAttemptAt: null });
  });

  it('waits as long as the receiver asks', async () => {
    receiver.replyWith(status(429, { 'retry-after': '600' }));
    const { id } = (await callbackOf(await endedCall(SUCCEEDED)))!;
    await send(id);
    expect((await dueInSeconds(id))[0]).toBeGreaterThan(590);
  });

  it('follows no redirect', async () => {
    const elsewhere = await openCallbackReceiver();
    try {
      receiver.replyWith(status(307, { location: elsewhere.url }));
      const callId = await endedCall(SUCCEEDED);
      const { id } = (await callbackOf(callId))!;
      await send(id);
      expect(elsewhere.received).toEqual([]);
      expect(await callbackOf(callId)).toMatchObject({ status: 'PENDING' });
      const error = 'The receiver answered with status 307. Redirects are not followed.';
      expect(await attemptsOf(id)).toMatchObject([{ httpStatus: 307, error }]);
    } finally {
      await elsewhere.close();
    }
  });

  it('to an address that must not be reached is refused, visibly, and not tried again', async () => {
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    await send(id, guarded);
    expect(receiver.received).toEqual([]);
    expect(await callbackOf(callId)).toMatchObject({ status: 'FAILED', attempts: 1 });
    const error = 'The address is not one that outbound requests may reach.';
    expect(await attemptsOf(id)).toMatchObject([{ httpStatus: null, error }]);
  });

  it('that finds nobody is tried again', async () => {
    await receiver.close();
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    await send(id);
    expect(await callbackOf(callId)).toMatchObject({ status: 'PENDING', attempts: 1 });
    expect((await attemptsOf(id))[0]!.error).toContain('ECONNREFUSED');
    receiver = await openCallbackReceiver();
  });

  it('of a webhook that has lost its URL since fails, and says why', async () => {
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    await setUrl(null);
    await send(id);
    expect(await callbackOf(callId)).toMatchObject({ status: 'FAILED' });
    expect(await attemptsOf(id)).toMatchObject([{ error: 'The webhook has no callback URL any more.' }]);
  });

  it('under way when the process stops leaves no attempt and its job to others', async () => {
    const stop = new AbortController();
    receiver.replyWith(() => stop.abort(new RunnerStopping()));
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    await expect(send(id, outbound, stop.signal)).rejects.toBeInstanceOf(RunnerStopping);
    expect(await callbackOf(callId)).toMatchObject({ status: 'PENDING', attempts: 0 });
    expect(await attemptsOf(id)).toEqual([]);
  });

  it('goes with its call when the retention time is over', async () => {
    const callId = await endedCall(SUCCEEDED);
    const { id } = (await callbackOf(callId))!;
    await send(id);
    await deleteExpiredCallbacks(fixture.pool, 0);
    await deleteExpiredCallbacks(fixture.pool, 1);
    expect(await attemptsOf(id)).toHaveLength(1);
    await deleteExpiredCallbacks(fixture.pool, -1); // a day from now
    expect(await callbackOf(callId)).toBeUndefined();
    expect(await attemptsOf(id)).toEqual([]);
  });
});

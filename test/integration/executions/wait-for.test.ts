import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventHub } from '../../../src/events/event-hub.js';
import { finishExecutions } from '../../../src/executions/finish.js';
import { takeLeases } from '../../../src/executions/lease.js';
import { beginWait, type CallWait } from '../../../src/executions/wait-for.js';
import { systemClock } from '../../../src/lib/clock.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import { type ExecutionFixture, openExecutionFixture, type StoredCall } from '../../support/execution-fixture.js';

const LONG_MS = 20_000;

/** What is heard is answered at once; what is not, by the next look at the rows, every two seconds. */
const HEARD_MS_MAX = 1_500;
const POLLED_MS_MAX = 6_000;

const within = async <T>(durationMs: number, work: Promise<T>): Promise<T> => {
  const startedMs = performance.now();
  const result = await work;
  expect(performance.now() - startedMs).toBeLessThan(durationMs);
  return result;
};

describe('waiting for a call', () => {
  let fixture: ExecutionFixture;

  beforeAll(async () => {
    fixture = await openExecutionFixture();
    await fixture.addWorker('worker-a', () => Promise.reject(new Error('not run here')));
  });

  afterAll(() => fixture.close());

  const wait = (callId: string, hub = fixture.hub): CallWait =>
    beginWait({ hub, sql: fixture.database.pool, clock: systemClock }, callId);
  const finishCall = async (call: StoredCall): Promise<void> => {
    const requests = call.executionIds.map((executionId) => ({
      executionId,
      runnerId: newUuidV7(),
      token: newRandomUuid(),
    }));
    const leased = await takeLeases(fixture.pool, requests);
    const finishes = leased.map((result) => {
      if (result.type !== 'leased') throw new Error(result.type);
      return { lease: result.lease, ending: { status: 'SUCCEEDED' as const, result: asJsonText('"done"') } };
    });
    await finishExecutions(fixture.pool, 0, finishes);
  };

  it('hears an end that comes later', async () => {
    const call = await fixture.store(['worker-a', 'worker-a']);
    const finished = wait(call.callId).finished(LONG_MS);
    await finishCall(call);
    expect((await within(HEARD_MS_MAX, finished))?.map(({ result }) => result)).toEqual(['"done"', '"done"']);
  });

  it('hears an end that came between the commit and the waiting', async () => {
    const hub = new EventHub();
    const call = await fixture.store(['worker-a']);
    const begun = wait(call.callId, hub);
    await finishCall(call);
    hub.deliver({ kind: 'call-finished', callId: call.callId, webhookId: fixture.webhookId });
    await new Promise((resolve) => setImmediate(resolve)); // the event has reached everybody who listens
    expect(await within(HEARD_MS_MAX, begun.finished(LONG_MS))).toHaveLength(1);
  });

  it('reads again when events may have been missed', async () => {
    const deaf = new EventHub();
    const call = await fixture.store(['worker-a']);
    const finished = wait(call.callId, deaf).finished(LONG_MS);
    await finishCall(call);
    deaf.resync();
    expect(await within(HEARD_MS_MAX, finished)).toHaveLength(1);
  });

  it('finds an end that nobody told of', async () => {
    const call = await fixture.store(['worker-a']);
    await finishCall(call);
    expect(await within(POLLED_MS_MAX, wait(call.callId, new EventHub()).finished(LONG_MS))).toHaveLength(1);
  });

  it('gives up at its deadline, and not before an end that is there', async () => {
    const call = await fixture.store(['worker-a']);
    expect(await wait(call.callId).finished(1)).toBeUndefined();
    await finishCall(call);
    expect(await wait(call.callId, new EventHub()).finished(0)).toHaveLength(1);
  });

  it('ends when it is cancelled', async () => {
    const call = await fixture.store(['worker-a']);
    const begun = wait(call.callId);
    const finished = begun.finished(LONG_MS);
    begun.cancel();
    begun.cancel();
    expect(await finished).toBeUndefined();
  });

  it('goes on to its deadline while the database is away', async () => {
    const call = await fixture.store(['worker-a']);
    const away = { query: () => Promise.reject(new Error('connection refused')) };
    const begun = beginWait({ hub: fixture.hub, sql: away, clock: systemClock }, call.callId);
    expect(await begun.finished(5)).toBeUndefined();
  });
});

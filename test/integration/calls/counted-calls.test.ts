import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readCallCounts } from '../../../src/calls/call-counts.js';
import { type CallStatistics, readStatistics } from '../../../src/calls/statistics.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import type { QueueRunner } from '../../../src/queue/runner.js';
import { type ExecutionFixture, openExecutionFixture } from '../../support/execution-fixture.js';

const SLOW_MS = 60;

describe('the statistics of calls that are accepted, run and ended', () => {
  let fixture: ExecutionFixture;
  let runner: QueueRunner;

  beforeAll(async () => {
    fixture = await openExecutionFixture();
    await fixture.addWorker('worker-fine', async () => ({
      result: asJsonText('1'),
      promptTokens: 7,
      completionTokens: 2,
    }));
    await fixture.addWorker('worker-slow', async () => {
      await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
      return { result: asJsonText('1') };
    });
    await fixture.addWorker('worker-broken', () => Promise.reject(new Error('broken')), { attemptsMax: 1 });
  });

  afterAll(() => fixture.close());

  const read = (): Promise<CallStatistics> => {
    const now = Date.now();
    const [from, to] = [new Date(now - 3_600_000), new Date(now + 60_000)];
    return readStatistics(fixture.database.pool, { webhookIds: [fixture.webhookId], from, to, interval: 'HOUR' });
  };

  it('show each of them once, at every moment', async () => {
    const fine = [await fixture.store(['worker-fine']), await fixture.store(['worker-fine', 'worker-fine'])];
    const broken = await fixture.store(['worker-fine', 'worker-broken']);
    expect(await read()).toMatchObject({ total: 3, byOutcome: [{ outcome: 'ACCEPTED', count: 3 }], p50Ms: null });
    runner = await fixture.startRunner();
    for (const { callId } of [...fine, broken]) await fixture.end(callId);
    const statistics = await read();
    expect(statistics).toMatchObject({ total: 3, succeeded: 2, failed: 1, rejected: 0 });
    expect(statistics).toMatchObject({ promptTokens: 28, completionTokens: 8 });
    expect(statistics.p99Ms).toBeGreaterThan(0);
    expect(statistics.lastCalledAt?.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('have the times of executions too, which are no calls', async () => {
    const before = await read();
    const { callId } = await fixture.store(['worker-fine', 'worker-slow']);
    await fixture.end(callId);
    await runner.stop(10_000); // a time is noted behind the commit that tells of the end
    await fixture.durations.flush();
    const { executionTimes, total } = await read();
    expect(executionTimes.p99Ms).toBeGreaterThanOrEqual(SLOW_MS);
    expect(executionTimes.p50Ms).toBeGreaterThan(0);
    expect(total).toBe(before.total + 1);
    expect((await readCallCounts(fixture.database.pool, [fixture.webhookId])).get(fixture.webhookId)).toMatchObject({
      callCount: total,
    });
  });
});

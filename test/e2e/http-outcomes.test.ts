import { describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import type { ExecutionView } from '../../src/executions/execution-view.js';
import { LinkSigner } from '../../src/http/signed-link.js';
import { systemClock } from '../../src/lib/clock.js';
import { formatId, newRandomUuid, newUuidV7 } from '../../src/lib/ids.js';
import { asJsonText } from '../../src/lib/json-text.js';
import type { AcceptedCall, AcceptOutcome } from '../../src/webhooks/accept-outcome.js';
import { openHttp, recordingAccept } from '../support/http.js';

const webhookUuid = newRandomUuid();
const webhookId = formatId('webhook', webhookUuid);
const callUuid = newUuidV7();
const callId = formatId('call', callUuid);
const first = newUuidV7();
const second = newUuidV7();
const links = new LinkSigner(Buffer.alloc(32, 1), systemClock);

function call(executionMode: 'SYNC' | 'ASYNC', ...executionIds: string[]): AcceptedCall {
  const executions = executionIds.map((executionId, i) => ({ executionId, workerId: `worker-${i}` }));
  return { callId: callUuid, webhookId: webhookUuid, executionMode, executions };
}

function execution(id: string, workerId: string, view: Partial<ExecutionView>): ExecutionView {
  const at = new Date();
  return {
    id,
    callId: callUuid,
    webhookId: webhookUuid,
    workerId,
    workerVersion: 1,
    position: 0,
    status: 'SUCCEEDED',
    attempt: 1,
    queuedAt: at,
    startedAt: at,
    finishedAt: at,
    promptTokens: null,
    completionTokens: null,
    result: null,
    error: null,
    cachedTokens: null,
    costNanos: null,
    lastEventSeq: 3,
    cancelRequestedAt: null,
    retryOf: null,
    retriedBy: null,
    ...view,
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a body of any outcome
  readonly body: any;
}

async function post(outcome: AcceptOutcome): Promise<Answer> {
  const http = await openHttp({ ingress: recordingAccept(outcome), links });
  try {
    const response = await fetch(`${http.url}/api/v1/webhooks/${webhookId}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'req-1' },
      body: '{}',
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
  } finally {
    await http.close();
  }
}

/** What every problem says. */
function problem(status: number, code: string): unknown {
  return expect.objectContaining({
    success: false,
    webhookId,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    error: expect.any(String),
    type: `/problems/${code.toLowerCase().replaceAll('_', '-')}`,
    title: expect.any(String),
    status,
    detail: expect.any(String),
    code,
    requestId: 'req-1',
  });
}

describe('the answer to a POST', () => {
  it('says 202 with the executions and a link to the one', async () => {
    const { status, headers, body } = await post({ type: 'accepted', call: call('ASYNC', first) });
    expect(status).toBe(202);
    expect(Object.keys(body)).toEqual([
      'success',
      'webhookId',
      'timestamp',
      'executionMode',
      'results',
      'callId',
      'status',
    ]);
    expect(body).toMatchObject({
      success: true,
      webhookId,
      executionMode: 'async',
      callId,
      status: 'accepted',
    });
    const executionId = formatId('execution', first);
    expect(body.results).toEqual([{ workerId: 'worker-0', executionId, success: true }]);
    expect(Math.abs(Date.parse(body.timestamp) - Date.now())).toBeLessThan(10_000);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('retry-after')).toBe('1');
    expect(headers.get('x-request-id')).toBe('req-1');
    const location = new URL(headers.get('location')!, 'http://host');
    expect(location.pathname).toBe(`/api/v1/executions/${executionId}`);
    const { expires, signature } = Object.fromEntries(location.searchParams);
    expect(links.check(location.pathname, expires, signature)).toBe('valid');
    expect(Number(expires) - Date.now() / 1000).toBeGreaterThan(86_000);
  });

  it('links to the call when it started several executions', async () => {
    const { headers, body } = await post({ type: 'accepted', call: call('ASYNC', first, second) });
    expect(new URL(headers.get('location')!, 'http://host').pathname).toBe(`/api/v1/calls/${callId}`);
    expect(body.results.map((result: { workerId: string }) => result.workerId)).toEqual(['worker-0', 'worker-1']);
  });

  it('says 202 in sync mode when the deadline passed', async () => {
    const { status, body } = await post({ type: 'deadline', call: call('SYNC', first) });
    expect(status).toBe(202);
    expect(body).toMatchObject({ success: true, executionMode: 'sync', status: 'accepted' });
  });

  it('says 200 with results that are not printed anew', async () => {
    const result = asJsonText('{"big":12345678901234567890, "text":"\\u00e9"}');
    const executions = [execution(first, 'worker-0', { result, promptTokens: 12 })];
    const { status, headers, text, body } = await post({
      type: 'completed',
      call: call('SYNC', first),
      executions,
    });
    expect(status).toBe(200);
    expect(headers.get('location')).toBeNull();
    expect(Object.keys(body).slice(0, 5)).toEqual(['success', 'webhookId', 'timestamp', 'executionMode', 'results']);
    expect(text).toContain(`"promptTokens":12,"result":${result}}`);
    expect(body).toMatchObject({ success: true, executionMode: 'sync', callId });
  });

  it('says 500 with every result when one worker failed', async () => {
    const executions = [
      execution(first, 'worker-0', { result: asJsonText('[1]') }),
      execution(second, 'worker-1', {
        status: 'FAILED',
        error: { code: 'WORKER_FAILED', message: 'no stock', retryable: false },
      }),
      execution(newUuidV7(), 'worker-2', { status: 'SKIPPED', startedAt: null }),
    ];
    const outcome: AcceptOutcome = { type: 'completed', call: call('SYNC', first, second), executions };
    const { status, headers, body } = await post(outcome);
    expect(status).toBe(500);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(Object.keys(body).slice(0, 5)).toEqual(['success', 'webhookId', 'timestamp', 'executionMode', 'results']);
    expect(body).toEqual(problem(500, 'WORKER_FAILED'));
    expect(body.detail).toBe('2 of 3 workers did not succeed.');
    expect(body.results).toEqual([
      { workerId: 'worker-0', executionId: formatId('execution', first), success: true, result: [1] },
      {
        workerId: 'worker-1',
        executionId: formatId('execution', second),
        success: false,
        error: 'no stock',
        code: 'WORKER_FAILED',
      },
      expect.objectContaining({ workerId: 'worker-2', success: false, code: 'SKIPPED' }),
    ]);
  });

  it.each<[AcceptOutcome, number, string]>([
    [{ type: 'not-found' }, 404, 'WEBHOOK_NOT_FOUND'],
    [{ type: 'unauthenticated', webhookId: webhookUuid }, 401, 'AUTHENTICATION_FAILED'],
    [{ type: 'inactive', webhookId: webhookUuid }, 403, 'WEBHOOK_INACTIVE'],
    [{ type: 'unsupported-media-type', webhookId: webhookUuid, detail: 'd' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [{ type: 'malformed-body', webhookId: webhookUuid, detail: 'd' }, 400, 'MALFORMED_BODY'],
    [{ type: 'invalid-input', webhookId: webhookUuid, faults: [] }, 400, 'INVALID_INPUT'],
    [{ type: 'overloaded', retryAfterMs: 1_001 }, 503, 'OVERLOADED'],
    [{ type: 'unavailable', retryAfterMs: 1 }, 503, 'STORAGE_UNAVAILABLE'],
  ])('says it in a problem: %j', async (outcome, status, code) => {
    const answer = await post(outcome);
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual(problem(status, code));
    expect(Object.keys(answer.body).slice(0, 3)).toEqual(['success', 'webhookId', 'timestamp']);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    if ('detail' in outcome) expect(answer.body.error).toBe('d');
    if (outcome.type === 'unauthenticated') expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    const retryAfter = { overloaded: '2', unavailable: '1' }[outcome.type as string] ?? null;
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
  });

  it('does not repeat a malformed id', async () => {
    const { status, body } = await post({ type: 'malformed-id' });
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'MALFORMED_WEBHOOK_ID', webhookId: null });
  });

  it('points to what does not fit a schema', async () => {
    const faults = [{ workerId: 'worker-0', pointer: '/order/id', message: 'must be a string' }];
    const { body } = await post({ type: 'invalid-input', webhookId: webhookUuid, faults });
    expect(body.errors).toEqual([{ workerId: 'worker-0', pointer: '/order/id', detail: 'must be a string' }]);
  });

  it('names the limit that is exhausted and when there is quota again', async () => {
    const refusal = { policy: 'global', perMinute: 60_000, retryAfterMs: 11_200, windowMs: 60_000 } as const;
    const { status, headers, body } = await post({ type: 'rate-limited', webhookId: webhookUuid, refusal });
    expect(status).toBe(429);
    expect(headers.get('retry-after')).toBe('12');
    expect(headers.get('ratelimit-policy')).toBe('"global";q=60000;w=60');
    expect(headers.get('ratelimit')).toBe('"global";r=0;t=12');
    expect(body).toEqual(problem(429, 'RATE_LIMITED'));
    expect(body.policy).toBe('global');
  });

  it('says 500 and nothing of the inside when accepting throws', async () => {
    const registry = new Registry();
    const http = await openHttp({
      ingress: { acceptCall: () => Promise.reject(new Error('password=hunter2')) },
      operations: { readiness: () => Promise.resolve([]), registry },
    });
    const response = await fetch(`${http.url}/api/v1/webhooks/${webhookId}`, { method: 'POST', body: '{}' });
    const text = await response.text();
    await http.close();
    expect(response.status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', success: false });
    expect(text).not.toContain('hunter2');
    expect(await registry.metrics()).toContain(
      'workhook_http_requests_total{route="/api/v1/webhooks/:id",status="500"} 1',
    );
  });
});

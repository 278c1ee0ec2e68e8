import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import type { HttpOptions } from '../../src/http/http.js';
import { formatId, newRandomUuid } from '../../src/lib/ids.js';
import type { AcceptOutcome } from '../../src/webhooks/accept-outcome.js';
import { exchange, openHttp, recordingAccept, type TestHttp } from '../support/http.js';

const webhookPath = `/api/v1/webhooks/${formatId('webhook', newRandomUuid())}`;
const opened: TestHttp[] = [];

async function open(options: Partial<HttpOptions> = {}): Promise<TestHttp> {
  const http = await openHttp(options);
  opened.push(http);
  return http;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((http) => http.close(0)));
});

const HTTPS = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9' };

describe('HTTPS', () => {
  const ingress = recordingAccept({ type: 'not-found' });
  const production = { allowInsecureLoopback: false, trustedProxies: ['127.0.0.1'], ingress };

  it.each([webhookPath, '/graphql', '/login', '/api/v1/executions/exec-1'])('is demanded for %s', async (path) => {
    const http = await open(production);
    const response = await fetch(http.url + path, { method: 'POST', body: '{}' });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'HTTPS_REQUIRED' });
    expect(ingress.calls).toHaveLength(0);
  });

  it('is not demanded of probes', async () => {
    const http = await open(production);
    expect((await fetch(`${http.url}/healthz`)).status).toBe(200);
  });

  it('counts when a trusted proxy ends it, and the caller is who the proxy heard', async () => {
    const http = await open(production);
    const response = await fetch(http.url + webhookPath, { method: 'POST', body: '{}', headers: HTTPS });
    expect(response.status).toBe(404);
    expect(ingress.calls.at(-1)!.sourceIp).toBe('203.0.113.9');
    const health = await fetch(`${http.url}/healthz`, { headers: HTTPS });
    expect(health.headers.get('strict-transport-security')).toContain('max-age=');
  });

  it('is not believed of anybody else, and a proxied stranger is no loopback', async () => {
    const untrusting = await open({ ...production, trustedProxies: [] });
    const claimed = await fetch(untrusting.url + webhookPath, { method: 'POST', body: '{}', headers: HTTPS });
    expect(claimed.status).toBe(403);
    const development = await open({ ...production, allowInsecureLoopback: true });
    const headers = { ...HTTPS, 'x-forwarded-proto': 'http' };
    expect((await fetch(development.url + webhookPath, { method: 'POST', body: '{}', headers })).status).toBe(403);
  });
});

describe('every answer', () => {
  it('carries a request id and keeps browsers from guessing', async () => {
    const http = await open();
    const given = await fetch(`${http.url}/healthz`, { headers: { 'x-request-id': 'abc' } });
    expect(given.headers.get('x-request-id')).toBe('abc');
    const made = await fetch(`${http.url}/nothing`);
    expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(made.headers.get('x-content-type-options')).toBe('nosniff');
    expect(made.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(made.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('is a problem where there is nothing', async () => {
    const http = await open();
    for (const path of ['/nothing', webhookPath, '/graphql', '/login', '/api/v1/executions/x', '/api/v1/webhooks/']) {
      const response = await fetch(http.url + path);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ code: 'NOT_FOUND', success: false });
    }
  });

  it('names the methods of a path that has others', async () => {
    const http = await open();
    const response = await fetch(`${http.url}/healthz`, { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('HEAD, GET');
    expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
  });

  it('says nothing of what broke inside', async () => {
    const logged: unknown[] = [];
    const log = { error: (entry: unknown) => logged.push(entry), debug: () => undefined };
    const http = await open({
      log: log as unknown as HttpOptions['log'],
      admin: {
        graphql: () => Promise.reject(new Error('password=hunter2')),
        operationBytesMax: 1_048_576,
        upgrade: (_, socket) => socket.destroy(),
        signIn: {
          exchangeLoginToken: () => Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' })),
          endSession: () => Promise.resolve(),
          homePath: undefined,
        },
      },
    });
    const response = await fetch(`${http.url}/graphql`, { headers: { 'x-request-id': 'broken-1' } });
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', requestId: 'broken-1' });
    expect(text).not.toContain('hunter2');
    expect(logged).toEqual([expect.objectContaining({ requestId: 'broken-1' })]);

    const body = new URLSearchParams({ token: 't'.repeat(40) });
    const away = await fetch(`${http.url}/login`, { method: 'POST', body });
    expect(away.status).toBe(503);
    expect(away.headers.get('retry-after')).toBe('2');
  });
});

describe('operations', () => {
  it('say whether the process should get traffic', async () => {
    let reasons: string[] = [];
    const readiness = (): Promise<string[]> =>
      reasons[0] === 'throw' ? Promise.reject(new Error('secret')) : Promise.resolve(reasons);
    const http = await open({ operations: { readiness, registry: new Registry() } });
    expect((await fetch(`${http.url}/readyz`)).status).toBe(200);
    reasons = ['draining'];
    const draining = await fetch(`${http.url}/readyz`);
    expect(draining.status).toBe(503);
    expect(await draining.json()).toEqual({ status: 'not ready', reasons: ['draining'] });
    reasons = ['throw'];
    expect(await (await fetch(`${http.url}/readyz`)).text()).not.toContain('secret');
    expect((await fetch(`${http.url}/healthz`)).status).toBe(200);
  });

  it('count requests by route, never by id', async () => {
    const http = await open({ ingress: recordingAccept({ type: 'not-found' }) });
    await fetch(http.url + webhookPath, { method: 'POST', body: '{}' });
    await fetch(`${http.url}/some/path/${newRandomUuid()}`);
    const text = await (await fetch(`${http.url}/metrics`)).text();
    expect(text).toContain('workhook_http_requests_total{route="/api/v1/webhooks/:id",status="404"} 1');
    expect(text).toContain('workhook_http_requests_total{route="unmatched",status="404"} 1');
    expect(text).toContain('workhook_http_request_duration_seconds_bucket');
    expect(text).toContain('process_cpu_seconds_total');
    expect(text).not.toContain('wh_');
  });
});

describe('the server', () => {
  it('says in one line that the port is taken', async () => {
    const { port } = await open();
    const second = openHttp({
      operations: { readiness: () => Promise.resolve([]), registry: new Registry() },
    });
    const { createHttpServer } = await import('../../src/http/server.js');
    const taken = createHttpServer({ handle: () => undefined, askForBody: () => true });
    await expect(taken.listen(port, '127.0.0.1')).rejects.toMatchObject({
      code: 'STARTUP_FAILED',
      message: `Port ${port} on 127.0.0.1 is in use. Stop what listens there, or set PORT to another one.`,
    });
    await (await second).close();
  });

  it('finishes what is in flight when it stops, and takes nothing new', async () => {
    const started = Promise.withResolvers<void>();
    const outcome = Promise.withResolvers<AcceptOutcome>();
    const http = await open({
      ingress: {
        acceptCall: () => {
          started.resolve();
          return outcome.promise;
        },
      },
    });
    const idle = connect(http.port, '127.0.0.1');
    await once(idle, 'connect');
    const answer = fetch(http.url + webhookPath, { method: 'POST', body: '{}' });
    await started.promise;
    const closing = http.close(10_000);
    await expect(fetch(`${http.url}/healthz`)).rejects.toThrow('fetch failed');
    outcome.resolve({ type: 'not-found' });
    expect((await answer).status).toBe(404);
    idle.destroy();
    await closing;
  });

  it('cuts what has not finished at the deadline', async () => {
    const started = Promise.withResolvers<void>();
    const http = await open({
      ingress: {
        acceptCall: () => {
          started.resolve();
          return new Promise(() => undefined);
        },
      },
    });
    const answer = fetch(http.url + webhookPath, { method: 'POST', body: '{}' }).then(
      () => 'answered',
      () => 'cut',
    );
    await started.promise;
    await http.close(10);
    expect(await answer).toBe('cut');
  });

  it('hands over WebSocket handshakes on /graphql only', async () => {
    const hosts: string[] = [];
    const http = await open({
      admin: {
        graphql: (ctx) => {
          ctx.body = 'ordinary';
        },
        operationBytesMax: 1_048_576,
        upgrade: (_req, socket, _head, facts) => {
          hosts.push(facts.sourceIp);
          socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
        },
        signIn: {
          exchangeLoginToken: () => Promise.resolve(undefined),
          endSession: () => Promise.resolve(),
          homePath: undefined,
        },
      },
    });
    const handshake = (path: string, protocol = 'websocket', host = 'Host: x'): Promise<{ status: number }> =>
      exchange(
        http.port,
        `GET ${path} HTTP/1.1\r\n${host}\r\nConnection: Upgrade, close\r\nUpgrade: ${protocol}\r\n\r\n`,
      );
    expect((await handshake('/graphql?a')).status).toBe(101);
    expect((await handshake('/other')).status).toBe(404);
    expect((await handshake('/graphql', 'h2c')).status).toBe(200);
    expect((await handshake('/graphql', 'websocket', 'Host: x\r\nHost: y')).status).toBe(400);
    expect(hosts).toEqual(['127.0.0.1']);
  });
});

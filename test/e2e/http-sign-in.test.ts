import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../src/access/principal.js';
import { sessionTokenIn } from '../../src/access/session-cookie.js';
import { newRandomUuid } from '../../src/lib/ids.js';
import { openHttp, type TestHttp } from '../support/http.js';

const TOKEN = 'login-token-0123456789-0123456789';
const principal: Principal = {
  userId: newRandomUuid(),
  role: 'owner',
  credential: { type: 'session', id: newRandomUuid() },
  scopes: [],
};
let http: TestHttp;
let exchanged = 0;
const ended: string[] = [];

beforeAll(async () => {
  http = await openHttp({
    trustedProxies: ['127.0.0.1'],
    authenticate: ({ cookie }) => Promise.resolve(sessionTokenIn(cookie) === 'session-1' ? principal : undefined),
    admin: {
      graphql: (ctx) => {
        ctx.body = 'explorer';
      },
      operationBytesMax: 1_048_576,
      upgrade: (_, socket) => socket.destroy(),
      signIn: {
        exchangeLoginToken: (token) => {
          const known = token === TOKEN && exchanged === 0;
          if (known) exchanged += 1;
          return Promise.resolve(known ? { token: 'session-1', expiresAt: new Date(Date.now() + 60_000) } : undefined);
        },
        endSession: (token) => {
          ended.push(token);
          return Promise.resolve();
        },
        homePath: '/graphql',
      },
    },
  });
});

afterAll(() => http.close());

function login(token: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${http.url}/login`, {
    method: 'POST',
    body: new URLSearchParams({ token }),
    redirect: 'manual',
    headers,
  });
}

describe('signing in', () => {
  it('shows a form, which whoever previews links does not send', async () => {
    const response = await fetch(`${http.url}/login?token=${TOKEN}`);
    const html = await response.text();
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(html).toContain(`name="token" value="${TOKEN}"`);
    expect(html).not.toContain('<script');
    expect(exchanged).toBe(0);
  });

  it('refuses a link with something else than a token in it', async () => {
    const response = await fetch(`${http.url}/login?token=${encodeURIComponent('"><script>alert(1)</script>')}`);
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain('alert');
  });

  it.each([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
  ])('refuses the form from another site: %j', async (headers) => {
    expect((await login(TOKEN, headers as Record<string, string>)).status).toBe(403);
    expect(exchanged).toBe(0);
  });

  it('exchanges the token for a cookie that scripts and other sites do not get', async () => {
    const response = await login(TOKEN, { 'x-forwarded-proto': 'https', origin: http.url });
    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe('/');
    const [cookie] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^workhook_session=session-1; Path=\/; Expires=.+ GMT; HttpOnly; SameSite=Lax; Secure$/);
  });

  it('works once', async () => {
    const response = await login(TOKEN);
    expect(response.status).toBe(401);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  it('refuses a form that is none and one that is too large', async () => {
    const json = await fetch(`${http.url}/login`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(json.status).toBe(415);
    expect((await login('t'.repeat(5_000))).status).toBe(413);
  });

  it('leads home from / once signed in', async () => {
    const home = (cookie?: string): Promise<Response> =>
      fetch(`${http.url}/`, { redirect: 'manual', headers: cookie === undefined ? {} : { cookie } });
    const response = await home('a=b; workhook_session=session-1');
    expect([response.status, response.headers.get('location')]).toEqual([303, '/graphql']);
    expect((await home()).status).toBe(200);
    expect((await home('workhook_session=other')).status).toBe(200);
    expect((await home('workhook_session=session-1; workhook_session=session-1')).status).toBe(200);
  });

  it('signs out', async () => {
    const response = await fetch(`${http.url}/logout`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: 'workhook_session=session-1' },
    });
    expect(response.status).toBe(303);
    expect(response.headers.getSetCookie()[0]).toContain('workhook_session=; Path=/; Expires=Thu, 01 Jan 1970');
    expect(ended).toEqual(['session-1']);
  });
});

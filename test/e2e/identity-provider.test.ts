import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import OidcServer from 'oidc-provider';
import { SESSION_COOKIE } from '../../src/access/session-cookie.js';
import { Browser, type Page } from '../support/browser.js';
import { databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** What the provider says of each of its users. */
const PEOPLE: Readonly<Record<string, object>> = {
  invited: { email: 'Invited@example.com', email_verified: true, name: 'In Vited' },
  unverified: { email: 'victim@example.com', email_verified: false },
  stranger: { email: 'stranger@example.com', email_verified: true, name: 'A Stranger' },
  disabled: { email: 'disabled@example.com', email_verified: true },
  impostor: { email: 'invited@example.com', email_verified: true },
};

let testDatabase: TestDatabase;
let server: Server;
let issuer: string;
let answer: RequestListener = (_, res) => void res.writeHead(503).end();
let gateway: GatewayProcess | undefined;

beforeAll(async () => {
  // It warns at length of its own settings for development, which are right for a test.
  for (const method of ['info', 'warn'] as const) jest.spyOn(console, method).mockImplementation(() => undefined);
  testDatabase = await createTestDatabase();
  server = createServer((req, res) => answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await gateway?.end('SIGTERM');
  gateway = undefined;
});

afterAll(async () => {
  jest.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await testDatabase.drop();
});

/** A gateway, and a provider that sends people back to it. */
async function start(more: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
  const client = { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: 'workhook', OIDC_CLIENT_SECRET: 'client-secret-of-the-test' };
  gateway = await startGatewayProcess({ env: { ...databaseEnv(testDatabase.url), ...client, ...more } });
  const provider = new OidcServer(issuer, {
    clients: [
      {
        client_id: client.OIDC_CLIENT_ID,
        client_secret: client.OIDC_CLIENT_SECRET,
        redirect_uris: [`${gateway.url}/login/oidc/callback`],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['cookies-of-the-test'] },
    pkce: { required: () => true },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...PEOPLE[sub] }) }),
  });
  provider.on('server_error', (_, error) => console.error(error));
  const respond = provider.callback();
  answer = (req, res) => void respond(req, res);
  return gateway;
}

/** Signs in at the provider as one of its users and agrees to everything. */
async function signIn(browser: Browser, login: string): Promise<Page> {
  let page = await browser.open(`${gateway!.url}/login/oidc`);
  for (let forms = 0; forms < 3 && page.url.origin === issuer; forms += 1) {
    const prompt = /name="prompt" value="(\w+)"/.exec(page.html)?.[1];
    const action = /action="([^"]+)"/.exec(page.html)?.[1];
    if (prompt === undefined || action === undefined) break;
    page = await browser.open(new URL(action, page.url), { prompt, login, password: 'any' });
  }
  return page;
}

/** Who the gateway takes a browser for. */
async function viewerOf(browser: Browser): Promise<unknown> {
  const session = browser.cookie(gateway!.url, SESSION_COOKIE);
  const response = await fetch(`${gateway!.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie: `${SESSION_COOKIE}=${session ?? ''}` },
    body: JSON.stringify({ query: '{ viewer { name email role } }' }),
  });
  return ((await response.json()) as { data?: { viewer: unknown } }).data?.viewer;
}

const INVITE = `mutation ($input: InviteUserInput!) { inviteUser(input: $input) { user { id } userErrors { code } } }`;

async function invite(name: string, email: string): Promise<string> {
  const { inviteUser } = await gateway!.graphql<{ inviteUser: { user: { id: string } } }>(INVITE, {
    input: { name, email, role: 'EDITOR' },
  });
  return inviteUser.user.id;
}

describe('signing in at an identity provider', () => {
  it('is offered on the first page, and knows an invited user by the verified address, then by who they are', async () => {
    await start();
    const id = await invite('Invited', 'invited@example.com');
    expect(await (await fetch(gateway!.url)).text()).toContain('href="/login/oidc"');
    const browser = new Browser();
    await signIn(browser, 'invited');
    expect(await viewerOf(browser)).toEqual({ name: 'Invited', email: 'invited@example.com', role: 'EDITOR' });

    // Linked: another address changes nothing, and nobody else can come by the first one.
    await gateway!.graphql('mutation ($id: ID!) { updateUser(input: { id: $id, email: null }) { user { id } } }', {
      id,
    });
    const again = new Browser();
    await signIn(again, 'invited');
    expect(await viewerOf(again)).toMatchObject({ name: 'Invited', email: null });
    await gateway!.graphql(
      'mutation ($id: ID!) { updateUser(input: { id: $id, email: "invited@example.com" }) { user { id } } }',
      { id },
    );
    const impostor = new Browser();
    expect(await signIn(impostor, 'impostor')).toMatchObject({ status: 403 });
    expect(await viewerOf(impostor)).toBeUndefined();
  });

  it.each([
    ['nobody invited', 'stranger'],
    ['whose address is not verified', 'unverified'],
    ['who is shut out', 'disabled'],
  ])('lets nobody in %s', async (_, login) => {
    await start();
    if (login === 'unverified') await invite('Victim', 'victim@example.com');
    if (login === 'disabled') {
      const id = await invite('Disabled', 'disabled@example.com');
      await gateway!.graphql('mutation ($id: ID!) { disableUser(input: { id: $id }) { user { id } } }', { id });
    }
    const browser = new Browser();
    const page = await signIn(browser, login);
    expect(page).toMatchObject({ status: 403, html: expect.stringContaining('nobody has invited you') });
    expect(await viewerOf(browser)).toBeUndefined();
  });

  it('welcomes newcomers where the operator says so, once each', async () => {
    await start({ OIDC_NEW_USERS_ROLE: 'viewer' });
    for (let times = 0; times < 2; times += 1) {
      const browser = new Browser();
      await signIn(browser, 'stranger');
      expect(await viewerOf(browser)).toEqual({ name: 'A Stranger', email: 'stranger@example.com', role: 'VIEWER' });
    }
    const { users } = await gateway!.graphql<{ users: { totalCount: number } }>(
      '{ users(text: "stranger@example.com") { totalCount } }',
    );
    expect(users.totalCount).toBe(1);
  });

  it('takes no answer that it did not ask for', async () => {
    await start({ OIDC_NEW_USERS_ROLE: 'viewer' });
    const callback = `${gateway!.url}/login/oidc/callback`;
    const without = await fetch(`${callback}?code=x&state=y`, { redirect: 'manual' });
    expect(without.status).toBe(401);

    // The link that an attacker got for their own account does not sign a victim's browser in to it.
    const attacker = new Browser();
    const victim = new Browser();
    await victim.open(`${gateway!.url}/login/oidc`);
    const page = await signIn(attacker, 'stranger');
    expect(page.url.origin).toBe(gateway!.url);
    const forged = await victim.open(`${callback}?code=stolen&state=forged&iss=${encodeURIComponent(issuer)}`);
    expect(forged.status).toBe(401);
    expect(await viewerOf(victim)).toBeUndefined();
    expect(gateway!.logged()).not.toContain('stolen');
  });

  it('says so when the provider is away, and works when it is back', async () => {
    await start({ OIDC_NEW_USERS_ROLE: 'viewer' });
    const works = answer;
    answer = (_, res) => void res.writeHead(500).end();
    const page = await new Browser().open(`${gateway!.url}/login/oidc`);
    expect(page).toMatchObject({ status: 503, html: expect.stringContaining('cannot be reached') });
    answer = works;
    const browser = new Browser();
    await signIn(browser, 'stranger');
    expect(await viewerOf(browser)).toBeDefined();
  });
});

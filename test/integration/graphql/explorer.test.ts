import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse, validate } from 'graphql';
import { SESSION_COOKIE } from '../../../src/access/session-cookie.js';
import { FIRST_QUERY } from '../../../src/graphql/explorer.js';
import { buildGraphqlSchema } from '../../../src/graphql/schema.js';
import { addToken, type GraphqlProcess, openGraphqlProcess } from '../../support/graphql-process.js';
import { signIn } from '../../support/sign-in.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

/** What browsers send when somebody enters an address. */
const BROWSER = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

let testDatabase: TestDatabase;
let gateway: GraphqlProcess;
let development: GraphqlProcess;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  gateway = await openGraphqlProcess({ databaseUrl: testDatabase.url });
  development = await openGraphqlProcess({ databaseUrl: testDatabase.url, production: false });
});

afterAll(async () => {
  await gateway.close();
  await development.close();
  await testDatabase.drop();
});

describe('the explorer', () => {
  it('is for everybody in development, and comes whole: its policy allows the one script that it has', async () => {
    const response = await fetch(development.url, { headers: BROWSER });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
    const html = await response.text();
    const [, script = ''] = /<script>(.*)<\/script>/s.exec(html) ?? [];
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toContain(`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`);
    expect(policy).toContain("default-src 'none'");
    expect(html).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="https?:/);
  });

  it('comes once: 304 after that', async () => {
    const first = await fetch(development.url, { headers: BROWSER });
    await first.arrayBuffer();
    const second = await fetch(development.url, {
      headers: { ...BROWSER, 'If-None-Match': first.headers.get('etag')!, 'Cache-Control': 'max-age=0' },
    });
    expect([second.status, (await second.arrayBuffer()).byteLength]).toEqual([304, 0]);
  });

  it('is only for who has signed in, in production', async () => {
    const stranger = await fetch(gateway.url, { headers: BROWSER });
    expect(stranger.status).toBe(401);
    expect(await stranger.text()).not.toContain('<script');
    const { pool } = gateway.database;
    const { userId } = await addToken(pool, 'viewer');
    const session = await signIn(pool, userId);
    const known = await fetch(gateway.url, { headers: { ...BROWSER, Cookie: `${SESSION_COOKIE}=${session.token}` } });
    expect(known.status).toBe(200);
    await known.arrayBuffer();
  });

  it('is not in the way of programs, which do not ask for HTML', async () => {
    for (const Accept of ['*/*', 'application/json', 'application/graphql-response+json, application/json']) {
      const response = await fetch(development.url, { headers: { Accept } });
      expect([Accept, response.headers.get('content-type')]).toEqual([Accept, expect.stringContaining('json')]);
      await response.arrayBuffer();
    }
  });

  it('opens with operations that there are', () => {
    expect(validate(buildGraphqlSchema(), parse(FIRST_QUERY))).toEqual([]);
  });
});

import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatId, newRandomUuid } from '../../../src/lib/ids.js';
import { curlCommand, type CurlCommandOptions } from '../../../src/webhooks/manage/curl-command.js';
import { METHOD_DEFAULTS } from '../../../src/webhooks/verify/method-defaults.js';
import { verifyCredential } from '../../../src/webhooks/verify/verify-credential.js';
import { AUTHENTICATION_METHODS, type AuthenticationMethod } from '../../../src/webhooks/webhook.entity.js';

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

const WEBHOOK_ID = newRandomUuid();

/** Everything that a shell, printf, openssl, sed or curl could take for something else. */
const NASTY = `-hmac '"$HOME \`id\` \\n %s $(id) !! & | ; < > # * ? ~ @file {a,b} = end`;

let server: Server;
let publicUrl: string;
let received: Received[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, rawHeaders } = request;
      received.push({ method, url, rawHeaders, body: Buffer.concat(chunks) });
      response.end('{"success":true}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

const authenticationOf = (method: AuthenticationMethod): CurlCommandOptions['authentication'] => ({
  method,
  provider: null,
  ...METHOD_DEFAULTS[method],
  ...(method === 'CUSTOM_HEADER' && { headerName: 'X-Own', headerPrefix: `it's "$5" ` }),
});

/** Runs a command as a person would who pastes it, and gives what the server got. */
async function run(command: string, environment: Record<string, string> = {}): Promise<Received> {
  received = [];
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command], {
    env: { PATH: process.env['PATH'], ...environment },
    timeout: 20_000,
  });
  expect([stdout, stderr]).toEqual(['{"success":true}', '']);
  expect(received).toHaveLength(1);
  return received[0]!;
}

function verifies(got: Received, authentication: CurlCommandOptions['authentication'], secret: string): boolean {
  const { method, headerName, headerPrefix } = authentication;
  const lower = { method, headerPrefix, headerName: headerName.toLowerCase() };
  const secrets = [{ id: 's', secret, expiresAtMs: undefined }];
  return verifyCredential(lower, secrets, got.rawHeaders, got.body, 0).verified;
}

describe.each(AUTHENTICATION_METHODS.filter((method) => method !== 'PROVIDER'))('the curl command for %s', (method) => {
  const authentication = authenticationOf(method);

  it.each([
    ['a generated secret', 'whsec_0123456789abcdef+/=', '{"hello":"world"}'],
    ['a nasty secret and body', NASTY, JSON.stringify({ note: `${NASTY}\n\ttwo lines, grün 🙂`, '@': `''` }, null, 2)],
    ['a body that ends with line breaks', NASTY, '[1]\n\n'],
  ])('works in sh with %s', async (_, secret, body) => {
    const got = await run(curlCommand({ publicUrl, webhookId: WEBHOOK_ID, authentication, secret, body }));
    expect(got).toMatchObject({ method: 'POST', url: `/api/v1/webhooks/${formatId('webhook', WEBHOOK_ID)}` });
    expect(got.body.toString('utf8')).toBe(body);
    expect(got.rawHeaders.join('\n')).toMatch(/Content-Type\napplication\/json\n/);
    expect(verifies(got, authentication, secret)).toBe(true);
    expect(verifies(got, authentication, `${secret}x`)).toBe(false);
  });

  it('reads the secret from a variable when it is not known', async () => {
    const command = curlCommand({ publicUrl, webhookId: WEBHOOK_ID, authentication, body: '{}' });
    expect(command).toContain('"$WEBHOOK_SECRET"');
    const got = await run(command, { WEBHOOK_SECRET: NASTY });
    expect(verifies(got, authentication, NASTY)).toBe(true);
  });

  it('sends more headers, and another content type in the place of ours', async () => {
    const headers = { 'X-Event': NASTY, 'content-type': 'application/cloudevents+json' };
    const got = await run(
      curlCommand({ publicUrl, webhookId: WEBHOOK_ID, authentication, secret: NASTY, body: '{}', headers }),
    );
    expect(got.rawHeaders).toEqual(expect.arrayContaining(['X-Event', NASTY]));
    expect(got.rawHeaders.filter((text) => text.toLowerCase() === 'content-type')).toEqual(['content-type']);
    expect(got.rawHeaders).toContain('application/cloudevents+json');
  });
});

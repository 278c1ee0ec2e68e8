import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  runGatewayCommand,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { TestAuthority, type TestCertificate } from '../support/certificates.js';
import { openHttp, type TestHttp } from '../support/http.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const authority = new TestAuthority('Partners');
const stranger = new TestAuthority('Partners'); // the same name, another key
const server = authority.issue('/CN=gateway', 'DNS:localhost,IP:127.0.0.1');
const known = authority.issue('/O=Acme, Inc./CN=client-1', 'DNS:eu.partner.example,URI:spiffe://acme/ns/billing');
const other = authority.issue('/O=Other/CN=client-2', 'DNS:other.example');
const forged = stranger.issue('/O=Acme, Inc./CN=client-1', 'DNS:eu.partner.example');
const fingerprintOf = ({ cert }: TestCertificate): string => new X509Certificate(cert).fingerprint256;

let database: TestDatabase;
/** In plain HTTP on this machine, behind which a proxy is told from others by its address. */
let plain: GatewayProcess;
/** On the same database, speaking HTTPS itself. */
let secure: GatewayProcess;

const certificateHeaders = {
  CLIENT_CERT_HEADER: 'X-Client-Cert',
  CLIENT_CERT_VERIFY_HEADER: 'X-SSL-Client-Verify',
  CLIENT_CERT_FINGERPRINT_HEADER: 'X-SSL-Client-Fingerprint',
  CLIENT_CERT_SUBJECT_HEADER: 'X-SSL-Client-S-DN',
};

beforeAll(async () => {
  database = await createTestDatabase();
  const env = { ...databaseEnv(database.url), ...certificateHeaders };
  plain = await startGatewayProcess({ env: { ...env, TRUSTED_PROXIES: '127.0.0.1' } });
  secure = await startGatewayProcess({
    env: {
      ...env,
      ROLES: 'ingress',
      NODE_ENV: 'production',
      TLS_CERT_FILE: server.certFile,
      TLS_KEY_FILE: server.keyFile,
      TLS_CLIENT_CA_FILE: authority.root.certFile,
    },
  });
});

afterAll(async () => {
  await secure.end('SIGTERM');
  await plain.end('SIGTERM');
  await database.drop();
  authority.remove();
  stranger.remove();
});

const create = (
  clientCertificates?: { fingerprint?: string; subject?: string; name?: string }[],
): Promise<CreatedWebhook> =>
  createWebhook(plain, {
    authentication: { method: 'SECRET_HEADER' },
    ...(clientCertificates && { clientCertificates }),
  });

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A call over TLS, with a client certificate or without. */
async function overTls(webhook: CreatedWebhook, client?: TestCertificate, headers = {}): Promise<Answer> {
  const url = new URL(new URL(webhook.url).pathname, secure.url);
  const req = request(url, {
    method: 'POST',
    agent: false,
    ca: authority.root.cert,
    ...(client && { cert: client.cert, key: client.key }),
    headers: { 'content-type': 'application/json', 'x-webhook-secret': webhook.secret, ...headers },
  });
  const answered = once(req, 'response');
  req.end('{}');
  const [res] = (await answered) as [IncomingMessage];
  let body = '';
  for await (const chunk of res) body += String(chunk);
  return { status: res.statusCode!, body };
}

/** A call as the proxy on this machine passes it on. */
async function throughProxy(webhook: CreatedWebhook, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(webhook.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-webhook-secret': webhook.secret,
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-proto': 'https',
      ...headers,
    },
    body: '{}',
  });
  return response.status;
}

describe('HTTPS of its own', () => {
  it('is what the process says it speaks, and counts as HTTPS in production', async () => {
    expect(secure.url).toMatch(/^https:/);
    expect(await overTls(await create())).toMatchObject({ status: 202 });
  });

  it('asks nobody for a certificate whose webhook does not', async () => {
    const webhook = await create();
    for (const client of [undefined, known, forged])
      expect(await overTls(webhook, client)).toMatchObject({ status: 202 });
  });

  it.each([
    ['a fingerprint', () => ({ fingerprint: fingerprintOf(known) })],
    ['a subject', () => ({ subject: 'O=Acme\\, Inc.,CN=client-*' })],
    ['an alternative name', () => ({ name: 'DNS:*.partner.example' })],
    ['a URI', () => ({ name: 'URI:spiffe://acme/ns/*' })],
  ])('takes the certificate that fits %s, and no other', async (_, rule) => {
    const webhook = await create([rule()]);
    expect(await overTls(webhook, known)).toMatchObject({ status: 202 });
    const refused = [await overTls(webhook), await overTls(webhook, other), await overTls(webhook, forged)];
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401]);
  });

  it('answers a missing certificate and a wrong secret with the same words, and records why', async () => {
    const webhook = await create([{ subject: 'CN=client-1' }]);
    const detail = ({ body }: Answer): unknown => (JSON.parse(body) as { detail: unknown }).detail;
    const answers = [
      await overTls(webhook),
      await overTls(webhook, other),
      await overTls({ ...webhook, secret: 'wrong' }, known),
      await overTls({ ...webhook, secret: 'wrong' }),
    ];
    expect(new Set(answers.map(detail)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
    const codes = await pollUntil('recorded calls', async () => {
      const { webhook: read } = await plain.graphql<{ webhook: { calls: { nodes: { rejectionCode: string }[] } } }>(
        'query ($id: ID!) { webhook(id: $id) { calls { nodes { rejectionCode } } } }',
        { id: webhook.id },
      );
      return read.calls.nodes.length === 4 ? read.calls.nodes.map(({ rejectionCode }) => rejectionCode) : undefined;
    });
    expect(codes).toEqual(expect.arrayContaining(['CLIENT_CERTIFICATE_MISSING', 'CLIENT_CERTIFICATE_NOT_ALLOWED']));
  });

  it("believes nobody's header who is no proxy", async () => {
    const webhook = await create([{ fingerprint: fingerprintOf(known) }]);
    const headers = { 'x-client-cert': encodeURIComponent(known.cert), 'x-ssl-client-verify': 'SUCCESS' };
    expect(await overTls(webhook, undefined, headers)).toMatchObject({ status: 401 });
    expect(await overTls(webhook, other, headers)).toMatchObject({ status: 401 });
  });

  it.each([
    ['no such file', { TLS_CERT_FILE: '/nowhere.pem', TLS_KEY_FILE: server.keyFile }, 'TLS_CERT_FILE: /nowhere.pem'],
    [
      'another key',
      { TLS_CERT_FILE: server.certFile, TLS_KEY_FILE: known.keyFile },
      'are not a certificate and its key',
    ],
    ['no key', { TLS_CERT_FILE: server.certFile }, 'need each other'],
    [
      'an authority that is none',
      { TLS_CERT_FILE: server.certFile, TLS_KEY_FILE: server.keyFile, TLS_CLIENT_CA_FILE: server.keyFile },
      'TLS_CLIENT_CA_FILE',
    ],
    ['a subject that nobody vouches for', { CLIENT_CERT_SUBJECT_HEADER: 'X-S' }, 'CLIENT_CERT_VERIFY_HEADER'],
  ])('refuses to start with %s, in one line', async (_, settings, reason) => {
    const { code, stderr } = await runGatewayCommand(['start'], { ...databaseEnv(database.url), ...settings });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain('PRIVATE KEY');
  });
});

describe('a trusted proxy that verified a certificate', () => {
  const verified = { 'x-ssl-client-verify': 'SUCCESS' };
  const hash = fingerprintOf(known).replaceAll(':', '').toLowerCase();
  const base64 = known.cert.replaceAll(/-----[A-Z ]+-----|\s/g, '');

  it.each([
    ['percent-encoded PEM (nginx, AWS)', { 'x-client-cert': encodeURIComponent(known.cert) }],
    ['base64 alone (Traefik)', { 'x-client-cert': base64 }],
    ['base64 in colons (RFC 9440)', { 'x-client-cert': `:${base64}:` }],
    [
      "Envoy's facts",
      {
        'x-client-cert': `By=spiffe://x;Hash=${hash};Subject="CN=client-1,O=Acme\\, Inc.";URI=;DNS=eu.partner.example`,
      },
    ],
    ["the last of Envoy's elements", { 'x-client-cert': `Hash=${'0'.repeat(64)},Hash=${hash};Subject="CN=client-1"` }],
    ['a fingerprint', { 'x-ssl-client-fingerprint': hash }],
  ])('is believed in the form of %s', async (_, headers) => {
    const webhook = await create([{ fingerprint: fingerprintOf(known) }]);
    expect(await throughProxy(webhook, { ...verified, ...headers })).toBe(202);
  });

  it('is believed for a subject', async () => {
    const webhook = await create([{ subject: 'CN=client-1,O=Acme\\, Inc.' }]);
    expect(await throughProxy(webhook, { ...verified, 'x-ssl-client-s-dn': 'CN=client-1,O=Acme\\, Inc.' })).toBe(202);
    expect(await throughProxy(webhook, { ...verified, 'x-ssl-client-s-dn': 'CN=client-2,O=Acme\\, Inc.' })).toBe(401);
  });

  it.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['a certificate that it did not verify', { 'x-client-cert': encodeURIComponent(known.cert) }],
    ['one that failed', { 'x-client-cert': encodeURIComponent(known.cert), 'x-ssl-client-verify': 'FAILED:expired' }],
    ['another one', { 'x-client-cert': encodeURIComponent(other.cert), ...verified }],
    ['what is none', { 'x-client-cert': '%zz', ...verified }],
    ["an earlier element of Envoy's", { 'x-client-cert': `Hash=${hash},Hash=${'0'.repeat(64)}`, ...verified }],
    ['a fingerprint of SHA-1', { 'x-ssl-client-fingerprint': hash.slice(0, 40), ...verified }],
  ])('is refused with %s', async (_, headers) => {
    expect(await throughProxy(await create([{ fingerprint: fingerprintOf(known) }]), headers)).toBe(401);
  });
});

it("a certificate that comes in two headers, one of them perhaps the caller's, counts for nothing", async () => {
  const webhook = await create([{ fingerprint: fingerprintOf(known) }]);
  const value = encodeURIComponent(known.cert);
  const statusOf = async (...certificates: string[]): Promise<number> => {
    const headers = [
      ['Host', 'x'],
      ['Content-Type', 'application/json'],
      ['X-Webhook-Secret', webhook.secret],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-For', '192.0.2.1'],
      ['X-SSL-Client-Verify', 'SUCCESS'],
      ...certificates.map((certificate) => ['X-Client-Cert', certificate]),
    ].flat();
    const req = requestPlain(webhook.url, { method: 'POST', headers, agent: false });
    const answered = once(req, 'response');
    req.end('{}');
    const [res] = (await answered) as [IncomingMessage];
    res.resume();
    return res.statusCode!;
  };
  expect(await statusOf(value)).toBe(202);
  expect(await statusOf(value, value)).toBe(401);
});

describe('a TLS server', () => {
  let http: TestHttp;

  beforeAll(async () => {
    const tls = { cert: Buffer.from(server.cert), key: Buffer.from(server.key), ca: Buffer.from(authority.root.cert) };
    http = await openHttp({ tls, timeouts: { headersMs: 300, requestMs: 600, checkMs: 50 } });
  });

  const received = async (socket: Socket | TLSSocket): Promise<string> => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    await once(socket, 'close');
    return text;
  };

  const handshake = async (): Promise<TLSSocket> => {
    const socket = connectTls({ port: http.port, host: '127.0.0.1', ca: authority.root.cert });
    await once(socket, 'secureConnect');
    return socket;
  };

  it('answers what is malformed, and what is slow, as without TLS', async () => {
    const malformed = await handshake();
    malformed.write('GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n');
    expect(await received(malformed)).toMatch(/^HTTP\/1\.1 400 .*MALFORMED_REQUEST/s);
    const slow = await handshake();
    slow.write('GET / HTTP/1.1\r\n');
    expect(await received(slow)).toMatch(/^HTTP\/1\.1 408 .*REQUEST_TIMEOUT/s);
  });

  it('closes connections that begin no handshake, or none that is one', async () => {
    const silent = connectTcp(http.port, '127.0.0.1');
    expect(await received(silent)).toBe('');
    const clear = connectTcp(http.port, '127.0.0.1');
    clear.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await received(clear)).not.toContain('HTTP/1.1 200');
    const after = await handshake();
    after.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await received(after)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('does not wait for a handshake when it closes', async () => {
    const tls = { cert: Buffer.from(server.cert), key: Buffer.from(server.key) };
    const closing = await openHttp({ tls, timeouts: { headersMs: 60_000, requestMs: 60_000 } });
    const silent = connectTcp(closing.port, '127.0.0.1');
    await once(silent, 'connect');
    const closed = received(silent);
    await closing.close(50);
    expect(await closed).toBe('');
  });

  afterAll(() => http.close());
});

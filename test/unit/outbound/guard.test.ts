import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { OutboundClient } from '../../../src/outbound/outbound-client.js';
import { type DnsServer, openDnsServer } from '../../support/dns-server.js';
import { type Endpoint, openEndpoint } from '../../support/endpoint.js';
import {
  FORBIDDEN_ANSWERS,
  FORBIDDEN_HOSTS,
  FORBIDDEN_IPV4,
  type Spelling,
  trickUrls,
} from '../../support/forbidden-addresses.js';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncanary';

/** Stands for a public address: the one that the operator allows, so that a test without a network can reach it. */
const PUBLIC = '127.0.0.9';

let canary: Server;
let canaryPort: number;
let reached = 0;
let dns: DnsServer;
let guarded: OutboundClient;
let open: OutboundClient;
const refusals: string[] = [];

beforeAll(async () => {
  // On every address of this machine, over both families.
  canary = createServer((socket) => {
    reached += 1;
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(ANSWER));
  });
  canary.listen(0, '::');
  await once(canary, 'listening');
  const address = canary.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  canaryPort = address.port;
  dns = await openDnsServer();
  const { resolve } = dns;
  guarded = new OutboundClient({ allowedCidrs: [], resolve, onRefused: (origin) => refusals.push(origin) });
  open = new OutboundClient({ allowedCidrs: ['0.0.0.0/0', '::/0'], resolve });
});

afterAll(async () => {
  await guarded.close();
  await open.close();
  await dns.close();
  await new Promise((done) => canary.close(done));
});

afterEach(() => {
  reached = 0;
  refusals.length = 0;
});

/** What becomes of a request: `refused`, or whatever else. */
async function outcomeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'answered';
  } catch (error) {
    const { code, retryable, message } = error as { code?: string; retryable?: boolean; message: string };
    return code === 'OUTBOUND_REFUSED' && retryable === false ? 'refused' : (code ?? message);
  }
}

function request(client: OutboundClient, url: string): Promise<unknown> {
  const signal = new AbortController().signal;
  return client.request({ method: 'GET', url, headers: {}, signal, timeoutMs: 20_000, responseBytesMax: 1_000 });
}

/** Those of some URLs that a client does not refuse. */
async function notRefused(urls: readonly string[], send: (url: string) => Promise<unknown>): Promise<string[]> {
  const failed: string[] = [];
  for (const url of urls) {
    const outcome = await outcomeOf(send(url));
    if (outcome !== 'refused') failed.push(`${url}: ${outcome}`);
  }
  return failed;
}

const urlOf = ({ host }: Spelling): string => `http://${host}:${canaryPort}/`;

describe('the table of spellings', () => {
  it('has a thousand and more, no two alike', () => {
    expect(new Set(FORBIDDEN_HOSTS.map(({ host }) => host)).size).toBeGreaterThan(1_000);
    expect(FORBIDDEN_ANSWERS.length).toBeGreaterThan(300);
  });

  it('leads to the canary: a client that may go anywhere reaches it by many of them', async () => {
    dns.answer = (_name, type) => (type === 'A' ? [{ type, data: '127.0.0.1' }] : []);
    const loopback = FORBIDDEN_HOSTS.filter(
      ({ address, host, form }) =>
        (address.startsWith('127.') || address === '0.0.0.0') &&
        (!host.startsWith('[') || form.startsWith('IPv4-mapped')),
    );
    const missed = await notRefused(loopback.map(urlOf), (url) => request(open, url));
    const answered = missed.filter((line) => line.endsWith(': answered'));
    expect(answered.length).toBeGreaterThan(150);
    expect(reached).toBe(answered.length);
  });
});

describe('the guard refuses, and nothing reaches the canary,', () => {
  it.each([
    ['request', (url: string) => request(guarded, url)],
    ['fetch', (url: string) => guarded.fetch(url)],
    ['fetch that follows', (url: string) => guarded.fetch(url, { redirect: 'follow' })],
    [
      'fetch that trusts another origin',
      (url: string) => guarded.fetchWith({ trustedOrigins: ['http://127.0.0.1:1'] })(url),
    ],
  ])('every spelling in a URL, by %s', async (_what, send) => {
    // What is no address is a name, and every name leads inside.
    dns.answer = (_name, type) => [{ type, data: type === 'A' ? '127.0.0.1' : '::1' }];
    expect(await notRefused(FORBIDDEN_HOSTS.map(urlOf), send)).toEqual([]);
    expect(refusals).toHaveLength(FORBIDDEN_HOSTS.length);
    expect(reached).toBe(0);
  });

  it('URLs that are read otherwise than they look', async () => {
    dns.answer = (_name, type) => [{ type, data: type === 'A' ? '127.0.0.1' : '::1' }];
    const urls = trickUrls(`127.0.0.1:${canaryPort}`);
    expect(await notRefused(urls, (url) => request(guarded, url))).toEqual([]);
    expect(await notRefused(urls, (url) => guarded.fetch(url))).toEqual([]);
    expect(reached).toBe(0);
    // Some of them do lead to it.
    const plain = urls.filter((url) => !url.startsWith('https:'));
    const answered = (await notRefused(plain, (url) => request(open, url))).filter((line) => line.endsWith('answered'));
    expect(answered.length).toBeGreaterThan(10);
    expect(reached).toBe(answered.length);
  });

  it('every forbidden address that a name resolves to', async () => {
    const answers = new Map(FORBIDDEN_ANSWERS.map((address, i) => [`n${i}.test`, address]));
    dns.answer = (name, type) => {
      const data = answers.get(name) ?? '';
      return data.includes(':') === (type === 'AAAA') ? [{ type, data }] : [];
    };
    const urls = [...answers.keys()].map((name) => `http://${name}:${canaryPort}/`);
    const before = dns.questions.length;
    expect(await notRefused(urls, (url) => request(guarded, url))).toEqual([]);
    expect(dns.questions.length - before).toBe(2 * urls.length);
    expect(await notRefused(urls, (url) => guarded.fetch(url))).toEqual([]);
    expect(reached).toBe(0);
  });

  it('every forbidden address among others, wherever it stands', async () => {
    const urls = FORBIDDEN_IPV4.flatMap((_, i) =>
      [0, 1, 2].map((place) => `http://n${i}-${place}.test:${canaryPort}/`),
    );
    dns.answer = (name, type) => {
      const [, i = '', place = ''] = /^n(\d+)-(\d)/.exec(name) ?? [];
      const data = ['93.184.215.14', '1.1.1.1'].toSpliced(Number(place), 0, FORBIDDEN_IPV4[Number(i)]!);
      return type === 'A' ? data.map((one) => ({ type, data: one })) : [{ type, data: '2606:4700::1111' }];
    };
    expect(await notRefused(urls, (url) => request(guarded, url))).toEqual([]);
    dns.answer = (_name, type) => [type === 'A' ? { type, data: '1.1.1.1' } : { type, data: '::1' }];
    expect(await notRefused(urls.slice(0, 3), (url) => request(guarded, url))).toEqual([]);
    expect(reached).toBe(0);
  });

  it('a name behind another name', async () => {
    dns.answer = (name, type) =>
      type === 'A'
        ? [
            { type: 'CNAME', data: 'middle.test', ttl: 300 },
            { type: 'CNAME', name: 'middle.test', data: 'inside.test', ttl: 300 },
            { type, name: 'inside.test', data: '127.0.0.1', ttl: name === 'long.test' ? 300 : 0 },
          ]
        : [];
    const urls = ['alias.test', 'long.test'].map((name) => `http://${name}:${canaryPort}/`);
    expect(await notRefused(urls, (url) => request(guarded, url))).toEqual([]);
    expect(await notRefused(urls, (url) => guarded.fetch(url))).toEqual([]);
    expect(reached).toBe(0);
    expect(await outcomeOf(request(open, urls[0]!))).toBe('answered');
  });
});

describe('a name that changes its mind', () => {
  let publicServer: Endpoint;
  let client: OutboundClient;

  beforeAll(async () => {
    publicServer = await openEndpoint(PUBLIC);
    client = new OutboundClient({ allowedCidrs: [`${PUBLIC}/32`], resolve: dns.resolve });
  });

  afterAll(async () => {
    await client.close();
    await publicServer.close();
  });

  it('is asked once a connection, and the address that was checked is the one that is dialled', async () => {
    const answers = [PUBLIC, '127.0.0.1', '127.0.0.1', '127.0.0.1'];
    dns.answer = (_name, type) => (type === 'A' ? [{ type, data: answers.shift() ?? '127.0.0.1' }] : []);
    const before = dns.questions.length;
    // The canary listens on every address: only the public one may be dialled.
    const seen = new Set<string | undefined>();
    const note = (socket: { localAddress?: string | undefined }): void => void seen.add(socket.localAddress);
    canary.on('connection', note);
    expect(await outcomeOf(request(client, `http://rebind.test:${canaryPort}/`))).toBe('answered');
    canary.off('connection', note);
    expect([...seen]).toEqual([`::ffff:${PUBLIC}`]);
    expect(dns.questions.slice(before)).toHaveLength(2);
    expect(await outcomeOf(request(client, `http://rebind.test:${canaryPort}/`))).toBe('refused');
    expect(await outcomeOf(client.fetch(`http://rebind.test:${canaryPort}/`))).toBe('refused');
    expect(reached).toBe(1);
  });

  it('is refused from its next connection on, although the last one went well', async () => {
    publicServer.answer = (response) => response.writeHead(200, { connection: 'close' }).end('public');
    let inside = false;
    dns.answer = (_name, type) => (type === 'A' ? [{ type, data: inside ? '127.0.0.1' : PUBLIC }] : []);
    const url = `http://rebind.test:${publicServer.port}/`;
    expect(await outcomeOf(request(client, url))).toBe('answered');
    inside = true;
    expect(await outcomeOf(request(client, url))).toBe('refused');
    expect(await outcomeOf(client.fetch(url))).toBe('refused');
    inside = false;
    expect(await outcomeOf(request(client, url))).toBe('answered');
    expect(publicServer.connections).toBe(2);
  });

  it.each([301, 302, 303, 307, 308])('cannot do by a redirect, %i, what it cannot do itself', async (status) => {
    dns.answer = (_name, type) => (type === 'A' ? [{ type, data: '127.0.0.1' }] : []);
    const hosts = ['127.0.0.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', 'inside.test', '169.254.169.254'];
    for (const host of hosts) {
      const location = `http://${host}:${canaryPort}/`;
      publicServer.answer = (response) => response.writeHead(status, { location }).end();
      const url = `http://${PUBLIC}:${publicServer.port}/`;
      expect(await request(client, url)).toMatchObject({ status, headers: { location } });
      expect((await client.fetch(url, { redirect: 'follow' })).status).toBe(status);
      expect(await outcomeOf(client.fetch(url, { redirect: 'error' }))).toBe('fetch failed');
      expect(await outcomeOf(client.fetch(url, { method: 'POST', body: 'x' }))).toBe('answered');
    }
    expect(reached).toBe(0);
  });
});

describe('what the operator allows', () => {
  it.each([
    ['127.0.0.1/32', '127.0.0.1'],
    ['127.0.0.0/8', '127.1.2.3'],
    ['::1/128', '[::1]'],
  ])('%s is reached, in a URL and by a name, and nothing else is', async (cidr, host) => {
    const client = new OutboundClient({ allowedCidrs: [cidr], resolve: dns.resolve });
    const data = host.replace(/[[\]]/g, '');
    dns.answer = (_name, type) => (data.includes(':') === (type === 'AAAA') ? [{ type, data }] : []);
    expect(await outcomeOf(request(client, `http://${host}:${canaryPort}/`))).toBe('answered');
    expect(await outcomeOf(client.fetch(`http://inside.test:${canaryPort}/`))).toBe('answered');
    expect(reached).toBe(2);
    const others = FORBIDDEN_HOSTS.filter(({ address }) => !address.startsWith('127.') && address !== '::1');
    dns.answer = (_name, type) => (type === 'A' ? [{ type, data: '10.0.0.1' }] : []);
    expect(await notRefused(others.map(urlOf), (url) => request(client, url))).toEqual([]);
    expect(reached).toBe(2);
    await client.close();
  });
});

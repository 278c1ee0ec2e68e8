import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { OutboundClientOptions, OutboundRequest } from '../../../src/outbound/outbound-client.js';
import { OutboundClient } from '../../../src/outbound/outbound-client.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function client(options: Partial<OutboundClientOptions> = {}): OutboundClient {
  const made = new OutboundClient({ allowedCidrs: [], ...options });
  closers.push(() => made.close());
  return made;
}

async function listen(listener: RequestListener, host = '127.0.0.1'): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function get(url: string, more: Partial<OutboundRequest> = {}): OutboundRequest {
  return {
    method: 'GET',
    url,
    headers: {},
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    responseBytesMax: 1_000_000,
    ...more,
  };
}

const REFUSED = expect.objectContaining({ code: 'OUTBOUND_REFUSED', retryable: false });

describe('OutboundClient refuses', () => {
  it.each([
    ['127.0.0.1'],
    ['127.1'],
    ['127.0.1'],
    ['2130706433'],
    ['0x7f000001'],
    ['0x7f.0x0.0x0.0x1'],
    ['0177.0.0.1'],
    ['017700000001'],
    ['0x7f.1'],
    ['127.0.0.1.'],
    ['%31%32%37.0.0.1'],
    ['①②⑦.⓪.⓪.①'],
    ['127。0。0。1'],
    ['0'],
    ['0.0.0.0'],
    ['[::]'],
    ['[::1]'],
    ['[0:0:0:0:0:0:0:1]'],
    ['[0000:0000:0000:0000:0000:0000:0000:0001]'],
    ['[::ffff:127.0.0.1]'],
    ['[::ffff:7f00:1]'],
    ['[::127.0.0.1]'],
    ['[64:ff9b::127.0.0.1]'],
    ['[2002:7f00:1::]'],
    ['169.254.169.254'],
    ['[fd00:ec2::254]'],
    ['localhost'],
    ['LOCALHOST'],
  ])('loopback and metadata written as %s, although a server listens', async (host) => {
    let reached = 0;
    const port = await listen((_request, response) => {
      reached += 1;
      response.end();
    });
    await expect(client().request(get(`http://${host}:${port}/`))).rejects.toEqual(REFUSED);
    expect(reached).toBe(0);
  });

  it.each([
    ['a file', 'file:///etc/passwd'],
    ['another scheme', 'ftp://example.com/'],
    ['data', 'data:text/plain,x'],
    ['user name and password', 'http://user:password@example.com/'],
    ['no URL', 'example.com'],
    ['a zone', 'http://[fe80::1%25lo]/'],
    ['a port that is none', 'http://example.com:99999/'],
  ])('%s', async (_what, url) => {
    await expect(client().request(get(url))).rejects.toEqual(REFUSED);
  });

  it('a name of which only one address is inside', async () => {
    const resolve = async () => [
      { address: '93.184.215.14', family: 4 },
      { address: '10.0.0.7', family: 4 },
    ];
    await expect(client({ resolve }).request(get('http://example.com/'))).rejects.toEqual(REFUSED);
  });

  it('to be rebound: a name is resolved once, and what was checked is dialled', async () => {
    let lookups = 0;
    let reached = 0;
    const port = await listen((_request, response) => {
      reached += 1;
      response.end('inside');
    });
    // First an address that is allowed and where nothing listens, then loopback.
    const resolve = async () => {
      lookups += 1;
      return [{ address: lookups === 1 ? '127.0.0.9' : '127.0.0.1', family: 4 }];
    };
    const outbound = client({ resolve, allowedCidrs: ['127.0.0.9/32'] });
    await expect(outbound.request(get(`http://rebind.test:${port}/`))).rejects.toMatchObject({
      code: 'HTTP_WORKER_UNREACHABLE',
    });
    expect(lookups).toBe(1);
    await expect(outbound.request(get(`http://rebind.test:${port}/`))).rejects.toEqual(REFUSED);
    expect(reached).toBe(0);
  });

  it('to follow a redirect to an address inside', async () => {
    const visited: string[] = [];
    const port = await listen((request, response) => {
      visited.push(request.url ?? '');
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
    });
    const response = await client({ allowedCidrs: ['127.0.0.0/8'] }).request(get(`http://127.0.0.1:${port}/first`));
    expect(response.status).toBe(302);
    expect(visited).toEqual(['/first']);
  });
});

describe('OutboundClient', () => {
  const loopback = { allowedCidrs: ['127.0.0.0/8'] };

  it('sends method, path, headers and body, with the name as Host, to the address that it resolved to', async () => {
    const port = await listen((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        response.setHeader(
          'x-seen',
          `${request.method} ${request.url} ${request.headers.host} ${String(request.headers['x-a'])}`,
        );
        response.end(Buffer.concat(chunks));
      });
    });
    const outbound = client({ ...loopback, resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    const response = await outbound.request(
      get(`http://erp.test:${port}/a/b?c=d`, { method: 'PUT', headers: { 'x-a': '1' }, body: '{"n":1}' }),
    );
    expect(response).toMatchObject({ status: 200, truncated: false });
    expect(response.headers['x-seen']).toBe(`PUT /a/b?c=d erp.test:${port} 1`);
    expect(response.body.toString()).toBe('{"n":1}');
  });

  it('tells a TLS server the name that was asked for, not the address that it dials', async () => {
    const hello = Promise.withResolvers<Buffer>();
    const server = createTcpServer((socket) => {
      socket.once('data', (bytes) => {
        hello.resolve(bytes);
        socket.destroy();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const { port } = server.address() as AddressInfo;
    const outbound = client({ ...loopback, resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    await expect(outbound.request(get(`https://erp.test:${port}/`))).rejects.toMatchObject({
      code: 'HTTP_WORKER_UNREACHABLE',
    });
    const first = await hello.promise;
    expect(first[0]).toBe(22); // a TLS handshake
    expect(first.includes('erp.test')).toBe(true);
    expect(first.includes('127.0.0.1')).toBe(false);
  });

  it('knows no proxy of the environment', async () => {
    const port = await listen((_request, response) => response.end('direct'));
    process.env['HTTP_PROXY'] = 'http://127.0.0.1:9';
    process.env['NODE_USE_ENV_PROXY'] = '1';
    try {
      const response = await client(loopback).request(get(`http://127.0.0.1:${port}/`));
      expect(response.body.toString()).toBe('direct');
    } finally {
      delete process.env['HTTP_PROXY'];
      delete process.env['NODE_USE_ENV_PROXY'];
    }
  });

  it('reads no more than the cap and says so', async () => {
    const port = await listen((_request, response) => {
      const send = (): void => {
        while (response.writable && response.write('x'.repeat(10_000)));
      };
      response.on('drain', send);
      send();
    });
    const response = await client(loopback).request(get(`http://127.0.0.1:${port}/`, { responseBytesMax: 25_000 }));
    expect(response.truncated).toBe(true);
    expect(response.body).toHaveLength(25_000);
  });

  it('does not call a body of exactly the cap truncated', async () => {
    const port = await listen((_request, response) => response.end('x'.repeat(100)));
    const response = await client(loopback).request(get(`http://127.0.0.1:${port}/`, { responseBytesMax: 100 }));
    expect(response).toMatchObject({ truncated: false, body: expect.objectContaining({ length: 100 }) });
  });

  it('gives up after its time, before or within the body', async () => {
    const port = await listen((request, response) => {
      if (request.url === '/body') response.write('a');
    });
    for (const path of ['/silent', '/body']) {
      await expect(
        client(loopback).request(get(`http://127.0.0.1:${port}${path}`, { timeoutMs: 100 })),
      ).rejects.toMatchObject({
        code: 'HTTP_WORKER_UNREACHABLE',
        retryable: true,
        message: expect.stringContaining('in time'),
      });
    }
  });

  it('gives up on a name that is not answered, long before its time is over', async () => {
    const resolve = (): Promise<never> => new Promise(() => undefined);
    const outbound = client({ resolve, connectTimeoutMs: 100 });
    await expect(outbound.request(get('http://silent.test/'))).rejects.toMatchObject({
      code: 'HTTP_WORKER_UNREACHABLE',
      retryable: true,
      message: 'The endpoint could not be reached: no connection in time.',
    });
  });

  it('ends with the reason of its signal', async () => {
    const abort = new AbortController();
    const port = await listen(() => abort.abort(new Error('canceled by its owner')));
    await expect(client(loopback).request(get(`http://127.0.0.1:${port}/`, { signal: abort.signal }))).rejects.toThrow(
      'canceled by its owner',
    );
  });

  it('says what was wrong when nothing listens', async () => {
    const outbound = client(loopback);
    await expect(outbound.request(get('http://127.0.0.1:1/'))).rejects.toMatchObject({
      code: 'HTTP_WORKER_UNREACHABLE',
      retryable: true,
      message: 'The endpoint could not be reached: ECONNREFUSED.',
    });
  });

  it('is retryable when a name does not resolve', async () => {
    const resolve = () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }));
    await expect(client({ resolve }).request(get('http://nowhere.test/'))).rejects.toMatchObject({
      code: 'HTTP_WORKER_UNREACHABLE',
      retryable: true,
      message: 'The endpoint could not be reached: ENOTFOUND.',
    });
  });
});

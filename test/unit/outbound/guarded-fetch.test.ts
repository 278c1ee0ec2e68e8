import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { OutboundClient, type OutboundClientOptions } from '../../../src/outbound/outbound-client.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function client(options: Partial<OutboundClientOptions> = {}): OutboundClient {
  const made = new OutboundClient({ allowedCidrs: ['127.0.0.0/8'], ...options });
  closers.push(() => made.close());
  return made;
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

/** Answers with what it was sent. */
const mirror: RequestListener = (request, response) => {
  void bodyOf(request).then((body) => {
    const { method, url, headers } = request;
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ method, url, headers, body }));
  });
};

const REFUSED = expect.objectContaining({ code: 'OUTBOUND_REFUSED', retryable: false });

describe('OutboundClient.fetch', () => {
  it('sends and reads as a fetch does', async () => {
    const origin = await listen(mirror);
    const init = { method: 'POST', headers: new Headers({ 'x-a': '1' }), body: '{"n":1}' };
    const response = await client().fetch(new URL('/a?b=c', origin), init);
    expect(response).toMatchObject({ status: 201, ok: true });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({
      method: 'POST',
      url: '/a?b=c',
      headers: { 'x-a': '1', 'content-length': '7' },
      body: '{"n":1}',
    });
  });

  it('takes the global Request, FormData and a stream', async () => {
    const origin = await listen(mirror);
    const { fetch } = client();
    const request = new Request(`${origin}/r`, { method: 'PUT', headers: { 'x-a': '1' }, body: 'whole' });
    expect(await (await fetch(request)).json()).toMatchObject({
      method: 'PUT',
      url: '/r',
      headers: { 'x-a': '1' },
      body: 'whole',
    });
    const form = new FormData();
    form.set('file', new Blob(['content']), 'a.txt');
    const posted = (await (await fetch(origin, { method: 'POST', body: form })).json()) as { body: string };
    expect(posted.body).toContain('filename="a.txt"');
    const body = new Blob(['streamed']).stream();
    const streamed = await fetch(origin, { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(await streamed.json()).toMatchObject({ body: 'streamed' });
  });

  it('gives the body while it is still being sent', async () => {
    let finish = (): void => undefined;
    const origin = await listen((_request, response) => {
      response.write('first');
      finish = () => response.end('last');
    });
    const response = await client().fetch(origin);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('first');
    finish();
    expect((await reader.read()).value).toBe('last');
    expect((await reader.read()).done).toBe(true);
  });

  it('ends with its signal, and the connection with it', async () => {
    const abort = new AbortController();
    const closed = Promise.withResolvers<void>();
    const origin = await listen((request, response) => {
      request.socket.once('close', () => closed.resolve());
      response.write('first');
    });
    const response = await client().fetch(origin, { signal: abort.signal });
    abort.abort(new Error('canceled by its owner'));
    await expect(response.text()).rejects.toThrow('canceled by its owner');
    await closed.promise;
    await expect(client().fetch(origin, { signal: abort.signal })).rejects.toThrow('canceled by its owner');
  });

  it.each([301, 302, 303, 307, 308])('does not follow a %i, whatever it is told', async (status) => {
    const visited: (string | undefined)[] = [];
    const origin = await listen((request, response) => {
      visited.push(request.url);
      response.writeHead(status, { location: '/inside' }).end();
    });
    const { fetch } = client();
    for (const redirect of ['follow', 'manual', undefined] as const) {
      const response = await fetch(`${origin}/first`, redirect === undefined ? {} : { redirect });
      expect(response.status).toBe(status);
      expect(response.headers.get('location')).toBe('/inside');
    }
    await expect(fetch(`${origin}/first`, { redirect: 'error' })).rejects.toThrow(TypeError);
    expect(visited).toEqual(Array(4).fill('/first'));
  });

  it.each([
    ['http://127.0.0.1:2/'],
    ['http://169.254.169.254/latest'],
    ['http://localhost/'],
    ['http://user:password@example.com/'],
    ['data:text/plain,x'],
    ['file:///etc/passwd'],
    ['/relative'],
  ])('refuses %s with the error of all requests, once', async (url) => {
    const refusals: string[] = [];
    const outbound = client({ allowedCidrs: [], onRefused: (origin) => refusals.push(origin) });
    await expect(outbound.fetch(url)).rejects.toEqual(REFUSED);
    expect(refusals).toEqual([URL.parse(url)?.origin ?? 'null']);
    expect(refusals.join()).not.toContain('password');
  });

  it('is a TypeError when nobody listens, as libraries expect', async () => {
    const failed = client().fetch('http://127.0.0.1:2/');
    await expect(failed).rejects.toThrow(TypeError);
    await expect(failed).rejects.toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNREFUSED' } });
  });

  it('reads as much as it may and fails at one byte more', async () => {
    const origin = await listen((_request, response) => response.end('x'.repeat(100)));
    const just = await client().fetchWith({ responseBytesMax: 100 })(origin);
    expect(await just.text()).toHaveLength(100);
    const over = await client().fetchWith({ responseBytesMax: 99 })(origin);
    await expect(over.text()).rejects.toMatchObject({ code: 'OUTBOUND_RESPONSE_TOO_LARGE' });
  });

  it('stops reading an endless body at its limit', async () => {
    const closed = Promise.withResolvers<void>();
    const origin = await listen((request, response) => {
      request.socket.once('close', () => closed.resolve());
      const send = (): void => {
        while (response.writable && response.write('x'.repeat(10_000)));
      };
      response.on('drain', send);
      send();
    });
    const response = await client().fetchWith({ responseBytesMax: 25_000 })(origin);
    await expect(response.text()).rejects.toMatchObject({ code: 'OUTBOUND_RESPONSE_TOO_LARGE' });
    await closed.promise;
  });
});

describe('trusted origins', () => {
  it('are dialled wherever they are, for this fetch only', async () => {
    const origin = await listen(mirror);
    const outbound = client({ allowedCidrs: [] });
    const trusting = outbound.fetchWith({ trustedOrigins: [`${origin}/v1`] });
    expect((await trusting(`${origin}/v1/models`)).status).toBe(201);
    // The connection that is open now must not serve a request that nobody trusts.
    await expect(outbound.fetch(`${origin}/v1/models`)).rejects.toEqual(REFUSED);
    await expect(
      outbound.request({
        method: 'GET',
        url: origin,
        headers: {},
        signal: new AbortController().signal,
        timeoutMs: 10_000,
        responseBytesMax: 1_000,
      }),
    ).rejects.toEqual(REFUSED);
  });

  it('are whole origins: another port, scheme or spelling is not one', async () => {
    const origin = await listen(mirror);
    const { port } = new URL(origin);
    const trusting = client({ allowedCidrs: [] }).fetchWith({ trustedOrigins: [origin] });
    for (const other of ['http://127.0.0.1:2', `https://127.0.0.1:${port}`, `http://localhost:${port}`]) {
      await expect(trusting(other)).rejects.toEqual(REFUSED);
    }
  });
});

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatId, newRandomUuid } from '../../src/lib/ids.js';
import { exchange, openHttp, recordingAccept, type RawAnswer, type TestHttp } from '../support/http.js';

const path = `/api/v1/webhooks/${formatId('webhook', newRandomUuid())}`;
const BODY_BYTES_MAX = 1024;

let http: TestHttp;
const accept = recordingAccept({ type: 'not-found' });

beforeAll(async () => {
  http = await openHttp({ ingress: accept, bodyBytesMax: BODY_BYTES_MAX });
});

afterAll(() => http.close());

/** The text of a POST; `headers` stand as they are. */
function post(headers: readonly string[], body = ''): string {
  return [`POST ${path} HTTP/1.1`, ...headers, '', body].join('\r\n');
}

const HOST = 'Host: localhost';
const CLOSE = 'Connection: close';

function expectProblem(answer: RawAnswer, status: number, code: string): void {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('connection')).toBe('close');
  expect(JSON.parse(answer.body)).toMatchObject({ success: false, status, code });
  expect(JSON.parse(answer.body).requestId).toBe(answer.headers.get('x-request-id'));
  expect(answer.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
}

/** How many calls got through while `work` ran. */
async function accepted(work: Promise<unknown>): Promise<number> {
  const before = accept.calls.length;
  await work;
  return accept.calls.length - before;
}

describe('a request in shapes that smuggle others', () => {
  it.each([
    ['two Content-Lengths', [HOST, 'Content-Length: 2', 'Content-Length: 40'], '{}'],
    ['a list of Content-Lengths', [HOST, 'Content-Length: 2, 40'], '{}'],
    ['a Content-Length that is no number', [HOST, 'Content-Length: +2'], '{}'],
    ['Content-Length beside Transfer-Encoding', [HOST, 'Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['an unknown last Transfer-Encoding', [HOST, 'Transfer-Encoding: chunked, gzip'], '0\r\n\r\n'],
    ['a chunk size that is no number', [HOST, 'Transfer-Encoding: chunked'], 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a space before the colon', [HOST, 'Content-Length : 2'], '{}'],
    ['a folded header', [HOST, 'X-A: 1', ' Content-Length: 2'], '{}'],
    ['two Hosts', [HOST, 'Host: other', CLOSE], ''],
    ['the same Host twice', [HOST, 'host: localhost', CLOSE], ''],
    ['no Host', [CLOSE], ''],
    ['a Host that is none', ['Host: a b/<c>', CLOSE], ''],
  ])('answers %s with 400', async (_, headers, body) => {
    const answer = exchange(http.port, post(headers, body));
    expect(await accepted(answer)).toBe(0);
    expectProblem(await answer, 400, 'MALFORMED_REQUEST');
  });

  it.each([
    ['a bare line feed', `POST ${path} HTTP/1.1\nHost: x\n\n`],
    ['an unknown method', `HACK ${path} HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['no HTTP at all', '\u0016\u0003\u0001\u0002\u0000\u0001'],
    ['an unknown version', `POST ${path} HTTP/3.7\r\n${HOST}\r\n\r\n`],
    ['a NUL in a header', `POST ${path} HTTP/1.1\r\n${HOST}\r\nX-A: \u0000\r\n\r\n`],
    ['a target without a path', `POST ftp://host/ HTTP/1.1\r\n${HOST}\r\n${CLOSE}\r\n\r\n`],
  ])('answers %s with 400', async (_, text) => {
    expectProblem(await exchange(http.port, text), 400, 'MALFORMED_REQUEST');
  });

  it('takes HTTP/1.0 without a Host', async () => {
    const answer = exchange(http.port, post(['Content-Length: 2'], '{}').replace('HTTP/1.1', 'HTTP/1.0'));
    expect(await accepted(answer)).toBe(1);
    expect((await answer).status).toBe(404);
  });

  it('takes a target in absolute form and a chunked body', async () => {
    const text = post([HOST, CLOSE, 'Transfer-Encoding: chunked'], '2\r\n{}\r\n0\r\n\r\n');
    const answer = exchange(http.port, text.replace(path, `http://localhost${path}?a=1`));
    expect(await accepted(answer)).toBe(1);
    expect((await answer).status).toBe(404);
    expect(accept.calls.at(-1)!.body.toString()).toBe('{}');
    expect(`/api/v1/webhooks/${accept.calls.at(-1)!.webhookId}`).toBe(path);
  });
});

describe('a request that is too large', () => {
  it('gets 431 for its headers', async () => {
    const answer = await exchange(http.port, post([HOST, `X-A: ${'a'.repeat(20_000)}`]));
    expectProblem(answer, 431, 'HEADERS_TOO_LARGE');
  });

  it('gets 413 by its Content-Length, before the body', async () => {
    const answer = exchange(http.port, post([HOST, `Content-Length: ${BODY_BYTES_MAX + 1}`]));
    expect(await accepted(answer)).toBe(0);
    expectProblem(await answer, 413, 'PAYLOAD_TOO_LARGE');
  });

  it('gets 413 while it keeps sending far more', async () => {
    const flood = Buffer.alloc(4 * 1_048_576, ' ');
    const answer = exchange(http.port, post([HOST, `Content-Length: ${flood.length}`]), flood);
    expect(await accepted(answer)).toBe(0);
    expectProblem(await answer, 413, 'PAYLOAD_TOO_LARGE');
  });

  it('gets 413 although it reads only once it has sent all', async () => {
    const socket = connect(http.port, '127.0.0.1').pause();
    const closed = once(socket, 'close'); // rejects when the server resets the connection
    const part = Buffer.alloc(100_000, ' ');
    socket.write(post([HOST, `Content-Length: ${5 * part.length}`]));
    for (let sent = 0; sent < 5; sent += 1) {
      await fetch(`http://127.0.0.1:${http.port}/healthz`); // the server has had its turn
      await new Promise((resolve) => socket.write(part, resolve));
    }
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.resume();
    await closed;
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('gets 413 when a chunked body passes the limit', async () => {
    const chunk = `${BODY_BYTES_MAX.toString(16)}\r\n${' '.repeat(BODY_BYTES_MAX)}\r\n`;
    const answer = exchange(http.port, post([HOST, 'Transfer-Encoding: chunked'], chunk + chunk));
    expect(await accepted(answer)).toBe(0);
    expectProblem(await answer, 413, 'PAYLOAD_TOO_LARGE');
  });

  it('is taken up to the last byte of the limit', async () => {
    const body = ' '.repeat(BODY_BYTES_MAX);
    const answer = exchange(http.port, post([HOST, CLOSE, `Content-Length: ${body.length}`], body));
    expect(await accepted(answer)).toBe(1);
    expect(accept.calls.at(-1)!.body).toHaveLength(BODY_BYTES_MAX);
  });

  it('is refused before it is sent when it asks first', async () => {
    const headers = [HOST, 'Expect: 100-continue', `Content-Length: ${BODY_BYTES_MAX + 1}`];
    const answer = await exchange(http.port, post(headers));
    expectProblem(answer, 413, 'PAYLOAD_TOO_LARGE');
    expect(answer.text).not.toContain('100 Continue');
  });

  it('is told to go on when it asks first and fits', async () => {
    const answer = await exchange(http.port, post([HOST, CLOSE, 'Expect: 100-continue', 'Content-Length: 2'], '{}'));
    expect(answer.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 404 /);
  });
});

describe('a request that is too slow', () => {
  let hasty: TestHttp;
  beforeAll(async () => {
    hasty = await openHttp({ ingress: accept, timeouts: { headersMs: 50, requestMs: 100, checkMs: 10 } });
  });
  afterAll(() => hasty.close());

  it('gets 408 when its headers do not arrive', async () => {
    expectProblem(await exchange(hasty.port, `POST ${path} HTTP/1.1\r\nHost: local`), 408, 'REQUEST_TIMEOUT');
  });

  it('gets 408 when its body does not arrive', async () => {
    const answer = exchange(hasty.port, post([HOST, 'Content-Length: 10'], '{"a":'));
    expect(await accepted(answer)).toBe(0);
    expectProblem(await answer, 408, 'REQUEST_TIMEOUT');
  });

  it('is not slow while it waits for its answer', async () => {
    let finish = (): void => undefined;
    const slow = await openHttp({
      ingress: {
        acceptCall: () => new Promise((resolve) => (finish = () => resolve({ type: 'not-found' }))),
      },
      timeouts: { headersMs: 100, requestMs: 100, checkMs: 10, keepAliveMs: 5 },
    });
    const answer = exchange(slow.port, post([HOST, CLOSE, 'Content-Length: 2'], '{}'));
    // A second request on the same server is cut by the clock: by then the first one is over its time as well.
    expect((await exchange(slow.port, 'POST /')).status).toBe(408);
    finish();
    expect((await answer).status).toBe(404);
    await slow.close();
  });
});

describe('the ingress path', () => {
  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('answers %s with 405 and what is allowed', async (method) => {
    const answer = await exchange(http.port, post([HOST, CLOSE]).replace('POST', method));
    expectProblem(answer, 405, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.get('allow')).toBe('POST');
  });

  it('keeps headers that were sent twice, in order', async () => {
    await exchange(http.port, post([HOST, CLOSE, 'X-A: 1', 'X-B: 2', 'x-a: 3', 'Content-Length: 2'], '{}'));
    const { rawHeaders, sourceIp, isTest } = accept.calls.at(-1)!;
    expect(rawHeaders.slice(4, 10)).toEqual(['X-A', '1', 'X-B', '2', 'x-a', '3']);
    expect({ sourceIp, isTest }).toEqual({ sourceIp: '127.0.0.1', isTest: false });
  });

  it('answers on one connection, one after the other', async () => {
    const one = post([HOST, 'Content-Length: 2'], '{}');
    const answer = exchange(http.port, one, one, post([HOST, CLOSE, 'Content-Length: 2'], '{}'));
    expect(await accepted(answer)).toBe(3);
    expect((await answer).text.match(/HTTP\/1\.1 404/g)).toHaveLength(3);
  });

  it('accepts nothing of an upload that is broken off', async () => {
    const before = accept.calls.length;
    const socket = connect(http.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(post([HOST, 'Content-Length: 10'], '{"a":'), () => socket.resetAndDestroy());
    await once(socket, 'close');
    expect((await exchange(http.port, post([HOST, CLOSE, 'Content-Length: 2'], '{}'))).status).toBe(404);
    expect(accept.calls).toHaveLength(before + 1);
  });

  it('ignores an offer of HTTP/2, as Java clients make it', async () => {
    const headers = [HOST, 'Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];
    const answer = exchange(http.port, post([...headers, 'Content-Length: 2'], '{}'));
    expect(await accepted(answer)).toBe(1);
    expect((await answer).status).toBe(404);
  });
});

import { createHmac } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseId } from '../../src/lib/ids.js';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { ask as askOn, bodyOf, expectProblem, pathOf, post, signatureOf } from '../support/raw-calls.js';
import { RawConnection, type WireAnswer } from '../support/raw-connection.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const BODY_BYTES_MAX = 1_048_576;

let database: TestDatabase;
let sql: pg.Pool;
let gateway: GatewayProcess;
let port: number;
let signed: CreatedWebhook;
let echo: CreatedWebhook;
let slowHeaders: Promise<Late>;
let slowBody: Promise<Late>;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  gateway = await startGatewayProcess({ env: { ...databaseEnv(database.url), WORKERS_DIR: 'test/support/workers' } });
  port = Number(new URL(gateway.url).port);
  signed = await createWebhook(gateway);
  echo = await createWebhook(gateway, { executionMode: 'SYNC' });
  // The gateway's own time-outs are awaited; they run while the other tests do.
  slowHeaders = drip(`POST ${pathOf(signed)} HTTP/1.1\r\nHost: x\r\nX-A: `);
  slowBody = drip(`POST ${pathOf(signed)} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{`);
});

afterAll(async () => {
  await sql.end();
  await gateway.end('SIGTERM');
  await database.drop();
});

interface Late {
  readonly answer: WireAnswer | undefined;
  readonly afterMs: number;
}

/** Sends a beginning and then a byte now and again, for ever; a server that only looks for silence never sees any. */
async function drip(beginning: string): Promise<Late> {
  const connection = await RawConnection.open(port);
  const startedMs = performance.now();
  connection.send(beginning);
  const timer = setInterval(() => connection.send(' '), 500);
  const answer = await connection.next().finally(() => clearInterval(timer));
  return { answer, afterMs: performance.now() - startedMs };
}

const ask = (...chunks: readonly (string | Uint8Array)[]): Promise<WireAnswer> => askOn(port, ...chunks);

/** How many calls of a webhook were accepted so far. */
async function storedCalls(webhook: CreatedWebhook): Promise<number> {
  const { rows } = await sql.query<{ n: number }>(
    'select count(*)::integer as n from calls where webhook_id = $1 and rejection_reason is null',
    [parseId('webhook', webhook.id)],
  );
  return rows[0]!.n;
}

async function storedBody(callId: string): Promise<Buffer> {
  const { rows } = await sql.query<{ request_body: Buffer }>('select request_body from calls where id = $1', [
    parseId('call', callId),
  ]);
  return rows[0]!.request_body;
}

const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('slow headers or body: 408 within 10–15 s', () => {
  it('for headers that drip in', async () => {
    const { answer, afterMs } = await slowHeaders;
    expectProblem(answer, 408, 'REQUEST_TIMEOUT');
    expect(afterMs).toBeGreaterThan(4_500);
    expect(afterMs).toBeLessThan(15_000);
  });

  it('for a body that drips in', async () => {
    const { answer, afterMs } = await slowBody;
    expectProblem(answer, 408, 'REQUEST_TIMEOUT');
    expect(afterMs).toBeGreaterThan(9_500);
    expect(afterMs).toBeLessThan(15_000);
  });
});

describe('too large: 413 without reading on', () => {
  it('by the announced length, with no body sent', async () => {
    const answer = await ask(post(signed, '', { headers: [`Content-Length: ${BODY_BYTES_MAX + 1}`] }));
    expectProblem(answer, 413, 'PAYLOAD_TOO_LARGE');
  });

  it('at the chunk that passes the limit, with no end of the body sent', async () => {
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
    const head = post(signed, '', { headers: ['Transfer-Encoding: chunked'] });
    expectProblem(await ask(head, ...Array.from({ length: 17 }, () => chunk)), 413, 'PAYLOAD_TOO_LARGE');
  });

  it('and 202 up to the last byte', async () => {
    const body = `{"a":"${'x'.repeat(BODY_BYTES_MAX - 8)}"}`;
    expect((await ask(post(signed, body))).status).toBe(202);
  });
});

describe('any Content-Encoding: 415', () => {
  it.each(['gzip', 'br', 'deflate', 'zstd', 'identity', 'aws-chunked', 'GZIP, identity', ''])(
    '%j',
    async (encoding) => {
      const answer = await ask(post(signed, '{}', { headers: [`Content-Encoding: ${encoding}`] }));
      expectProblem(answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
    },
  );

  it('also of a form, where the sender sends forms', async () => {
    const slack = await createWebhook(gateway, {
      authentication: { method: 'PROVIDER', provider: 'slack', secret: 'the-signing-secret-of-slack' },
    });
    const body = 'command=%2Fweather&text=94070';
    const time = String(Math.floor(Date.now() / 1_000));
    const mac = createHmac('sha256', slack.secret).update(`v0:${time}:${body}`).digest('hex');
    const form = (...more: readonly string[]): string =>
      [
        `POST ${pathOf(slack)} HTTP/1.1`,
        'Host: x',
        'Content-Type: application/x-www-form-urlencoded',
        `Content-Length: ${body.length}`,
        `X-Slack-Request-Timestamp: ${time}`,
        `X-Slack-Signature: v0=${mac}`,
        ...more,
        `\r\n${body}`,
      ].join('\r\n');
    expectProblem(await ask(form('Content-Encoding: gzip')), 415, 'UNSUPPORTED_MEDIA_TYPE');
    expect((await ask(form())).status).toBe(202);
  });
});

describe('invalid UTF-8, a BOM: 400', () => {
  it.each([
    ['a lone continuation byte', [0x80]],
    ['a lone lead byte', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong NUL', [0xe0, 0x80, 0x80]],
    ['a surrogate in UTF-8', [0xed, 0xa0, 0x80]],
    ['a character beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['a byte that UTF-8 never has', [0xff]],
    ['Latin-1', [0xfc]],
  ])('%s', async (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]);
    expectProblem(await ask(post(signed, body)), 400, 'MALFORMED_BODY');
  });

  it.each([
    ['UTF-8 with a BOM', Buffer.from('\ufeff{}')],
    ['UTF-16LE with a BOM', Buffer.from('\ufeff{}', 'utf16le')],
    ['UTF-16BE with a BOM', Buffer.from('\ufeff{}', 'utf16le').swap16()],
    ['UTF-16LE', Buffer.from('{}', 'utf16le')],
    ['UTF-32LE', Buffer.from('{\0\0\0}\0\0\0')],
  ])('%s', async (_, body) => {
    expectProblem(await ask(post(signed, body)), 400, 'MALFORMED_BODY');
  });
});

describe('nesting over 64: 400', () => {
  it.each([
    ['64 objects', nested(64), 202],
    ['65 objects', nested(65), 400],
    ['63 arrays in one object', `{"a":${'['.repeat(63)}${']'.repeat(63)}}`, 202],
    ['64 arrays in one object', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`, 400],
    ['a hundred thousand brackets that never close', `{"a":${'['.repeat(100_000)}`, 400],
    ['a hundred thousand brackets in a string', `{"a":"${'['.repeat(100_000)}"}`, 202],
  ])('%s', async (_, body, status) => {
    expect((await ask(post(signed, body))).status).toBe(status);
  });
});

const ODD_BUT_JSON: readonly (readonly [name: string, body: string])[] = [
  ['a NUL escape', String.raw`{"a":"\u0000","\u0000":1}`],
  ['lone surrogates', String.raw`{"a":"\ud800","b":"\udc00\ud800","\ud83d":1}`],
  ['numbers that lose precision', '{"a":12345678901234567890,"b":0.1000000000000000055511151231257827,"c":-0}'],
  ['numbers that overflow', `{"a":1e999,"b":-1E+999,"c":1e-999,"d":${'9'.repeat(400)}}`],
  ['duplicate keys', '{"a":1,"a":{"b":2},"a":3}'],
  ['__proto__ and constructor', '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'],
  ['keys of Object', '{"toString":1,"hasOwnProperty":2,"then":3,"toJSON":4,"valueOf":5}'],
  ['an empty key and white space', ' \t\r\n{ "" : [ ] } \n'],
];

describe('NUL escapes, lone surrogates, numbers beyond doubles, duplicate keys, __proto__: accepted, the bytes kept', () => {
  it.each(ODD_BUT_JSON)('%s', async (_, body) => {
    const answer = await ask(post(signed, body));
    expect(answer.status).toBe(202);
    expect((await storedBody(bodyOf(answer).callId!)).toString()).toBe(body);
  });

  it.each(ODD_BUT_JSON)('%s, through a worker and back', async (_, body) => {
    const answer = await ask(post(echo, body));
    expect(answer.status).toBe(200);
    // What JSON.parse makes of it, as a worker sees it: doubles, the last of the same keys.
    expect(bodyOf(answer).results![0]!.result).toEqual(JSON.parse(JSON.stringify(JSON.parse(body))));
  });

  it('and no prototype is touched', async () => {
    await ask(post(echo, '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'));
    const answer = await ask(post(echo, '{}'));
    expect(answer.body).not.toContain('polluted');
    expect(bodyOf(answer).results![0]!.result).toEqual({});
  });
});

describe('a scalar, an array, an empty body: 400', () => {
  it.each(['', ' ', '[]', '[{}]', '"a"', '1', '-0', 'true', 'null'])('%j', async (body) => {
    expectProblem(await ask(post(signed, body)), 400, 'MALFORMED_BODY');
  });
});

describe('a missing or other Content-Type: 415', () => {
  const withType = (line: string): Buffer => post(signed, '{}', { headers: [line] });

  it.each(['text/plain', 'text/json', 'application/x-www-form-urlencoded', 'application/jsonp', 'json', '', '*/*'])(
    '%j',
    async (type) => {
      expectProblem(await ask(withType(`Content-Type: ${type}`)), 415, 'UNSUPPORTED_MEDIA_TYPE');
    },
  );

  it('missing', async () => {
    const request = withType('Content-Type:').toString('latin1').replace('Content-Type:\r\n', '');
    expectProblem(await ask(request), 415, 'UNSUPPORTED_MEDIA_TYPE');
  });

  it.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset="utf-8"',
    'application/ld+json ; profile=x',
    'application/vnd.a-b.v1+json',
  ])('but 202 for %j', async (type) => {
    expect((await ask(withType(`Content-Type: ${type}`))).status).toBe(202);
  });
});

describe('smuggling shapes: 400, and nothing of what they hide is accepted', () => {
  it.each([
    ['Transfer-Encoding with a space before the colon', ['Content-Length: 0', 'Transfer-Encoding : chunked']],
    ['Transfer-Encoding after a vertical tab', ['Transfer-Encoding:\u000bchunked']],
    ['Transfer-Encoding of another name', ['Transfer-Encoding: xchunked']],
    ['Transfer-Encoding twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']],
    ['Transfer-Encoding in quotes', ['Transfer-Encoding: "chunked"']],
    ['Transfer-Encoding in a folded line', ['X-A: 1', ' Transfer-Encoding: chunked']],
    ['Content-Length in hexadecimal', ['Content-Length: 0x0']],
    ['a negative Content-Length', ['Content-Length: -1']],
    ['a Content-Length that overflows', [`Content-Length: ${'9'.repeat(25)}`]],
    ['two Content-Lengths that agree', ['Content-Length: 0', 'Content-Length: 0']],
    ['Content-Length beside Transfer-Encoding', ['Content-Length: 0', 'Transfer-Encoding: chunked']],
    ['a carriage return alone between headers', ['X-A: 1\rTransfer-Encoding: chunked']],
    ['a line feed alone between headers', ['X-A: 1\nTransfer-Encoding: chunked']],
    ['a header without a name', [': chunked']],
    ['a header without a colon', ['Transfer-Encoding']],
  ])('%s', async (_, headers) => {
    const before = await storedCalls(signed);
    const answer = await ask(post(signed, '', { headers }), post(signed));
    expectProblem(answer, 400, 'MALFORMED_REQUEST');
    expect(answer.headers.get('connection')).toBe('close');
    expect(await storedCalls(signed)).toBe(before);
  });

  it.each([
    ['a size that overflows', 'fffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
    ['a size with a sign', '+2\r\n{}\r\n0\r\n\r\n'],
    ['a size with 0x', '0x2\r\n{}\r\n0\r\n\r\n'],
    ['an empty size', '\r\n{}\r\n0\r\n\r\n'],
    ['a line feed alone after the size', '2\n{}\r\n0\r\n\r\n'],
    ['a line feed alone in an extension', '2;a\n{}\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '1\r\n{}\r\n0\r\n\r\n'],
    ['no line end after a chunk', '2\r\n{}0\r\n\r\n'],
  ])('chunks with %s', async (_, chunks) => {
    const before = await storedCalls(signed);
    const headers = ['Transfer-Encoding: chunked', `X-Webhook-Signature: ${signatureOf(signed, '{}')}`];
    expectProblem(await ask(post(signed, '', { headers }), chunks, post(signed)), 400, 'MALFORMED_REQUEST');
    expect(await storedCalls(signed)).toBe(before);
  });

  it.each([
    ['another coding before chunked', ['Transfer-Encoding: xchunked, chunked']],
    ['another coding in a header of its own', ['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked']],
    ['chunked twice', ['Transfer-Encoding: chunked, chunked']],
  ])('%s', async (_, headers) => {
    const before = await storedCalls(signed);
    const signature = `X-Webhook-Signature: ${signatureOf(signed, '{}')}`;
    const answer = await ask(post(signed, '', { headers: [...headers, signature] }), '2\r\n{}\r\n0\r\n\r\n');
    expectProblem(answer, 400, 'MALFORMED_REQUEST');
    expect(await storedCalls(signed)).toBe(before);
  });

  it('but well-formed chunks are put together, and a credential in a trailer is none', async () => {
    const chunks = '1;name="a;b"\r\n{\r\n01\r\n}\r\n000\r\n';
    const headers = ['Transfer-Encoding: chunked', `X-Webhook-Signature: ${signatureOf(signed, '{}')}`];
    expect((await ask(post(signed, '', { headers }), chunks, 'X-T: 1\r\n\r\n')).status).toBe(202);
    const late = post(signed, '', { headers: headers.slice(0, 1) })
      .toString('latin1')
      .replace(/X-Webhook-Signature.*\r\n/, '');
    const answer = await ask(late, chunks, `X-Webhook-Signature: ${signatureOf(signed, '{}')}\r\n\r\n`);
    expectProblem(answer, 401, 'AUTHENTICATION_FAILED');
  });
});

describe('headers too large: 431', () => {
  it.each([
    ['one header', [`X-A: ${'a'.repeat(17_000)}`]],
    ['many headers', Array.from({ length: 3_000 }, (_, i) => `X-${i}: 1`)],
    ['one name', [`${'X'.repeat(17_000)}: 1`]],
  ])('%s', async (_, headers) => {
    expectProblem(await ask(post(signed, '{}', { headers })), 431, 'HEADERS_TOO_LARGE');
  });

  it('a target', async () => {
    const target = `${pathOf(signed)}?${'a'.repeat(17_000)}`;
    expectProblem(await ask(post(signed, '{}', { target })), 431, 'HEADERS_TOO_LARGE');
  });

  it('but a thousand small headers are taken', async () => {
    const headers = Array.from({ length: 1_000 }, (_, i) => `X-${i}: 1`);
    expect((await ask(post(signed, '{}', { headers }))).status).toBe(202);
  });
});

describe('malformed Host: URLs are built from configuration only', () => {
  it.each(['Host: a b', 'Host: a/b', 'Host: a@b', 'Host: a\\b', 'Host: <a>', 'Host: \u00fc'])(
    '%j is a 400',
    async (host) => {
      expectProblem(await ask(post(signed, '{}', { headers: [host] })), 400, 'MALFORMED_REQUEST');
    },
  );

  it.each([
    ['Host', ['Host: evil.example']],
    ['X-Forwarded-Host', ['X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https']],
    ['Forwarded', ['Forwarded: host=evil.example;proto=https']],
  ])('a foreign %s is in no answer', async (_, headers) => {
    const answer = await ask(post(signed, '{}', { headers }));
    expect(answer.status).toBe(202);
    expect(JSON.stringify([...answer.headers, answer.body])).not.toContain('evil');
  });

  it('a foreign host in a target of absolute form is in no answer', async () => {
    const answer = await ask(post(signed, '{}', { target: `http://evil.example${pathOf(signed)}?a` }));
    expect(answer.status).toBe(202);
    expect(JSON.stringify([...answer.headers, answer.body])).not.toContain('evil');
  });

  it.each(['CONNECT evil.example:443', 'CONNECT /', 'POST evil.example:443', 'POST file:///etc/passwd'])(
    'the target of "%s" is a 400',
    async (line) => {
      expectProblem(await ask(`${line} HTTP/1.1\r\nHost: evil.example:443\r\n\r\n`), 400, 'MALFORMED_REQUEST');
    },
  );
});

describe('the client goes away', () => {
  it('in sync mode: the execution goes on', async () => {
    const slow = await createWebhook(gateway, { executionMode: 'SYNC', workerIds: ['worker-slow-echo'] });
    const connection = await RawConnection.open(port);
    connection.send(post(slow, '{"delayMs":300}'));
    await pollUntil('the call', async () => ((await storedCalls(slow)) === 1 ? true : undefined));
    connection.breakOff();
    const status = await pollUntil('the end', async () => {
      const { rows } = await sql.query<{ status: string }>(
        'select status from executions where webhook_id = $1 and finished_at is not null',
        [parseId('webhook', slow.id)],
      );
      return rows[0]?.status;
    });
    expect(status).toBe('SUCCEEDED');
  });

  it('in the middle of an upload: nothing is accepted', async () => {
    const before = await storedCalls(signed);
    const request = post(signed, '{"a":1}');
    for (const cut of [40, request.length - 8, request.length - 1]) {
      const broken = await RawConnection.open(port);
      broken.send(request.subarray(0, cut));
      broken.breakOff();
      const ended = await RawConnection.open(port);
      ended.send(request.subarray(0, cut));
      ended.finish();
      expect([undefined, 400]).toContain((await ended.next())?.status);
    }
    expect((await ask(post(signed))).status).toBe(202);
    expect(await storedCalls(signed)).toBe(before + 1);
  });
});

describe('several requests on one connection', () => {
  it('are answered in order, refused ones too', async () => {
    const connection = await RawConnection.open(port);
    const wrong = ['X-Webhook-Signature: sha256=00'];
    connection.send(
      post(echo, '{"n":1}'),
      post(signed, '{}', { headers: wrong }),
      post(signed, '['),
      post(echo, '{"n":2}'),
    );
    const answers = [
      await connection.next(),
      await connection.next(),
      await connection.next(),
      await connection.next(),
    ];
    expect(answers.map((answer) => answer!.status)).toEqual([200, 401, 400, 200]);
    expect([answers[0]!, answers[3]!].map((answer) => bodyOf(answer).results![0]!.result)).toEqual([
      { n: 1 },
      { n: 2 },
    ]);
    connection.breakOff();
  });

  it.each([
    ['no HTTP', '\u0000\u0001\r\n\r\n'],
    ['a body that is none', '{}\r\n'],
  ])('are answered before %s that follows them is refused', async (name, malformed) => {
    const connection = await RawConnection.open(port);
    const last = name === 'no HTTP' ? '' : post(signed, '', { headers: ['Transfer-Encoding: chunked'] });
    connection.send(post(echo, '{"n":1}'), post(signed), last, malformed);
    expect(bodyOf((await connection.next())!).results![0]!.result).toEqual({ n: 1 });
    expect((await connection.next())!.status).toBe(202);
    expectProblem(await connection.next(), 400, 'MALFORMED_REQUEST');
    expect(await connection.next()).toBeUndefined();
  });
});

describe('an offer to upgrade that is declined', () => {
  it('ends the connection with its answer: what follows it on the wire is not read', async () => {
    const connection = await RawConnection.open(port);
    const before = await storedCalls(signed);
    connection.send(
      Buffer.concat([post(signed, '{}', { headers: ['Connection: Upgrade', 'Upgrade: h2c'] }), post(signed)]),
    );
    const answer = await connection.next();
    expect(answer).toMatchObject({ status: 202 });
    expect(answer!.headers.get('connection')).toBe('close');
    expect(await connection.next()).toBeUndefined();
    expect(await storedCalls(signed)).toBe(before + 1);
  });
});

describe('an Expect header', () => {
  it.each(['100-continue', 'a miracle'])('of %j is no hindrance', async (value) => {
    expect((await ask(post(signed, '{}', { headers: [`Expect: ${value}`] }))).status).toBe(202);
  });
});

describe('an answer gives nothing of the URL back', () => {
  it.each([
    ['GET', 405],
    ['POST', 400],
  ])('to %s', async (method, status) => {
    const answer = await ask(`${method} /api/v1/webhooks/whsec_canary?a=whsec_canary HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(answer.status).toBe(status);
    expect(JSON.stringify([...answer.headers, answer.body])).not.toContain('canary');
  });
});

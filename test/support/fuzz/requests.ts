import fc from 'fast-check';
import { generatedBody } from './json-bodies.js';
import {
  type BrokenSpec,
  CANARY,
  type CallSpec,
  type Credential,
  type OtherSpec,
  type RequestSpec,
  type Transfer,
} from './request-spec.js';
import { senderSpec } from './sender-requests.js';

const text = (...choices: string[]): fc.Arbitrary<string> => fc.constantFrom(...choices);
const rarely = <T>(usual: T, other: fc.Arbitrary<T>, weight = 12): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

const latin1 = fc.uint8Array({ maxLength: 24 }).map((bytes) =>
  // What may stand in a header's value: no control characters but the tab.
  Buffer.from(bytes.map((byte) => ((byte < 0x20 && byte !== 0x09) || byte === 0x7f ? 0x2e : byte))).toString('latin1'),
);
const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz".split('');
const token = fc
  .array(fc.constantFrom(...TOKEN_CHARACTERS), { minLength: 1, maxLength: 12 })
  .map((characters) => characters.join(''));

/** Headers without a meaning for a call, or with one that must not matter. */
const noiseLine = fc.oneof(
  fc.tuple(token, latin1).map(([name, value]) => `X-${name}: ${value}`),
  fc.tuple(token, fc.integer({ min: 100, max: 1_500 })).map(([name, n]) => `X-Long-${name}: ${'v'.repeat(n)}`),
  text(
    `X-Canary: ${CANARY}`,
    `Cookie: workhook_session=${CANARY}; a=${CANARY}`,
    `Proxy-Authorization: Basic ${CANARY}`,
    `User-Agent: ${CANARY}`,
    `Referer: https://${CANARY}.example/?token=${CANARY}`,
    `X-Request-Id: ${CANARY} with a space`,
    `traceparent: 00-${'0'.repeat(32)}-${CANARY}-01`,
    `__proto__: ${CANARY}`,
    `constructor: ${CANARY}`,
    'Accept: application/xml;q=0.1, */*;q=x',
    'Accept-Encoding: gzip, br, *;q=0',
    'X-Forwarded-For: 999.1.1.1, , ::1%lo, "[::]:1"',
    'X-Forwarded-Proto: https, http',
    'Forwarded: for="_x";proto=ftp;;',
    'Connection: keep-alive, X-Canary',
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c, websocket/99',
    'Keep-Alive: timeout=99999999999',
    'TE: trailers, deflate;q=0.5',
    'Trailer: X-Webhook-Signature',
    'Range: bytes=0-,5-1',
    'If-None-Match: *',
    'Max-Forwards: -1',
    'Date: yesterday',
    'Content-MD5: ????',
    'Content-Language: \t',
    'Via: 1.0 a, 1.1 b',
  ),
);
const noise = fc.array(noiseLine, { maxLength: 4 });

const junkPath = fc
  .array(
    fc.oneof(
      token,
      text('/', '//', '..', '.', '%', '%00', '%2f', '%zz', '%c3%28', '?', '&', '=', ';', ':', '@', '|', '"', CANARY),
    ),
    {
      maxLength: 6,
    },
  )
  .map((parts) => parts.join(''));

const contentType = rarely<CallSpec['contentType']>(
  { value: 'application/json', json: true },
  fc.oneof(
    text(
      'application/json; charset=utf-8',
      'Application/JSON',
      'application/cloudevents+json',
      'application/vnd.a.b-c+json;v=1',
    ).map((value) => ({ value, json: true })),
    text(
      'text/plain',
      'text/json',
      'application/jsonx',
      'application/xml',
      '',
      '/',
      'json',
      'application/json; charset=latin1',
      CANARY,
    ).map((value) => ({ value, json: false })),
    fc.constant({ value: undefined, json: false }),
  ),
  12,
);

const credential: fc.Arbitrary<Credential> = rarely<Credential>(
  'right',
  fc.oneof(
    text('missing', 'twice', 'of another body') as fc.Arbitrary<Credential>,
    fc
      .oneof(
        latin1,
        text(
          'sha256=',
          'Bearer ',
          'Bearer',
          CANARY,
          `sha256=${CANARY}`,
          `Bearer ${CANARY}`,
          `sha256=${'a'.repeat(64)}`,
        ),
        fc.integer({ min: 1, max: 4_000 }).map((n) => `sha256=${'f'.repeat(n)}`),
      )
      .map((value) => ({ value })),
  ),
  8,
);

const transfer: fc.Arbitrary<Transfer> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: 'length' } as const) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('chunks' as const),
      sizes: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      extension: text('', ';a', ';a=b', ';a="b;c"'),
      trailer: text('', 'X-T: 1\r\n', `X-Webhook-Signature: ${CANARY}\r\n`),
    }),
  },
);

const call: fc.Arbitrary<CallSpec> = fc.record({
  kind: fc.constant('call' as const),
  target: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom('signed' as const, 'secret' as const, 'bearer' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('sync' as const, 'inactive' as const, 'unknown' as const, 'malformed' as const),
    },
  ),
  malformedId: fc.oneof(
    token,
    text(CANARY, 'wh_', 'wh_0', `wh_${'z'.repeat(26)}`, `wh_${'0'.repeat(27)}`, '%00', '..', 'wh_%2e%2e'),
  ),
  absoluteForm: rarely(false, fc.constant(true)),
  query: fc.oneof(
    { weight: 4, arbitrary: fc.constant('') },
    text('?', `?token=${CANARY}`, '?a[]=1&a[__proto__]=2', '?%zz', '??', '?a=%00'),
  ),
  credential,
  contentType,
  contentEncoding: rarely<string | undefined>(undefined, text('gzip', 'identity', '', 'br, gzip', CANARY), 20),
  body: generatedBody,
  transfer,
  expectContinue: rarely(false, fc.constant(true), 20),
  noise,
  pipelined: fc.boolean(),
});

const other: fc.Arbitrary<OtherSpec> = fc
  .oneof(
    fc.record({
      method: text('GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND'),
      target: fc.oneof(junkPath, fc.constant('')).map((path) => `/api/v1/webhooks/${path}`),
      statuses: fc.constant([400, 404, 405]),
    }),
    fc.record({
      method: text('GET', 'HEAD'),
      target: text('/healthz', '/readyz', '/metrics', '/', `/healthz?a=${CANARY}`),
      statuses: fc.constant([200]),
    }),
    fc.record({
      method: text('GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'),
      target: fc
        .tuple(
          text(
            '/',
            '/api/v1/executions/',
            '/api/v1/calls/',
            '/api/v1/execution-result?executionId=',
            '/api/v1/execution-logs?',
            '/login?',
          ),
          junkPath,
        )
        .map(([start, junk]) => start + junk),
      statuses: fc.constant([200, 303, 400, 401, 403, 404, 405, 415]),
    }),
  )
  .chain((spec) => noise.map((lines) => ({ kind: 'other' as const, ...spec, noise: lines })));

const LENGTH_FAULTS = [
  'Content-Length: +1',
  'Content-Length: 0x1',
  'Content-Length: -1',
  'Content-Length: 1,1',
  'Content-Length: 1 1',
];

const damage: fc.Arbitrary<BrokenSpec['damage']> = fc.oneof(
  fc.record({
    type: fc.constant('line' as const),
    line: fc.oneof(
      text(...LENGTH_FAULTS, `Content-Length: ${'9'.repeat(30)}`, 'Content-Length: 3\r\nContent-Length: 4'),
      text(
        'Transfer-Encoding: chunked, identity',
        'Transfer-Encoding: xchunked',
        'Transfer-Encoding : chunked',
        'Transfer-Encoding:\u000bchunked',
      ),
      text(
        ' folded',
        '\tfolded: 1',
        ': no name',
        'no colon',
        'a space : 1',
        'X-A: \u0000',
        'X-A: a\rb',
        'X-A: 1\nX-B: 2',
        'X-A: \u007f',
        '\u00e9: 1',
      ),
      text('Host: twice', 'Host: a b', 'Host:'),
      token.map((name) => `X-${name}(): 1`),
    ),
    status: fc.constant(400),
  }),
  fc.record({
    type: fc.constant('line' as const),
    line: fc.integer({ min: 16_500, max: 40_000 }).map((n) => `X-A: ${'a'.repeat(n)}`),
    status: fc.constant(431),
  }),
  fc.record({
    type: fc.constant('chunk' as const),
    bytes: text(
      'zz\r\n',
      '-1\r\n',
      'fffffffffffffffff\r\n',
      '2\nab\n',
      '1\r\nab\r\n',
      ';a\r\n',
      '0x1\r\na\r\n',
      '1 \u0000\r\n',
      '+1\r\na\r\n',
    ),
  }),
  fc.record({
    type: fc.constant('bytes' as const),
    edits: fc.array(fc.tuple(fc.nat({ max: 600 }), fc.nat({ max: 6 }), fc.uint8Array({ maxLength: 6 })), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  fc.record({ type: fc.constant('cut' as const), at: fc.nat({ max: 600 }), reset: fc.boolean() }),
  fc.record({ type: fc.constant('noise' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }) }),
);

/** Node's parser reports no fault behind an offer to upgrade: such a request ends by its time-out, too slow for a run. */
function withoutUpgrade(spec: CallSpec): CallSpec {
  return { ...spec, noise: spec.noise.filter((line) => !line.startsWith('Upgrade:')) };
}

/**
 * Requests of every kind, most of them calls.
 *
 * @param providers senders that have a webhook.
 */
export const requestSpec = (providers: readonly string[]): fc.Arbitrary<RequestSpec> =>
  fc.oneof(
    { weight: 3, arbitrary: senderSpec(providers) },
    { weight: 16, arbitrary: call },
    { weight: 2, arbitrary: other },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('broken' as const), call: call.map(withoutUpgrade), damage }),
    },
  );

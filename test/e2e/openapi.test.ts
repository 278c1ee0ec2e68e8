import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { openDatabase } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import { LinkSigner } from '../../src/http/signed-link.js';
import { systemClock } from '../../src/lib/clock.js';
import { formatId, newRandomUuid, newUuidV7 } from '../../src/lib/ids.js';
import { createLogger } from '../../src/lib/logger.js';
import { assertKeyring } from '../../src/secrets/assert-keyring.js';
import { parseKeyring } from '../../src/secrets/keyring.js';
import {
  ADMIN_TOKEN,
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from '../support/gateway-process.js';
import { OpenApiContract, type RealResponse } from '../support/openapi-contract.js';
import { pollUntil } from '../support/poll-until.js';
import { RawConnection } from '../support/raw-connection.js';
import { refuse, type ScriptedModelServer, startScriptedModelServer } from '../support/scripted-model-server.js';
import { KEYED_SENDERS } from '../support/senders/keyed.js';
import { parseEvents, StreamReader } from '../support/sse.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const CALL = 'post /api/v1/webhooks/{webhookId}';
const CONFIRM = 'get /api/v1/webhooks/{webhookId}';
const EXECUTION = 'get /api/v1/executions/{executionId}';
const CALL_RESULT = 'get /api/v1/calls/{callId}';
const PLAIN = 'get /api/v1/execution-result';
const LOGS = 'get /api/v1/execution-logs';
const RESULTS = [EXECUTION, CALL_RESULT, PLAIN, LOGS];
const SERVICE = ['get /healthz', 'get /readyz', 'get /metrics', 'get /openapi.json'];

let database: TestDatabase;
let env: Record<string, string>;
let gateway: GatewayProcess;
let models: ScriptedModelServer;
let contract: OpenApiContract;
/** A call of one execution that is over, and one that runs for long. */
let ended: Started;
let running: Started;

interface Started {
  readonly executionId: string;
  readonly callId: string;
}

beforeAll(async () => {
  database = await createTestDatabase();
  env = {
    ...databaseEnv(database.url),
    WORKERS_DIR: 'test/support/workers',
    LOG_LEVEL: 'silent',
    BODY_BYTES_MAX: '2000',
    TRUSTED_PROXIES: '127.0.0.1',
    RETENTION_DAYS: '1',
    RESULT_WAITERS_MAX: '1',
    ACCEPT_QUEUE_MAX: '1',
    SHUTDOWN_TIMEOUT_MS: '500',
  };
  models = await startScriptedModelServer(refuse(429, 'slow down', { 'retry-after': '600' }));
  gateway = await startGatewayProcess({ env: { ...env, OPENAI_BASE_URL: models.baseUrl } });
  const response = await fetch(`${gateway.url}/openapi.json`);
  contract = new OpenApiContract(await response.json());
  ended = await start({ executionMode: 'SYNC' });
  running = await start({ workerIds: ['worker-slow-echo'] }, '{"delayMs":60000}');
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await models.close();
  await database.drop();
});

const create = (input: WebhookInput = {}): Promise<CreatedWebhook> =>
  createWebhook(gateway, { authentication: { method: 'SECRET_HEADER' }, ...input });

const real = async (response: Response): Promise<RealResponse> => ({
  status: response.status,
  headers: new Map(response.headers),
  body: await response.text(),
});

/** Sends a request as an operation, and compares what comes. */
async function ask(operation: string, url: string, init: RequestInit = {}): Promise<RealResponse> {
  const response = await real(await fetch(url, { redirect: 'manual', method: operation.split(' ')[0]!, ...init }));
  contract.check(operation, response);
  return response;
}

const post = (
  { url, secret }: CreatedWebhook,
  body = '{"a":1}',
  headers: Record<string, string> = {},
): Promise<RealResponse> =>
  ask(CALL, url, {
    headers: { 'content-type': 'application/json', 'x-webhook-secret': secret, ...headers },
    body,
  });

async function start(input: WebhookInput, body = '{"a":1}'): Promise<Started> {
  const response = await post(await create(input), body);
  const { callId, results } = JSON.parse(response.body) as { callId: string; results: { executionId: string }[] };
  return { callId, executionId: results[0]!.executionId };
}

/** Where an operation reads the results of a call. */
function resultUrl(operation: string, { executionId, callId }: Started): string {
  if (operation === EXECUTION) return `${gateway.url}/api/v1/executions/${executionId}`;
  if (operation === CALL_RESULT) return `${gateway.url}/api/v1/calls/${callId}`;
  return `${gateway.url}${operation.split(' ')[1]!}?executionId=${executionId}`;
}

const asOwner = { authorization: `Bearer ${ADMIN_TOKEN}` };

const read = (operation: string, of: Started, headers: Record<string, string> = {}): Promise<RealResponse> =>
  ask(operation, resultUrl(operation, of), { headers: { ...asOwner, ...headers } });

/** Comes from elsewhere in plain HTTP, as the trusted proxy says. */
const FROM_ELSEWHERE = { 'x-forwarded-for': '203.0.113.7' };

const codeOf = ({ status, body }: RealResponse): [number, string] => [
  status,
  (JSON.parse(body) as { code: string }).code,
];

describe('the answers to a call', () => {
  it('200, 202 and 500', async () => {
    const sync = await create({ executionMode: 'SYNC' });
    expect((await post(sync)).status).toBe(200);
    expect((await post(sync, '{"a":1}', { prefer: 'respond-async' })).status).toBe(202);
    expect((await post(sync, '{"a":1}', { 'idempotency-key': 'k' })).status).toBe(200);
    const repeat = await post(sync, '{"a":1}', { 'idempotency-key': 'k', prefer: 'wait=5' });
    expect([repeat.status, repeat.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    const filtered = await create({ filter: 'input.a == 2' });
    expect(JSON.parse((await post(filtered)).body)).toMatchObject({ ignored: true });
    const queued = await create({ flow: { concurrency: 1 }, workerIds: ['worker-slow-echo'] });
    expect(JSON.parse((await post(queued, '{"delayMs":60000}')).body)).toMatchObject({ queuePosition: 0 });
    expect(JSON.parse((await post(queued)).body)).toMatchObject({ queuePosition: 1 });
    const failing = await create({ executionMode: 'SYNC', workerIds: ['worker-echo', 'worker-failing'] });
    expect(codeOf(await post(failing))).toEqual([500, 'WORKER_FAILED']);
  });

  it('handshakes', async () => {
    const secret = 'the signing secret of Slack';
    const slack = await create({ authentication: { method: 'PROVIDER', provider: 'slack', secret } });
    const body = '{"type":"url_verification","challenge":"c1"}';
    const time = String(Math.floor(Date.now() / 1_000));
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex')}`;
    const headers = {
      'content-type': 'application/json',
      'x-slack-request-timestamp': time,
      'x-slack-signature': signature,
    };
    expect((await ask(CALL, slack.url, { headers, body })).body).toBe('{"challenge":"c1"}');

    const graph = await create({ authentication: { method: 'PROVIDER', provider: 'microsoft-graph' } });
    expect((await ask(CALL, `${graph.url}?validationToken=t1`)).body).toBe('t1');

    const sender = KEYED_SENDERS.find(({ provider }) => provider === 'discord')!;
    const [key] = sender.secrets;
    const discord = await create({ authentication: { method: 'PROVIDER', provider: 'discord', secret: key } });
    const ping = await sender.sign(key, '{"version":1,"type":0}', { url: discord.url, atMs: Date.now() });
    expect((await ask(CALL, discord.url, { headers: { ...ping.headers }, body: ping.body })).status).toBe(204);
  });

  it('400, 401, 403, 404, 413, 415, 422', async () => {
    const webhook = await create();
    const strict = await create({ workerIds: ['worker-strict'] });
    expect(codeOf(await post({ ...webhook, url: `${webhook.url}x` }))).toEqual([400, 'MALFORMED_WEBHOOK_ID']);
    expect(codeOf(await post(webhook, '{'))).toEqual([400, 'MALFORMED_BODY']);
    expect(codeOf(await post(strict, '{"amount":-1}'))).toEqual([400, 'INVALID_INPUT']);
    const long = await post(webhook, '{}', { 'idempotency-key': 'x'.repeat(300) });
    expect(codeOf(long)).toEqual([400, 'IDEMPOTENCY_KEY_INVALID']);
    expect(codeOf(await post({ ...webhook, secret: 'wrong' }))).toEqual([401, 'AUTHENTICATION_FAILED']);
    expect(codeOf(await post(webhook, '{}', FROM_ELSEWHERE))).toEqual([403, 'HTTPS_REQUIRED']);
    const unknown = webhook.url.replace(/wh_.*/, formatId('webhook', newRandomUuid()));
    expect(codeOf(await post({ ...webhook, url: unknown }))).toEqual([404, 'WEBHOOK_NOT_FOUND']);
    const large = JSON.stringify({ text: 'x'.repeat(2_000) });
    expect(codeOf(await post(webhook, large))).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const typed = await post(webhook, '{}', { 'content-type': 'text/plain' });
    expect(codeOf(typed)).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expect((await post(webhook, '{"a":1}', { 'idempotency-key': 'k' })).status).toBe(202);
    const other = await post(webhook, '{"a":2}', { 'idempotency-key': 'k' });
    expect(codeOf(other)).toEqual([422, 'IDEMPOTENCY_MISMATCH']);
    const elsewhere = await create({ allowedCidrs: ['203.0.113.0/24'] });
    expect(codeOf(await post(elsewhere))).toEqual([403, 'ADDRESS_NOT_ALLOWED']);
    const inactive = await create({ active: false });
    expect(codeOf(await post(inactive))).toEqual([403, 'WEBHOOK_INACTIVE']);
  });

  it('429', async () => {
    const webhook = await create();
    await gateway.graphql(
      `mutation ($id: ID!) { setRateLimit(input: { scope: WEBHOOK, subjectId: $id, perMinute: 1 }) { userErrors { message } } }`,
      webhook,
    );
    const refused = await pollUntil('a refusal', async () => {
      const answer = await post(webhook);
      return answer.status === 429 ? answer : undefined;
    });
    expect(codeOf(refused)).toEqual([429, 'RATE_LIMITED']);
  });

  it('429 when a model has no room', async () => {
    const { createAgentWorker } = await gateway.graphql<{ createAgentWorker: { worker: { id: string } } }>(
      'mutation { createAgentWorker(input: { name: "Agent", instructions: "Help." }) { worker { id } } }',
    );
    const webhook = await create({ executionMode: 'SYNC', workerIds: [createAgentWorker.worker.id] });
    expect(codeOf(await post(webhook))).toEqual([429, 'MODEL_RATE_LIMITED']);
  });

  it('503 when too many wait', async () => {
    const webhook = await create();
    const refused = await pollUntil('a refusal', async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, () => post(webhook)));
      return answers.find(({ status }) => status === 503);
    });
    expect(codeOf(refused)).toEqual([503, 'OVERLOADED']);
  });

  it('to the GET of a handshake', async () => {
    const meta = await create({
      authentication: { method: 'PROVIDER', provider: 'meta', secret: 'the app secret of it' },
    });
    const asked = (token: string): string => `${meta.url}?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=c`;
    expect((await ask(CONFIRM, asked(meta.id))).body).toBe('c');
    expect(codeOf(await ask(CONFIRM, asked('wrong')))).toEqual([401, 'AUTHENTICATION_FAILED']);
    expect(codeOf(await ask(CONFIRM, meta.url))).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(codeOf(await ask(CONFIRM, `${meta.url}x?hub.mode=subscribe`))).toEqual([400, 'MALFORMED_WEBHOOK_ID']);
    const near = await create({
      allowedCidrs: ['203.0.113.0/24'],
      authentication: { method: 'PROVIDER', provider: 'meta', secret: 'the app secret of it' },
    });
    expect(codeOf(await ask(CONFIRM, `${near.url}?hub.mode=subscribe`))).toEqual([403, 'ADDRESS_NOT_ALLOWED']);
    const plain = await ask(CONFIRM, asked(meta.id), { headers: FROM_ELSEWHERE });
    expect(codeOf(plain)).toEqual([403, 'HTTPS_REQUIRED']);
  });
});

describe('results', () => {
  it.each(RESULTS)('%s: 200 and 304', async (operation) => {
    expect((await read(operation, running)).headers.get('retry-after')).toBe('1');
    const first = await read(operation, ended);
    expect(first.status).toBe(200);
    const tag = first.headers.get('etag');
    if (operation !== LOGS) expect((await read(operation, ended, { 'if-none-match': tag! })).status).toBe(304);
    if (operation === EXECUTION || operation === CALL_RESULT) {
      expect((await read(operation, ended, { prefer: 'wait=1' })).headers.get('preference-applied')).toBe('wait=1');
    }
  });

  it.each(RESULTS)('%s: 401, 403, 404, 410', async (operation) => {
    const links = await linkSigner(Date.now() - 2 * 86_400_000);
    const path = new URL(resultUrl(operation === CALL_RESULT ? CALL_RESULT : EXECUTION, ended)).pathname;
    const { searchParams } = new URL(links.sign(path), gateway.url);
    const url = resultUrl(operation, ended);
    const expired = await ask(operation, `${url}${url.includes('?') ? '&' : '?'}${searchParams}`);
    expect(codeOf(expired)).toEqual([401, 'UNAUTHENTICATED']);
    const { createApiToken } = await gateway.graphql<{ createApiToken: { token: string } }>(
      `mutation { createApiToken(input: { name: "narrow", scopes: ["webhooks:read"] }) { token } }`,
    );
    const narrow = await read(operation, ended, { authorization: `Bearer ${createApiToken.token}` });
    expect(codeOf(narrow)).toEqual([403, 'FORBIDDEN']);
    expect(codeOf(await read(operation, ended, FROM_ELSEWHERE))).toEqual([403, 'HTTPS_REQUIRED']);
    const of = (uuid: string): Started => ({
      executionId: formatId('execution', uuid),
      callId: formatId('call', uuid),
    });
    expect(codeOf(await read(operation, of(newUuidV7())))).toEqual([404, 'NOT_FOUND']);
    expect(codeOf(await read(operation, of(newUuidV7(Date.now() - 30 * 86_400_000))))).toEqual([410, 'GONE']);
  });

  it('what is asked for wrongly: 400', async () => {
    const stream = { accept: 'text/event-stream', 'last-event-id': 'x' };
    expect(codeOf(await read(EXECUTION, ended, stream))).toEqual([400, 'BAD_USER_INPUT']);
    for (const operation of [PLAIN, LOGS]) {
      const url = `${gateway.url}${operation.split(' ')[1]!}`;
      expect(codeOf(await ask(operation, url, { headers: asOwner }))).toEqual([400, 'BAD_USER_INPUT']);
    }
  });

  it('streams, and 503 when there is no place to wait', async () => {
    const stream = { accept: 'text/event-stream' };
    const whole = await read(EXECUTION, ended, stream);
    expect(whole.headers.get('content-type')).toBe('text/event-stream');
    const last = parseEvents(whole.body).at(-1)!;
    expect(last.event).toBe('done');
    expect((await read(EXECUTION, ended, { ...stream, 'last-event-id': last.id })).status).toBe(204);

    const response = await fetch(resultUrl(EXECUTION, running), { headers: { ...asOwner, ...stream } });
    const reader = new StreamReader(response);
    await reader.until((text) => text.includes('event: status'));
    for (const operation of [EXECUTION, CALL_RESULT]) {
      const refused = await read(operation, running, { prefer: 'wait=5' });
      expect(codeOf(refused)).toEqual([503, 'TOO_MANY_WAITERS']);
    }
    await reader.hangUp();
  });
});

/** The gateway's own links, as of another moment. */
async function linkSigner(nowMs: number): Promise<LinkSigner> {
  const opened = await openDatabase({
    url: database.url,
    entities: ENTITIES,
    poolSize: 4,
    log: createLogger('silent'),
  });
  try {
    const keyring = parseKeyring(env['ENCRYPTION_KEYS']!, 'the test');
    await assertKeyring(opened, keyring);
    return new LinkSigner(keyring.deriveKey('signed-links'), { ...systemClock, nowMs: () => nowMs });
  } finally {
    await opened.close();
  }
}

describe('the service', () => {
  it('is described', async () => {
    for (const operation of SERVICE) {
      const response = await ask(operation, gateway.url + operation.split(' ')[1]!);
      expect(response.status).toBe(200);
    }
    const { headers } = await ask('get /openapi.json', `${gateway.url}/openapi.json`);
    const again = { headers: { 'if-none-match': headers.get('etag')! } };
    expect((await ask('get /openapi.json', `${gateway.url}/openapi.json`, again)).status).toBe(304);
    expect(headers.get('cache-control')).toBe('public, max-age=300');
  });

  it('has the same description as the repository, but for its own numbers', async () => {
    const served = (await (await fetch(`${gateway.url}/openapi.json`)).text()).replaceAll('At most 2000 bytes', '…');
    const committed = await readFile(new URL('../../openapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(served)).toEqual(JSON.parse(committed.replaceAll('At most 1048576 bytes', '…')));
  });
});

describe('what is refused before it has come to a route', () => {
  const operations = [CALL, CONFIRM, ...RESULTS, ...SERVICE];

  const exchange = async (operation: string, ...rest: string[]): Promise<RealResponse> => {
    const [method, path] = operation.split(' ') as [string, string];
    const connection = await RawConnection.open(Number(new URL(gateway.url).port));
    connection.send(`${method.toUpperCase()} ${path.replaceAll(/[{}]/g, '')} HTTP/1.1\r\n`, ...rest);
    const answer = await connection.next();
    connection.breakOff();
    if (answer === undefined) throw new Error('there was no answer');
    contract.check(operation, answer);
    return answer;
  };

  const refused = async (operation: string): Promise<[number, string][]> => {
    const answers = await Promise.all([
      exchange(operation, 'Host: a\r\nHost: b\r\n\r\n'),
      exchange(operation, 'Host: a\r\n'),
      exchange(operation, 'Host: a\r\n', `X-Large: ${'x'.repeat(20_000)}\r\n\r\n`),
    ]);
    return answers.map(codeOf);
  };

  it('400, 408, 431', async () => {
    const answers = await Promise.all(operations.map(refused)); // all at once: a time-out takes its time
    expect(answers).toEqual(
      operations.map(() => [
        [400, 'MALFORMED_REQUEST'],
        [408, 'REQUEST_TIMEOUT'],
        [431, 'HEADERS_TOO_LARGE'],
      ]),
    );
  });
});

describe('while the database is away', () => {
  it('503', async () => {
    const webhook = await create();
    const meta = await create({
      authentication: { method: 'PROVIDER', provider: 'meta', secret: 'the app secret of it' },
    });
    const url = new URL(database.url);
    const name = url.pathname.slice(1);
    url.pathname = '/postgres';
    const server = new pg.Client({ connectionString: url.href });
    await server.connect();
    try {
      await server.query(`alter database ${name} with allow_connections false`);
      await server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
      expect(codeOf(await post(webhook))).toEqual([503, 'STORAGE_UNAVAILABLE']);
      const confirm = await ask(CONFIRM, `${meta.url}?hub.mode=subscribe&hub.verify_token=x`);
      expect(codeOf(confirm)).toEqual([503, 'STORAGE_UNAVAILABLE']);
      for (const operation of RESULTS) {
        expect(codeOf(await read(operation, ended))).toEqual([503, 'STORAGE_UNAVAILABLE']);
      }
      expect((await ask('get /readyz', `${gateway.url}/readyz`)).status).toBe(503);
    } finally {
      await server.query(`alter database ${name} with allow_connections true`);
      await server.end();
    }
  });
});

describe('the contract', () => {
  it('has nothing that no response was', () => {
    expect(contract.unseen()).toEqual([]);
  });

  it('is strict', async () => {
    const strict = new OpenApiContract(await (await fetch(`${gateway.url}/openapi.json`)).json());
    const response = await real(await fetch(`${gateway.url}/healthz`));
    const check = (more: Partial<RealResponse>) => (): void => strict.check('get /healthz', { ...response, ...more });
    expect(check({})).not.toThrow();
    expect(check({ status: 418 })).toThrow('is not documented');
    expect(check({ body: '{"status":"alive","more":1}' })).toThrow('additional properties');
    expect(check({ body: '{}' })).toThrow('required property');
    expect(check({ headers: new Map([...response.headers, ['x-more', '1']]) })).toThrow('x-more');
    expect(check({ headers: new Map([['content-type', 'application/json']]) })).toThrow(
      'lacks the header x-request-id',
    );
    expect(strict.unseen()).not.toContain('get /healthz 200');
    expect(strict.unseen()).toContain('get /healthz 408 REQUEST_TIMEOUT');
  });
});

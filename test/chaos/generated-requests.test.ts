import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { formatId, newRandomUuid } from '../../src/lib/ids.js';
import { BODY_CANARY } from '../support/fuzz/json-bodies.js';
import { type FuzzWebhook, type FuzzWebhooks, NUMBER_HEADER } from '../support/fuzz/render.js';
import { CANARY } from '../support/fuzz/request-spec.js';
import { requestSpec } from '../support/fuzz/requests.js';
import { type FuzzRecord, FuzzSender, newFuzzRecord } from '../support/fuzz/sender.js';
import {
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { KEYED_SENDERS } from '../support/senders/keyed.js';
import { PLAIN_SENDERS } from '../support/senders/plain.js';
import { TIMED_SENDERS } from '../support/senders/timed.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Both can be set, to go on with the seed of a run that failed or to look longer. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_123);
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 45_000);

/** Generated at a time: so many are in memory. */
const BATCH = 500;
const CONNECTIONS = 12;
const FAULTS_SHOWN = 5;

/** After so many V8 has the heap that it wants for this load; what the process grows by from there on is counted. */
const WARM_UP = 15_000;
const RSS_GROWTH_BYTES_MAX = 128 * 1_048_576;

const SENDERS = [...PLAIN_SENDERS, ...TIMED_SENDERS, ...KEYED_SENDERS];

const OWN_SECRET = `secret-${CANARY}-0123456789`;

let database: TestDatabase;
let sql: pg.Pool;
let gateway: GatewayProcess;
let webhooks: FuzzWebhooks;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  gateway = await startGatewayProcess({
    env: {
      ...databaseEnv(database.url),
      WORKERS_DIR: 'test/support/workers',
      LOG_LEVEL: 'trace',
      RATE_LIMIT_GLOBAL_PER_MINUTE: '0',
      RATE_LIMIT_USER_PER_MINUTE: '0',
    },
  });
  webhooks = await createWebhooks();
});

afterAll(async () => {
  await sql.end();
  await gateway.end('SIGTERM');
  await database.drop();
});

async function createWebhooks(): Promise<FuzzWebhooks> {
  const create = async (
    input: WebhookInput,
    headerName: string,
    prefix?: string,
  ): Promise<FuzzWebhook & { readonly id: string }> => {
    const { id, url, secret } = await createWebhook(gateway, input);
    return { id, path: new URL(url).pathname, secret, headerName, prefix };
  };
  const signature = 'x-webhook-signature';
  const inactive = await create({}, signature);
  await gateway.graphql(
    'mutation ($id: ID!) { deactivateWebhook(input: { id: $id }) { userErrors { code } } }',
    inactive,
  );
  const senders = new Map<string, string>();
  for (const { provider, secrets } of SENDERS) {
    const authentication = { method: 'PROVIDER', provider, secret: secrets[0] };
    senders.set(provider, new URL((await createWebhook(gateway, { authentication })).url).pathname);
  }
  return {
    senders,
    signed: await create({}, signature),
    secret: await create({ authentication: { method: 'SECRET_HEADER', secret: OWN_SECRET } }, 'x-webhook-secret', ''),
    bearer: await create({ authentication: { method: 'BEARER_TOKEN' } }, 'authorization', 'Bearer '),
    sync: await create({ executionMode: 'SYNC' }, signature),
    inactive,
    unknown: { ...inactive, path: `/api/v1/webhooks/${formatId('webhook', newRandomUuid())}` },
  };
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** Sends `count` requests over several connections at once. */
async function sendRequests(record: FuzzRecord, seed: number, count: number): Promise<void> {
  const specs = fc.sample(requestSpec([...webhooks.senders.keys()]), { numRuns: count, seed })[Symbol.iterator]();
  const port = Number(new URL(gateway.url).port);
  const lane = async (): Promise<void> => {
    const sender = new FuzzSender(port, webhooks, record);
    for (const spec of specs) {
      await sender.send(spec);
      if (record.faults.length >= FAULTS_SHOWN) break;
    }
    await sender.drain().catch((error: Error) => record.faults.push(error.message));
    sender.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
}

async function sendUntil(record: FuzzRecord, count: number): Promise<void> {
  while (record.sent < count && record.faults.length === 0) {
    await sendRequests(record, SEED + record.sent, Math.min(BATCH, count - record.sent));
  }
  if (record.faults.length > 0) {
    throw new Error(
      `FUZZ_SEED=${SEED}, by request ${record.sent}:\n${record.faults.slice(0, FAULTS_SHOWN).join('\n\n')}`,
    );
  }
}

interface StoredCall {
  readonly id: string;
  readonly n: number | null;
  readonly accepted: boolean;
  readonly http_status: number | null;
}

async function storedCalls(): Promise<readonly StoredCall[]> {
  const { rows } = await sql.query<StoredCall>(
    `select id, case when request_headers ->> $1 ~ '^[0-9]{1,9}$' then (request_headers ->> $1)::integer end as n,
      rejection_reason is null as accepted, http_status from calls`,
    [NUMBER_HEADER],
  );
  return rows;
}

async function allEnded(): Promise<true | undefined> {
  const { rows } = await sql.query('select 1 from calls where pending > 0 limit 1');
  return rows.length === 0 ? true : undefined;
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`;

it(`survives ${REQUESTS} generated requests: every answer is the promised one, nothing is lost, leaked or spilt`, async () => {
  const record = newFuzzRecord();
  const processStart = await metric('process_start_time_seconds');
  const startedMs = performance.now();
  await sendUntil(record, Math.min(REQUESTS, WARM_UP));
  const rssWarm = await metric('process_resident_memory_bytes');
  await sendUntil(record, REQUESTS);
  const seconds = (performance.now() - startedMs) / 1_000;
  await pollUntil('the end of every call', allEnded, 60_000);
  const rssEnd = await metric('process_resident_memory_bytes');

  const statuses = [...record.statuses].toSorted(([a], [b]) => a - b).map(([status, times]) => `${status}: ${times}`);
  process.stdout.write(
    `generated requests: ${record.sent} in ${seconds.toFixed(1)} s, ${record.acknowledged.size} accepted, RSS ${mebibytes(rssWarm)} when warm, ` +
      `${mebibytes(rssEnd)} after all, seed ${SEED}; ${statuses.join(', ')}\n`,
  );

  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  expect(await metric('process_start_time_seconds')).toBe(processStart);
  expect(rssEnd - rssWarm).toBeLessThan(RSS_GROWTH_BYTES_MAX);

  const stored = await storedCalls();
  const accepted = new Set(stored.filter((call) => call.accepted).map((call) => formatId('call', call.id)));
  expect([...record.acknowledged].filter((callId) => !accepted.has(callId))).toEqual([]);
  const unacknowledged = stored.filter(
    ({ id, n, accepted: isAccepted }) =>
      isAccepted && !record.acknowledged.has(formatId('call', id)) && !(n === null || record.damaged.has(n)),
  );
  expect(unacknowledged).toEqual([]);
  const answeredOtherwise = stored.filter(
    ({ n, accepted: isAccepted, http_status: status }) =>
      !isAccepted && n !== null && record.answered.has(n) && record.answered.get(n) !== status,
  );
  expect(answeredOtherwise).toEqual([]);

  const logged = gateway.logged();
  const errors = logged
    .split('\n')
    .filter((line) => line !== '' && (JSON.parse(line) as { level: number }).level >= 50);
  expect(errors).toEqual([]);
  const spilt = [CANARY, BODY_CANARY, webhooks.signed.secret, webhooks.bearer.secret];
  const said = logged + gateway.printed() + (await (await fetch(`${gateway.url}/metrics`)).text());
  expect(spilt.filter((secret) => said.includes(secret))).toEqual([]);
}, 170_000);

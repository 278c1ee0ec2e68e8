import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type Gate, openGate } from '../support/gate.js';
import {
  ADMIN_TOKEN,
  createWebhook,
  type CreatedWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { parseEvents, StreamReader } from '../support/sse.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

interface Delta {
  readonly offset: number;
  readonly delta: string;
  readonly attempt: number;
}

let database: TestDatabase;
let ingress: GatewayProcess;
let admin: GatewayProcess;
let runner: GatewayProcess;
let webhook: CreatedWebhook;
let gate: Gate;

const start = (ROLES: string): Promise<GatewayProcess> =>
  startGatewayProcess({ env: { ...databaseEnv(database.url), ROLES, WORKERS_DIR: 'test/support/workers' } });

beforeAll(async () => {
  database = await createTestDatabase();
  admin = await start('admin');
  [ingress, runner] = await Promise.all([start('ingress'), start('runner')]);
  const created = await createWebhook(admin, {
    workerIds: ['worker-streaming'],
    authentication: { method: 'SECRET_HEADER' },
  });
  webhook = { ...created, url: created.url.replace(admin.url, ingress.url) };
});

beforeEach(async () => {
  gate = await openGate();
});

afterEach(() => gate.close());

afterAll(async () => {
  await Promise.all([ingress, admin, runner].map((gateway) => gateway.end('SIGTERM')));
  await database.drop();
});

async function begin(pieces = 40): Promise<string> {
  const { body } = await postCall<{ results: { executionId: string }[] }>(
    webhook,
    JSON.stringify({ pieces, delayMs: 4, gateUrl: gate.url }),
  );
  return body.results[0]!.executionId;
}

async function stream(executionId: string, lastEventId?: string): Promise<StreamReader> {
  const response = await fetch(`${ingress.url}/api/v1/executions/${executionId}`, {
    headers: {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
  });
  expect(response.status).toBe(200);
  return new StreamReader(response);
}

/** What a reader has who does as the docs say. */
function put(text: string, { offset, delta }: Delta): string {
  expect(offset).toBeLessThanOrEqual(text.length); // a gap
  return text.slice(0, offset) + delta;
}

function textOf(wire: string): string {
  return parseEvents(wire)
    .filter(({ event }) => event === 'delta')
    .map(({ data }) => JSON.parse(data) as Delta)
    .reduce(put, '');
}

async function result(executionId: string): Promise<string> {
  return await pollUntil('the result', async () => {
    const { execution } = await admin.graphql<{ execution: { result: string | null; partialText: string | null } }>(
      'query ($id: ID!) { execution(id: $id) { result partialText } }',
      { id: executionId },
    );
    return execution.result ?? undefined;
  });
}

/** Subscribes in the admin's process; gives events to `heard` and resolves at the end. */
function subscribe(
  executionId: string,
  heard: (event: Record<string, unknown>) => void,
  after?: string,
): Promise<void> {
  const client = createClient({
    url: `${admin.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  const query = `subscription ($id: ID!, $after: String) { executionEvents(executionId: $id, after: $after) {
    __typename cursor seq
    ... on ExecutionTextDelta { offset delta attempt callPath truncated }
    ... on ExecutionStepChanged { path stepStatus }
    ... on ExecutionStatusChanged { status } } }`;
  return new Promise<void>((resolve, reject) => {
    client.subscribe<{ executionEvents: Record<string, unknown> }>(
      { query, variables: { id: executionId, after } },
      {
        next: ({ data, errors }) => (data ? heard(data.executionEvents) : reject(new Error(JSON.stringify(errors)))),
        error: reject,
        complete: () => resolve(),
      },
    );
  }).finally(() => void client.dispose());
}

describe('text that a worker writes in another process', () => {
  it('comes over SSE while it is written, to who resumes and to who is late', async () => {
    const id = await begin();
    const early = await stream(id);
    await gate.reached;
    const half = await early.until((text) => textOf(text).includes('29@'));
    const seen = parseEvents(half);
    await early.hangUp();
    gate.open('go on');
    const rest = await (await stream(id, seen.at(-1)!.id)).toEnd();
    const all = await (await stream(id)).toEnd();
    const written = await result(id);
    expect(written.match(/\d+@/g)).toEqual(Array.from({ length: 40 }, (_, n) => `${n}@`));
    expect(textOf(all)).toBe(written);
    const resumed = [...seen, ...parseEvents(rest)];
    expect(resumed).toEqual(parseEvents(all));
    expect(resumed.map((event) => Number(event.id))).toEqual(resumed.map((_, i) => i + 1));
    expect(resumed.filter(({ event }) => event === 'step').map(({ data }) => JSON.parse(data) as object)).toMatchObject(
      [
        { path: 'first', status: 'RUNNING', attempt: 1 },
        { path: 'first', status: 'SUCCEEDED' },
        { path: 'second', status: 'RUNNING' },
        { path: 'second', status: 'SUCCEEDED' },
      ],
    );
  });

  it('comes over a subscription, and stands in partialText until the result is there', async () => {
    const id = await begin();
    const events: Record<string, unknown>[] = [];
    const over = subscribe(id, (event) => events.push(event));
    await gate.reached;
    const partial = await pollUntil('what is written so far', async () => {
      const { execution } = await admin.graphql<{ execution: { partialText: string | null } }>(
        'query ($id: ID!) { execution(id: $id) { partialText } }',
        { id },
      );
      return execution.partialText?.includes('29@') === true ? execution.partialText : undefined;
    });
    gate.open('go on');
    await over;
    const written = await result(id);
    const deltas = events.filter(({ __typename }) => __typename === 'ExecutionTextDelta') as unknown as Delta[];
    expect(deltas.reduce(put, '')).toBe(written);
    expect(written.startsWith(partial)).toBe(true);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    const { execution } = await admin.graphql<{ execution: { partialText: string | null } }>(
      'query ($id: ID!) { execution(id: $id) { partialText } }',
      { id },
    );
    expect(execution.partialText).toBeNull();

    const later: Record<string, unknown>[] = [];
    await subscribe(id, (event) => later.push(event), String(events[7]!['cursor']));
    expect(later).toEqual(events.slice(8));
  });

  it('is not doubled when the runner is killed while it writes', async () => {
    const id = await begin();
    const reader = await stream(id);
    await gate.reached;
    await reader.until((text) => textOf(text).includes('29@'));
    await runner.end('SIGKILL');
    gate.open('go on');
    runner = await start('runner');
    const opening = setInterval(() => gate.open('go on'), 50);
    try {
      const all = await reader.toEnd();
      const written = await result(id);
      expect(textOf(all)).toBe(written);
      expect(written.match(/\d+@/g)).toEqual(Array.from({ length: 40 }, (_, n) => `${n}@`));
      const attempts = parseEvents(all)
        .filter(({ event }) => event === 'delta')
        .map(({ data }) => JSON.parse(data) as Delta);
      const again = attempts.find(({ attempt }) => attempt === 2)!;
      const [firstStep] = written.split('20@') as [string];
      expect(again.offset).toBe(firstStep.length); // the finished step was not written again
    } finally {
      clearInterval(opening);
    }
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'graphql-ws';
import pg from 'pg';
import { AppError } from '../../../src/errors.js';
import { formatId, newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';
import { addToken, type GraphqlProcess, openGraphqlProcess } from '../../support/graphql-process.js';

interface EventNode {
  readonly kind: string;
  readonly cursor: string;
  readonly seq: number;
  readonly status?: string;
  readonly delta?: string;
  readonly execution: { readonly id: string };
}

const FIELDS = `kind: __typename cursor seq execution { id }
  ... on ExecutionStatusChanged { status } ... on ExecutionTextDelta { delta }`;
const OF_WEBHOOK = `subscription($id: ID!, $after: String, $text: Boolean = true) {
  webhookExecutionEvents(webhookId: $id, after: $after, includeText: $text) { ${FIELDS} } }`;
const OF_CALL = `subscription($id: ID!, $after: String) { callExecutionEvents(callId: $id, after: $after) { ${FIELDS} } }`;

let fixture: ExecutionFixture;
/** Neither stores calls nor runs them. */
let here: GraphqlProcess;
let client: Client;
let webhookId: string;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  here = await openGraphqlProcess({ databaseUrl: fixture.url });
  client = here.client((await addToken(here.database.pool, 'viewer')).token);
  webhookId = formatId('webhook', fixture.webhookId);
  await fixture.addWorker('worker-quick', () => Promise.resolve({ result: asJsonText('1') }));
  await fixture.addWorker('worker-busy', async ({ steps, emitText, attempt }) => {
    for (const path of ['a', 'b', 'c']) {
      if (steps.finished(path) !== undefined) continue;
      await steps.start(path);
      emitText(`${path} `);
      await steps.finish(path, { output: asJsonText('1') });
      if (path === 'b' && attempt === 1) {
        throw new AppError('WORKER_FAILED', 'not yet', { retryable: true, retryAfterMs: 0 });
      }
    }
    return { result: asJsonText('2') };
  });
  await fixture.startRunner(4);
});

afterAll(async () => {
  await here.close();
  await fixture.close();
});

async function* values(query: string, variables: Record<string, unknown>): AsyncGenerator<EventNode, void> {
  for await (const { data, errors } of client.iterate<Record<string, EventNode>>({ query, variables })) {
    if (errors !== undefined) throw new Error(errors.map(({ extensions }) => extensions?.['code']).join());
    yield Object.values(data!)[0]!;
  }
}

async function toArray(events: AsyncGenerator<EventNode, void>): Promise<EventNode[]> {
  const all: EventNode[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Collects until so many executions have ended. */
async function collect(events: AsyncGenerator<EventNode, void>, executions: number): Promise<EventNode[]> {
  const all: EventNode[] = [];
  let left = executions;
  for await (const event of events) {
    all.push(event);
    if (event.status === 'SUCCEEDED') left -= 1;
    if (left === 0) break;
  }
  return all;
}

/** Each execution's events are all there, once, in their order. */
function expectWhole(events: readonly EventNode[], executionIds: readonly string[]): void {
  const byExecution = Map.groupBy(events, ({ execution }) => execution.id);
  expect([...byExecution.keys()].toSorted()).toEqual(executionIds.map((id) => formatId('execution', id)).toSorted());
  for (const ofOne of byExecution.values()) {
    expect(ofOne.map(({ seq }) => seq)).toEqual(ofOne.map((_, i) => i + 1));
    expect(ofOne.at(-1)!.status).toBe('SUCCEEDED');
  }
}

/** Resolves when the subscription has begun: with the first event of a call made for that. */
async function begun(events: AsyncGenerator<EventNode, void>): Promise<EventNode[]> {
  const first = events.next();
  const retry = setInterval(() => void fixture.store(['worker-quick']), 200);
  const { value } = await first;
  clearInterval(retry);
  return [value as EventNode];
}

describe('webhookExecutionEvents', () => {
  it('tells of all executions, and goes on behind any cursor without a gap or repeat', async () => {
    const events = values(OF_WEBHOOK, { id: webhookId });
    await begun(events);
    const calls = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        fixture.store(n % 2 === 0 ? ['worker-busy'] : ['worker-quick', 'worker-busy']),
      ),
    );
    const executionIds = calls.flatMap((call) => call.executionIds);
    const ours = new Set(executionIds.map((id) => formatId('execution', id)));
    const all: EventNode[] = [];
    let left = executionIds.length;
    for await (const event of events) {
      all.push(event);
      if (event.status === 'SUCCEEDED' && ours.has(event.execution.id)) left -= 1;
      if (left === 0) break;
    }
    expectWhole(
      all.filter(({ execution }) => ours.has(execution.id)),
      executionIds,
    );
    expect(all.filter(({ delta }) => delta !== undefined).length).toBeGreaterThan(20);
    for (const at of [0, 1, Math.floor(all.length / 3), Math.floor(all.length / 2), all.length - 2]) {
      const rest = all.slice(at + 1);
      const again: EventNode[] = [];
      for await (const event of values(OF_WEBHOOK, { id: webhookId, after: all[at]!.cursor })) {
        again.push(event);
        if (again.length === rest.length) break;
      }
      expect(again).toEqual(rest);
    }
  });

  it('leaves text out unless it is asked for', async () => {
    const events = values(OF_WEBHOOK, { id: webhookId, text: false });
    await begun(events);
    const { executionIds } = await fixture.store(['worker-busy']);
    const mine = formatId('execution', executionIds[0]!);
    const kinds = new Set<string>();
    for await (const event of events) {
      if (event.execution.id === mine) kinds.add(event.kind);
      if (event.execution.id === mine && event.status === 'SUCCEEDED') break;
    }
    expect(kinds).toEqual(new Set(['ExecutionStatusChanged', 'ExecutionStepChanged']));
  });

  it('waits for a transaction that is under way rather than skip what it writes', async () => {
    const events = values(OF_WEBHOOK, { id: webhookId });
    await begun(events);
    // An older transaction has an event of one execution in hand, while others come and go.
    const gate = signal();
    await fixture.addWorker('worker-held', async ({ steps }) => {
      await gate.given;
      await steps.start('only');
      return { result: asJsonText('3') };
    });
    const held = await fixture.store(['worker-held']);
    const other = new pg.Client({ connectionString: fixture.url });
    await other.connect();
    const heldId = formatId('execution', held.executionIds[0]!);
    const seen: EventNode[] = [];
    for await (const event of events) {
      if (event.execution.id === heldId) seen.push(event);
      if (seen.at(-1)?.status === 'RUNNING') break;
    }
    const last = seen.at(-1)!;
    await other.query('begin');
    const { rows } = await other.query<{ seq: number }>(
      'update executions set last_event_seq = last_event_seq + 1 where id = $1 returning last_event_seq as seq',
      [held.executionIds[0]],
    );
    await other.query(
      `insert into execution_events (execution_id, seq, at, kind, data)
       values ($1, $2, now(), 'status', '{"status":"RUNNING","attempt":1}')`,
      [held.executionIds[0], rows[0]!.seq],
    );
    const later = await fixture.store(['worker-quick']);
    await fixture.end(later.callId);
    const resumed = values(OF_WEBHOOK, { id: webhookId, after: last.cursor });
    const next = resumed.next();
    await other.query('commit');
    await other.end();
    gate.give();
    const rest: EventNode[] = [(await next).value as EventNode];
    const laterId = formatId('execution', later.executionIds[0]!);
    while (
      !(
        rest.some(({ execution, status }) => execution.id === laterId && status === 'SUCCEEDED') &&
        rest.some(({ execution, status }) => execution.id === heldId && status === 'SUCCEEDED')
      )
    ) {
      rest.push((await resumed.next()).value as EventNode);
    }
    await resumed.return();
    expectWhole([...seen, ...rest.filter(({ execution }) => execution.id === heldId)], held.executionIds);
    expectWhole(
      rest.filter(({ execution }) => execution.id === laterId),
      later.executionIds,
    );
  });

  it.each([
    ['a webhook that there is not', { id: formatId('webhook', newUuidV7()) }, 'NOT_FOUND'],
    ['a cursor of another kind', { after: '12' }, 'BAD_USER_INPUT'],
    [
      'a cursor from elsewhere',
      { after: '9223372036854775807.kz.00000000-0000-0000-0000-000000000000.1' },
      'BAD_USER_INPUT',
    ],
  ])('refuses %s', async (_what, given, code) => {
    await expect(values(OF_WEBHOOK, { id: webhookId, ...given }).next()).rejects.toThrow(code);
  });
});

describe('callExecutionEvents', () => {
  it('tells of all executions of a call from the beginning, and completes', async () => {
    const { callId, executionIds } = await fixture.store(['worker-busy', 'worker-quick', 'worker-busy']);
    const all = await toArray(values(OF_CALL, { id: formatId('call', callId) }));
    expectWhole(all, executionIds);
    const again = await toArray(values(OF_CALL, { id: formatId('call', callId) }));
    expect(again).toEqual(all);
    for (const at of [0, 5, all.length - 1]) {
      const rest = await toArray(values(OF_CALL, { id: formatId('call', callId), after: all[at]!.cursor }));
      expect(rest).toEqual(all.slice(at + 1));
    }
  });

  it('follows a sequence to its end', async () => {
    const { callId, executionIds } = await fixture.store(['worker-busy', 'worker-quick'], { dispatch: 'SEQUENTIAL' });
    expectWhole(await collect(values(OF_CALL, { id: formatId('call', callId) }), 2), executionIds);
  });

  it('refuses the cursor of an event of another call, as a webhook does of another webhook', async () => {
    const [one, other] = [await fixture.store(['worker-quick']), await fixture.store(['worker-quick'])];
    const id = formatId('call', one.callId);
    const [first] = await toArray(values(OF_CALL, { id }));
    await toArray(values(OF_CALL, { id: formatId('call', other.callId) }));
    const elsewhere = values(OF_CALL, { id: formatId('call', other.callId), after: first!.cursor });
    await expect(elsewhere.next()).rejects.toThrow('BAD_USER_INPUT');
    const another = newRandomUuid();
    await fixture.database.pool.query(
      `insert into webhooks select (jsonb_populate_record(w, jsonb_build_object('id', $2::text))).* from webhooks w
       where id = $1`,
      [fixture.webhookId, another],
    );
    const ofAnother = values(OF_WEBHOOK, { id: formatId('webhook', another), after: first!.cursor });
    await expect(ofAnother.next()).rejects.toThrow('BAD_USER_INPUT');
  });

  it('refuses a call that there is not', async () => {
    await expect(values(OF_CALL, { id: formatId('call', newUuidV7()) }).next()).rejects.toThrow('NOT_FOUND');
  });
});

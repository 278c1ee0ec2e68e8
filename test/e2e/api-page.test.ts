import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type CallbackReceiver, openCallbackReceiver, status } from '../support/callback-receiver.js';
import { ADMIN_TOKEN, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { differences, fillIn, operationsOf, type PageOperation } from '../support/page-operations.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const operations = await operationsOf('api.md');

let database: TestDatabase;
let gateway: GatewayProcess;
/** What the page calls the ERP system; it has no orders at first. */
let erp: CallbackReceiver;
/** What the page calls the dashboard. */
let dashboard: CallbackReceiver;

beforeAll(async () => {
  database = await createTestDatabase();
  erp = await openCallbackReceiver();
  dashboard = await openCallbackReceiver();
  erp.replyWith(status(500));
  gateway = await startGatewayProcess({ env: { ...databaseEnv(database.url), OUTBOUND_ALLOWED_CIDRS: '127.0.0.0/8' } });
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await Promise.all([erp.close(), dashboard.close()]);
  await database.drop();
});

/** What has to happen outside before an operation of the page. */
const BEFORE: Readonly<Record<string, () => void | Promise<void>>> = {
  RetryExecution: () => erp.replyWith(status(200, { 'content-type': 'application/json' }, '{"stored":true}')),
  ReadCallbacks: () => dashboard.until(1),
};

/** The page from top to bottom, with the token that it makes first. */
class Reader {
  token = ADMIN_TOKEN;
  readonly faults: string[] = [];
  readonly ran: string[] = [];
  readonly #answers: Record<string, unknown> = {};
  readonly #later: Promise<void>[] = [];
  readonly #closed = Promise.withResolvers<unknown>();
  #client: Client | undefined;

  async run(operation: PageOperation): Promise<void> {
    const { name, document, later } = operation;
    await BEFORE[name]?.();
    if (name === 'RevokeApiToken') await Promise.all(this.#later); // nothing comes after it
    this.ran.push(name);
    const variables = JSON.parse(
      JSON.stringify(fillIn(operation.variables, this.#answers))
        .replaceAll('https://erp.example', erp.url)
        .replaceAll('https://dashboard.example', dashboard.url),
    ) as Record<string, unknown>;
    if (!document.startsWith('subscription')) {
      const answer = await this.#post(document, variables);
      this.#answers[name] = answer;
      for (const expected of operation.answers) this.#compare(name, answer, expected);
      return;
    }
    const events = this.#client!.iterate({ query: document, variables });
    await this.#follow(events, operation.answers);
    if (later.length === 0) {
      await events.return?.(undefined);
      return;
    }
    const found = this.#follow(events, later).then(() => void events.return?.(undefined));
    found.catch(() => undefined); // it is awaited at the end
    this.#later.push(found);
    // What has nothing to tell at first does not tell that it listens, either.
    for (let i = 0; i < 20; i += 1) await this.#client!.iterate({ query: '{ viewer { id } }' }).next();
  }

  connect(): void {
    this.#client = createClient({
      url: `${gateway.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${this.token}` },
      retryAttempts: 0,
      lazy: false,
      onNonLazyError: () => undefined, // it is closed when its token ends
      on: { closed: (event) => this.#closed.resolve((event as { code: number }).code) },
    });
  }

  /** Resolves with the code that the WebSocket was closed with. */
  get closed(): Promise<unknown> {
    return this.#closed.promise;
  }

  async #post(query: string, variables: object): Promise<object> {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data?: Record<string, unknown>; errors?: unknown };
    Object.assign(this.#answers, data);
    return errors === undefined ? data! : { errors };
  }

  /** Awaits events among those that come, in their order. */
  async #follow(events: AsyncIterableIterator<{ data?: unknown; errors?: unknown }>, expected: readonly unknown[]) {
    for (const wanted of expected) {
      for (;;) {
        const { value, done } = await events.next();
        if (done === true) throw new Error(`it ended without ${JSON.stringify(wanted)}`);
        const { data, errors } = value as { data?: object; errors?: unknown };
        if (errors !== undefined) throw new Error(JSON.stringify(errors));
        if (differences(data, fillIn(wanted, this.#answers)).length > 0) continue;
        Object.assign(this.#answers, data);
        break;
      }
    }
  }

  #compare(name: string, answer: unknown, expected: unknown): void {
    this.faults.push(...differences(answer, fillIn(expected, this.#answers)).map((fault) => `${name}${fault}`));
  }

  answer(name: string): unknown {
    return this.#answers[name];
  }
}

describe('docs/api.md', () => {
  it('works from top to bottom, and every answer is the one that stands there', async () => {
    const reader = new Reader();
    for (const operation of operations) {
      await reader.run(operation);
      if (reader.faults.length > 0) break; // what follows builds on it
      if (operation.name !== 'CreateApiToken') continue;
      reader.token = (reader.answer('createApiToken') as { token: string }).token;
      reader.connect();
    }
    expect(reader.faults).toEqual([]);
    expect(await reader.closed).toBe(4403); // the last operation ended the token
    expect(reader.ran).toEqual(operations.map(({ name }) => name));
    expect(new Set(erp.received.map(({ body }) => body))).toEqual(new Set(['{"order":"A-2"}']));
    await dashboard.until(2); // the callback, and the one that was sent again
    expect(dashboard.received[1]!.headers['webhook-id']).toBe(dashboard.received[0]!.headers['webhook-id']);
  }, 90_000);

  it('has an answer for each operation', () => {
    const silent = operations.filter(({ answers, later }) => answers.length + later.length === 0);
    expect(silent.map(({ name }) => name)).toEqual([]);
    expect(operations.length).toBeGreaterThan(30);
  });

  it('is not pleased by another answer', () => {
    const page = { id: 'wh_…', at: '…', n: 1, list: [{ a: true }, '…'] };
    expect(differences({ id: 'wh_1', at: 5, n: 1, list: [{ a: true }, 2, 3] }, page)).toEqual([]);
    expect(differences({ id: 'wh_', at: null, n: '1', list: [{ a: false }], more: 1 }, page)).toEqual([
      '.id is "wh_" and not wh_…',
      '.at is null',
      '.n is "1" and not 1',
      '.list[0].a is false and not true',
      '.more is 1 and not undefined',
    ]);
    expect(differences({ list: [] }, { list: [{}] })).toHaveLength(1);
    expect(differences({ list: [1] }, { list: [] })).toHaveLength(1);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let run: GraphqlFixture['run'];

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  await fixture.addWorkers('worker-one');
  await addWorkerVersions(fixture);
  await addThreeOfEach();
});

afterAll(() => fixture.close());

const HOUR_MS = 3_600_000;

/** Of everything that is listed in both orders, so that the orders differ. */
async function addThreeOfEach(): Promise<void> {
  for (let i = 0; i < 3; i += 1) {
    const webhookId = await fixture.addWebhook(`of three ${i}`, ['worker-one']);
    await fixture.addCall({ webhookId, workerIds: ['worker-one'] });
    await run(
      `mutation {
         createConnection(input: { name: "c${i}", baseUrl: "https://c.example" }) { connection { id } }
         createModel(input: { name: "m${i}", provider: OPENAI, modelName: "gpt", apiKey: "sk-1" }) { model { id } }
         inviteUser(input: { name: "u${i}", email: "u${i}@three.example", role: VIEWER }) { user { id } }
       }`,
    );
  }
  await fixture.database.pool.query(
    `insert into alerts (id, webhook_id, kind, status, observed, expected, calls, opened_at, last_seen_at, changed_at)
     select gen_random_uuid(), id, 'SILENCE', 'OPEN', 0, 1, 1, now(), now(), now() from webhooks`,
  );
  await fixture.database.pool.query(
    `insert into bulk_operations (id, kind, filter, position, until_id, created_by)
     select gen_random_uuid(), 'REPLAY', '{}', gen_random_uuid(), gen_random_uuid(), users.id
     from users, generate_series(1, 3) limit 3`,
  );
}

describe('the order of a list', () => {
  it('can be the other one, page by page, with the same cursors', async () => {
    const webhookId = await fixture.addWebhook('ordered', ['worker-one']);
    const startMs = Date.now() - 10 * HOUR_MS;
    for (let i = 0; i < 5; i += 1) {
      await fixture.addCall({ webhookId, workerIds: ['worker-one'], receivedAtMs: startMs + i * HOUR_MS });
    }
    const pageOf = async (args: string): Promise<{ ids: string[]; end: string; info: object }> => {
      const { data } = await run(
        `{ calls(webhookId: "${webhookId}", ${args}) { nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }`,
      );
      const { endCursor: end, ...info } = data.calls.pageInfo;
      return { ids: data.calls.nodes.map(({ id }: { id: string }) => id), end, info };
    };
    const newest = (await pageOf('first: 10')).ids;
    expect(newest).toHaveLength(5);
    const oldest = newest.toReversed();
    expect((await pageOf('first: 10, order: OLDEST_FIRST')).ids).toEqual(oldest);
    const first = await pageOf('first: 2, order: OLDEST_FIRST');
    expect(first).toMatchObject({ ids: oldest.slice(0, 2), info: { hasNextPage: true, hasPreviousPage: false } });
    const second = await pageOf(`first: 2, after: "${first.end}", order: OLDEST_FIRST`);
    expect(second).toMatchObject({ ids: oldest.slice(2, 4), info: { hasNextPage: true, hasPreviousPage: true } });
    const last = await pageOf('last: 2, order: OLDEST_FIRST');
    expect(last).toMatchObject({ ids: oldest.slice(3), info: { hasNextPage: false, hasPreviousPage: true } });
  });

  it.each([
    ['executions', 'executions(first: 3, order: $order) { nodes { id } }'],
    ['users', 'users(first: 3, order: $order) { nodes { id } }'],
    ['connections', 'connections(first: 3, order: $order) { nodes { id } }'],
    ['models', 'models(first: 3, order: $order) { nodes { id } }'],
    ['alerts', 'alerts(first: 3, order: $order) { nodes { id } }'],
    ['bulkOperations', 'bulkOperations(first: 3, order: $order) { nodes { id } }'],
  ])('is there for %s', async (name, field) => {
    const idsIn = async (order: string): Promise<string[]> => {
      const { data, errors } = await run(`query ($order: ListOrder!) { ${field} }`, { order });
      expect(errors).toEqual([]);
      return data[name].nodes.map(({ id }: { id: string }) => id);
    };
    const oldest = await idsIn('OLDEST_FIRST');
    expect(oldest).toHaveLength(3);
    expect(oldest).toEqual(oldest.toSorted());
    const newest = await idsIn('NEWEST_FIRST');
    expect(newest).toHaveLength(3);
    expect(newest).toEqual(newest.toSorted().toReversed());
  });

  /** All of a list, three things at a time, in both orders; `key` says what a place in it is. */
  const pagesOf = async (list: (args: string) => string, name: string, key: string): Promise<unknown[][]> => {
    const all = async (order: string): Promise<unknown[]> => {
      const found: unknown[] = [];
      for (let after = ''; ;) {
        const args = `first: 3, order: ${order}${after}`;
        const page = `nodes { ${key} } pageInfo { hasNextPage hasPreviousPage endCursor }`;
        const { data, errors } = await run(`{ ${list(`(${args}) { ${page} }`)} }`);
        expect(errors).toEqual([]);
        const part = name.split('.').reduce((of, field) => of[field], data);
        expect(part.pageInfo.hasPreviousPage).toBe(found.length > 0);
        found.push(...part.nodes.map((node: Record<string, unknown>) => node[key]));
        if (!part.pageInfo.hasNextPage) return found;
        after = `, after: "${part.pageInfo.endCursor}"`;
      }
    };
    return [await all('NEWEST_FIRST'), await all('OLDEST_FIRST')];
  };

  it('is there for tokens, audit events, the calls of a webhook and the executions of a worker', async () => {
    const webhookId = await fixture.addWebhook('paged', ['worker-one']);
    for (let i = 0; i < 4; i += 1) {
      await fixture.addCall({ webhookId, workerIds: ['worker-one'] });
      await run(`mutation { createApiToken(input: { name: "t${i}" }) { apiToken { id } } }`);
    }
    const lists = [
      await pagesOf((page) => `apiTokens${page}`, 'apiTokens', 'id'),
      await pagesOf((page) => `auditEvents${page}`, 'auditEvents', 'seq'),
      await pagesOf((page) => `webhook(id: "${webhookId}") { calls${page} }`, 'webhook.calls', 'id'),
      await pagesOf((page) => `worker(id: "worker-one") { executions${page} }`, 'worker.executions', 'id'),
    ];
    for (const [newest, oldest] of lists) {
      expect(newest!.length).toBeGreaterThan(3);
      expect(oldest).toEqual(newest!.toReversed());
      const inTime = oldest!.toSorted((a, b) =>
        typeof a === 'number' ? a - Number(b) : String(a) < String(b) ? -1 : 1,
      );
      expect(oldest).toEqual(inTime);
    }
  });
});

describe('executions by time', () => {
  it('are those of the calls of that time, with and without a webhook', async () => {
    const webhookId = await fixture.addWebhook('timed', ['worker-one']);
    const startMs = Date.now() - 48 * HOUR_MS;
    const ids: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      const receivedAtMs = startMs + i * HOUR_MS;
      ids.push(...(await fixture.addCall({ webhookId, workerIds: ['worker-one'], receivedAtMs })).executionIds);
    }
    const between = async (more: string): Promise<string[]> => {
      const from = new Date(startMs + HOUR_MS).toISOString();
      const to = new Date(startMs + 3 * HOUR_MS).toISOString();
      const { data } = await run(
        `{ executions(first: 10, from: "${from}", to: "${to}" ${more}) { totalCount nodes { id } } }`,
      );
      expect(data.executions.totalCount).toBe(data.executions.nodes.length);
      return data.executions.nodes.map(({ id }: { id: string }) => id);
    };
    const expected = [ids[2], ids[1]];
    expect(await between('')).toEqual(expected);
    expect(await between(`, webhookId: "${webhookId}"`)).toEqual(expected);
    expect(await between(', workerId: "worker-none"')).toEqual([]);
  });
});

describe('the key of a creation', () => {
  const DEFINITION = `{ schemes: [{ scheme: "token", from: "header", name: "x-token" }], secretFrom: "user" }`;
  it.each([
    ['createConnection', 'connection { id }', '{ name: "A", baseUrl: "https://a.example", KEY }'],
    ['createHttpWorker', 'worker { id } signingSecret', '{ name: "A", url: "https://a.example/x", KEY }'],
    ['createAgentWorker', 'worker { id }', '{ name: "A", instructions: "Be of use.", KEY }'],
    ['createModel', 'model { id }', '{ name: "A", provider: OPENAI, modelName: "gpt", apiKey: "sk-1", KEY }'],
    ['createApiToken', 'apiToken { id } token', '{ name: "A", KEY }'],
    ['inviteUser', 'user { id } loginUrl', '{ name: "A", email: "a@a.example", role: VIEWER, KEY }'],
  ])('%s makes it once, and shows its secret once', async (mutation, fields, input) => {
    const made = async (key: string, name = 'A'): Promise<Record<string, unknown>> => {
      const given = input.replace('KEY', `idempotencyKey: "${key}"`).replace('"A"', `"${name}"`);
      const { data, errors } = await run(
        `mutation { ${mutation}(input: ${given}) { ${fields} userErrors { field code } } }`,
      );
      expect(errors).toEqual([]);
      return data[mutation];
    };
    const key = `once-${mutation}`;
    const thing = fields.split(' ')[0]!;
    const first = await made(key);
    expect(first).toMatchObject({ userErrors: [], [thing]: { id: expect.any(String) } });
    const again = await made(key);
    expect(again[thing]).toEqual(first[thing]);
    for (const secret of ['signingSecret', 'token', 'loginUrl']) {
      if (!(secret in first)) continue;
      expect(first[secret]).toEqual(expect.any(String));
      expect(again[secret]).toBeNull();
    }
    expect(await made(key, 'B')).toMatchObject({
      [thing]: null,
      userErrors: [{ field: ['idempotencyKey'], code: 'IDEMPOTENCY_MISMATCH' }],
    });
    expect(await made('\u00e4')).toMatchObject({ userErrors: [{ field: ['idempotencyKey'], code: 'INVALID_KEY' }] });
  });

  it('is free again when nothing was made', async () => {
    const invite = (email: string): string =>
      `mutation { inviteUser(input: { name: "C", email: "${email}", role: VIEWER, idempotencyKey: "free" }) {
         user { id } userErrors { code } } }`;
    await run(`mutation { inviteUser(input: { name: "B", email: "taken@a.example", role: VIEWER }) { user { id } } }`);
    expect((await run(invite('taken@a.example'))).data.inviteUser.user).toBeNull();
    expect((await run(invite('free@a.example'))).data.inviteUser).toMatchObject({ userErrors: [] });
  });

  it(`is there for providers, too`, async () => {
    const make = `mutation { createProvider(input: { name: "P", definition: ${DEFINITION}, idempotencyKey: "p" }) {
      provider { id } userErrors { field message } } }`;
    const first = (await run(make)).data.createProvider;
    expect(first.userErrors).toEqual([]);
    expect((await run(make)).data.createProvider.provider).toEqual(first.provider);
  });
});

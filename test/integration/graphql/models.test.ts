import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../../src/access/audit.js';
import { systemPrincipal } from '../../../src/access/principal.js';
import { ensureEnvironmentModels } from '../../../src/models/environment-models.js';
import { readCallableModel } from '../../../src/models/model-cache.js';
import { parseId } from '../../../src/lib/ids.js';
import { type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';
import {
  answer,
  refuse,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../../support/scripted-model-server.js';

const KEY = 'sk-canary-of-a-model-0123456789abcdef';

const FIELDS = `id name provider baseUrl modelName apiKeyHint promptPrice completionPrice cachedPrice requestsPerMinute
  tokensPerMinute concurrency structuredOutputs isDefault managedByEnvironment pausedUntil version`;

let fixture: GraphqlFixture;
let server: ScriptedModelServer;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  server = await startScriptedModelServer();
});

afterAll(async () => {
  const { rows } = await fixture.database.pool.query<{ everything: string }>(
    `select json_agg(m)::text || (select json_agg(a)::text from audit_events a) as everything from models m`,
  );
  expect(rows[0]?.everything).not.toContain('canary');
  expect(await verifyAudit(fixture.database.pool)).toMatchObject({ intact: true });
  await server.close();
  await fixture.close();
});

const LOCAL = { name: 'Local', provider: 'OPENAI_COMPATIBLE', modelName: 'llama' };

interface Payload {
  readonly model: Record<string, unknown> & { readonly id: string; readonly version: number };
  readonly userErrors: readonly { readonly field: string[]; readonly code: string; readonly message: string }[];
}

async function mutate(name: string, input: Record<string, unknown>, more = `model { ${FIELDS} }`): Promise<Payload> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { ${name}(input: $input) { ${more} userErrors { field code message } } }`;
  const { data, errors } = await fixture.run(document, { input });
  if (errors.length > 0) throw Object.assign(new Error(JSON.stringify(errors)), { codes: errors });
  return data[name] as Payload;
}

const create = (input: Record<string, unknown> = {}): Promise<Payload> =>
  mutate('createModel', { ...LOCAL, baseUrl: server.baseUrl, ...input });

/** The key as the desk would send it. */
async function keyOf(id: string): Promise<string | undefined> {
  const { database, keyring, clock } = fixture;
  return (await readCallableModel({ sql: database.pool, keyring, clock }, parseId('model', id)))?.apiKey;
}

describe('createModel', () => {
  it('stores a model with its limits and prices, and never shows its key', async () => {
    const { model, userErrors } = await create({
      name: ' Priced ',
      apiKey: KEY,
      promptPrice: '2.50',
      completionPrice: 10,
      cachedPrice: '0.25',
      requestsPerMinute: 0,
      concurrency: 4,
    });
    expect(userErrors).toEqual([]);
    expect(model).toMatchObject({
      name: 'Priced',
      apiKeyHint: '…cdef',
      promptPrice: '2.5',
      completionPrice: '10',
      cachedPrice: '0.25',
      requestsPerMinute: 0,
      tokensPerMinute: 0,
      concurrency: 4,
      isDefault: true, // the first one
      managedByEnvironment: false,
      version: 1,
    });
    expect(await keyOf(model.id)).toBe(KEY);
    const { model: second } = await create();
    expect(second).toMatchObject({ isDefault: false, requestsPerMinute: 600, apiKeyHint: null, cachedPrice: null });
  });

  it.each([
    ['name', { name: ' ' }],
    ['baseUrl', { baseUrl: null }],
    ['baseUrl', { baseUrl: 'ftp://models.example' }],
    ['baseUrl', { baseUrl: 'https://user:word@models.example' }],
    ['modelName', { modelName: '' }],
    ['apiKey', { provider: 'ANTHROPIC', baseUrl: null }],
    ['apiKey', { apiKey: 'two words' }],
    ['concurrency', { concurrency: -1 }],
  ])('says what is wrong with %s: %j', async (field, input) => {
    const { model, userErrors } = await create(input);
    expect(model).toBeNull();
    expect(userErrors.map((error) => error.field[0])).toEqual([field]);
  });

  it('is refused to an editor and to a viewer', async () => {
    for (const role of ['editor', 'viewer'] as const) {
      const { codes } = await fixture.run(
        'mutation ($input: CreateModelInput!) { createModel(input: $input) { model { id } } }',
        { input: { ...LOCAL, baseUrl: server.baseUrl } },
        await fixture.addUser(role),
      );
      expect(codes).toEqual(['FORBIDDEN']);
    }
  });
});

describe('updateModel', () => {
  it('changes what is given and keeps the rest, the key too', async () => {
    const { model } = await create({ apiKey: KEY, promptPrice: '1' });
    const { model: changed } = await mutate('updateModel', { id: model.id, expectedVersion: 1, modelName: 'other' });
    expect(changed).toMatchObject({ modelName: 'other', promptPrice: '1', apiKeyHint: '…cdef', version: 2 });
    expect(await keyOf(model.id)).toBe(KEY);
    const { model: without } = await mutate('updateModel', { id: model.id, apiKey: null });
    expect(without.apiKeyHint).toBeNull();
    expect(await keyOf(model.id)).toBeUndefined();
  });

  it('refuses an old version', async () => {
    const { model } = await create();
    await mutate('updateModel', { id: model.id, name: 'New' });
    const stale = mutate('updateModel', { id: model.id, name: 'Old', expectedVersion: 1 });
    await expect(stale).rejects.toMatchObject({ message: expect.stringContaining('CONFLICT') });
  });

  it('does not take a key along to another host', async () => {
    const { model } = await create({ apiKey: KEY });
    const moved = { id: model.id, baseUrl: 'https://elsewhere.example/v1' };
    const { userErrors } = await mutate('updateModel', moved);
    expect(userErrors).toMatchObject([{ field: ['apiKey'], code: 'REQUIRED' }]);
    const home = { id: model.id, provider: 'OPENAI', baseUrl: null };
    expect((await mutate('updateModel', home)).userErrors).toMatchObject([{ field: ['apiKey'], code: 'REQUIRED' }]);
    expect((await mutate('updateModel', { ...moved, apiKey: 'another-key-altogether' })).userErrors).toEqual([]);
  });
});

describe('setDefaultModel', () => {
  it('leaves one default', async () => {
    const { model } = await create();
    expect((await mutate('setDefaultModel', { id: model.id })).model).toMatchObject({ isDefault: true, version: 2 });
    const { model: next } = await create({ isDefault: true });
    const { data } = await fixture.run('{ models(first: 100) { nodes { id isDefault } totalCount } }');
    const defaults = data.models.nodes.filter((node: { isDefault: boolean }) => node.isDefault);
    expect(defaults.map((node: { id: string }) => node.id)).toEqual([next.id]);
    expect(data.models.totalCount).toBe(data.models.nodes.length);
  });
});

describe('deleteModel', () => {
  const remove = (id: string): Promise<Payload & { readonly deletedModelId?: string }> =>
    mutate('deleteModel', { id }, 'deletedModelId');

  it('deletes it with its key', async () => {
    const { model } = await create({ apiKey: KEY });
    expect(await remove(model.id)).toMatchObject({ deletedModelId: model.id, userErrors: [] });
    const { data } = await fixture.run(`query ($id: ID!) { model(id: $id) { id } node(id: $id) { id } }`, model);
    expect(data).toEqual({ model: null, node: null });
    const { rows } = await fixture.database.pool.query('select api_key_sealed as sealed from models where id = $1', [
      parseId('model', model.id),
    ]);
    expect(rows).toEqual([{ sealed: null }]);
  });

  it('is refused while an agent names it', async () => {
    const { model } = await create();
    const agent = { name: 'Agent', instructions: 'Be of use.', modelId: model.id };
    const { worker } = (await mutate('createAgentWorker', agent, 'worker { id }')) as unknown as {
      worker: { id: string };
    };
    expect((await remove(model.id)).userErrors).toMatchObject([
      { code: 'MODEL_IN_USE', message: expect.stringContaining('Agent') },
    ]);
    await mutate('deleteWorker', { id: worker.id }, 'deletedWorkerId');
    expect((await remove(model.id)).userErrors).toEqual([]);
  });
});

describe('testModel', () => {
  const test = (id: string): Promise<Payload> =>
    mutate('testModel', { id }, 'succeeded latencyMs promptTokens completionTokens cost answer error { code message }');

  it('says how it answered', async () => {
    const { model } = await create({ apiKey: KEY, promptPrice: 1_000, completionPrice: 1_000 });
    server.script(answer('ready'));
    expect(await test(model.id)).toMatchObject({
      succeeded: true,
      latencyMs: expect.any(Number),
      promptTokens: 10,
      completionTokens: 2,
      cost: '0.012',
      answer: 'ready',
      error: null,
    });
    expect(server.requests.at(-1)?.headers.authorization).toBe(`Bearer ${KEY}`);
  });

  it("gives the provider's error, without the key", async () => {
    const { model } = await create({ apiKey: KEY });
    server.script(refuse(401, `Incorrect API key provided: ${KEY}`));
    const result = await test(model.id);
    expect(result).toMatchObject({ succeeded: false, error: { code: 'MODEL_FAILED' } });
    expect(JSON.stringify(result)).toContain('Incorrect API key');
    expect(JSON.stringify(result)).not.toContain('canary');
  });
});

describe('a model of the environment', () => {
  const startup = (): ReturnType<typeof systemPrincipal> => systemPrincipal(fixture.owner.userId, 'startup');
  const wanted = {
    managedBy: 'OPENAI',
    provider: 'OPENAI',
    baseUrl: undefined,
    modelName: 'gpt',
    apiKey: KEY,
  } as const;

  const read = async (): Promise<Record<string, unknown>> => {
    const { data } = await fixture.run(`{ models(first: 100) { nodes { ${FIELDS} } } }`);
    return data.models.nodes.find((node: { managedByEnvironment: boolean }) => node.managedByEnvironment);
  };

  it('is made once, kept, and changed when its settings do', async () => {
    // Processes that start together make one.
    await Promise.all([1, 2, 3].map(() => ensureEnvironmentModels(fixture, startup(), [wanted])));
    const made = await read();
    expect(made).toMatchObject({ name: 'OpenAI', modelName: 'gpt', apiKeyHint: '…cdef', version: 1 });
    await ensureEnvironmentModels(fixture, startup(), [{ ...wanted, modelName: 'gpt-next', apiKey: `${KEY}2` }]);
    expect(await read()).toMatchObject({ id: made['id'], modelName: 'gpt-next', apiKeyHint: '…def2', version: 2 });
  });

  it('is not edited here but for its name, limits and prices', async () => {
    const { id } = await read();
    for (const change of [{ apiKey: 'k' }, { baseUrl: server.baseUrl }, { modelName: 'x' }, { provider: 'GOOGLE' }]) {
      const { userErrors } = await mutate('updateModel', { id, ...change });
      expect(userErrors).toMatchObject([{ field: Object.keys(change), code: 'MANAGED_BY_ENVIRONMENT' }]);
    }
    const { model } = await mutate('updateModel', { id, name: 'Ours', promptPrice: '3', requestsPerMinute: 7 });
    expect(model).toMatchObject({ name: 'Ours', promptPrice: '3', requestsPerMinute: 7 });
    await ensureEnvironmentModels(fixture, startup(), [{ ...wanted, modelName: 'gpt-3rd' }]);
    expect(await read()).toMatchObject({ name: 'Ours', promptPrice: '3', modelName: 'gpt-3rd' });
  });
});

import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GraphqlFixture, openGraphqlFixture } from '../support/graphql-fixture.js';

const DEFINITION = {
  schemes: [
    {
      scheme: 'hmac',
      alg: 'sha256',
      enc: 'hex',
      header: 'X-Acme-Signature',
      extract: { item: ',', kv: '=', field: 'v1' },
      ts: { from: 'signature', name: 't', unit: 's', toleranceMs: 300_000 },
      base: '{timestamp}.{body}',
    },
  ],
  dedup: { headers: ['X-Acme-Delivery'] },
  setup: 'Ask Acme.',
};

let fixture: GraphqlFixture;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  await fixture.addWorkers('worker-a');
  await fixture.database.pool.query(
    "insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max) values ('worker-a', 1, '{}', 1000, 1)",
  );
});

afterAll(() => fixture.close());

interface Payload {
  readonly provider: { id: string; version: number; definition: unknown } | null;
  readonly deletedProviderId?: string;
  readonly userErrors: readonly { field: string[]; message: string; code: string }[];
}

const mutate = async (name: string, input: object): Promise<Payload> => {
  const type = name[0]!.toUpperCase() + name.slice(1);
  const fields = name === 'deleteProvider' ? 'deletedProviderId' : 'provider { id version definition }';
  const { data, errors } = await fixture.run(
    `mutation ($input: ${type}Input!) { ${name}(input: $input) { ${fields} userErrors { field message code } } }`,
    { input },
  );
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data[name] as Payload;
};

const create = async (definition: object = DEFINITION): Promise<string> => {
  const { provider, userErrors } = await mutate('createProvider', { name: 'Acme', definition });
  if (provider === null) throw new Error(JSON.stringify(userErrors));
  return provider.id;
};

const webhookOf = (provider: string, more = {}): Promise<string> =>
  fixture.addWebhook('Acme calls', ['worker-a'], { authentication: { method: 'PROVIDER', provider, ...more } });

const versionOf = async (id: string): Promise<number> =>
  (await fixture.run('query ($id: ID!) { webhook(id: $id) { version } }', { id })).data.webhook.version as number;

describe('a provider of your own', () => {
  it('stands beside the built-in ones, which show their form', async () => {
    const id = await create();
    expect(id).toMatch(/^provider-[a-z0-9]{26}$/);
    const { data } = await fixture.run('{ providers { id name builtIn version algorithm header setup definition } }');
    expect(data.providers).toContainEqual({
      id,
      name: 'Acme',
      builtIn: false,
      version: 1,
      algorithm: 'HMAC-SHA256, hex',
      header: 'X-Acme-Signature',
      setup: 'Ask Acme.',
      definition: {
        ...DEFINITION,
        secretFrom: 'user',
        schemes: [{ ...DEFINITION.schemes[0], base: ['{timestamp}.{body}'] }],
      },
    });
    const github = data.providers.find((provider: { id: string }) => provider.id === 'github');
    expect(github).toMatchObject({ builtIn: true, version: null });
    const copied = await create(github.definition);
    const one = await fixture.run('query ($id: ID!) { provider(id: $id) { id definition } }', { id: copied });
    expect(one.data.provider).toEqual({ id: copied, definition: github.definition });
  });

  it.each(['provider-none', `provider-${'0'.repeat(26)}`, 'nobody', '\u0000', ''])(
    'is not there under %j',
    async (id) => {
      expect((await fixture.run('query ($id: ID!) { provider(id: $id) { id } }', { id })).data).toEqual({
        provider: null,
      });
      const update = 'mutation ($id: ID!) { updateProvider(input: { id: $id, name: "x" }) { provider { id } } }';
      expect((await fixture.run(update, { id })).codes).toEqual(['NOT_FOUND']);
      const webhook = await fixture.run(
        `mutation ($p: ID!) { createWebhook(input: { name: "x", workerIds: ["worker-a"],
          authentication: { method: PROVIDER, provider: $p } }) { userErrors { field code } } }`,
        { p: id },
      );
      expect(webhook.data.createWebhook.userErrors).toEqual([
        { field: ['authentication', 'provider'], code: 'UNKNOWN_PROVIDER' },
      ]);
    },
  );

  it('is refused with every fault named, and nothing is stored', async () => {
    const before = (await fixture.run('{ providers { id } }')).data.providers.length as number;
    const { provider, userErrors } = await mutate('createProvider', {
      name: ' ',
      definition: { schemes: [{ ...DEFINITION.schemes[0], alg: 'md5' }], extra: 1 },
    });
    expect(provider).toBeNull();
    expect(userErrors.map(({ field, code }) => `${field.join('.')} ${code}`)).toEqual([
      'name REQUIRED',
      'definition.schemes.0.alg INVALID_DEFINITION',
      'definition INVALID_DEFINITION',
    ]);
    expect(userErrors[2]!.message).toContain('extra');
    expect((await fixture.run('{ providers { id } }')).data.providers).toHaveLength(before);
  });

  it('is changed by who has seen it, and raises the versions of the webhooks that use it', async () => {
    const id = await create();
    const webhookId = await webhookOf(id);
    const other = await webhookOf('github');
    const renamed = await mutate('updateProvider', { id, name: 'Acme Inc.', expectedVersion: 1 });
    expect(renamed.provider).toMatchObject({ version: 2 });
    expect(await versionOf(webhookId)).toBe(2);
    const stale = await fixture.run(
      'mutation ($id: ID!) { updateProvider(input: { id: $id, name: "x", expectedVersion: 1 }) { provider { id } } }',
      { id },
    );
    expect(stale.codes).toEqual(['CONFLICT']);
    const same = await mutate('updateProvider', { id, definition: renamed.provider!.definition });
    expect(same.provider).toMatchObject({ version: 2 });
    expect(await versionOf(webhookId)).toBe(2);
    expect(await versionOf(other)).toBe(1);
  });

  it('is deleted only when no webhook uses it', async () => {
    const id = await create();
    const webhookId = await webhookOf(id);
    const refused = await mutate('deleteProvider', { id });
    expect(refused.userErrors).toMatchObject([{ field: ['id'], code: 'PROVIDER_IN_USE' }]);
    expect(refused.userErrors[0]!.message).toContain(`Acme calls (${webhookId})`);
    await fixture.run('mutation ($id: ID!) { deleteWebhook(input: { id: $id }) { deletedWebhookId } }', {
      id: webhookId,
    });
    expect(await mutate('deleteProvider', { id })).toMatchObject({ deletedProviderId: id, userErrors: [] });
    expect((await fixture.run('query ($id: ID!) { provider(id: $id) { id } }', { id })).data.provider).toBeNull();
  });

  it('is held while a webhook begins to use it', async () => {
    const id = await create();
    const [webhook, deleted] = await Promise.allSettled([webhookOf(id), mutate('deleteProvider', { id })]);
    const isInUse = deleted.status === 'fulfilled' && deleted.value.userErrors.length > 0;
    expect(webhook.status === 'fulfilled').toBe(isInUse);
  });

  it('needs the permission to change webhooks, and is audited', async () => {
    const operator = await fixture.addUser('operator');
    const mutation =
      'mutation ($d: JSON!) { createProvider(input: { name: "x", definition: $d }) { provider { id } } }';
    expect((await fixture.run(mutation, { d: DEFINITION }, operator)).codes).toEqual(['FORBIDDEN']);
    expect((await fixture.run(mutation, { d: DEFINITION }, null)).codes).toEqual(['UNAUTHENTICATED']);
    const id = await create();
    await mutate('updateProvider', { id, definition: { ...DEFINITION, setup: 'Other.' } });
    await mutate('deleteProvider', { id });
    const { rows } = await fixture.database.pool.query(
      'select action from audit_events where subject_id = $1 order by seq',
      [id],
    );
    expect(rows.map(({ action }) => action)).toEqual(['provider.created', 'provider.updated', 'provider.deleted']);
  });

  it('signs test calls and gives a command that does', async () => {
    const id = await webhookOf(await create());
    const { data } = await fixture.run(
      'mutation ($id: ID!) { testWebhook(input: { id: $id, payload: {} }) { httpStatus curl userErrors { message } } }',
      { id },
    );
    expect(data.testWebhook).toMatchObject({ httpStatus: 202, userErrors: [] });
    expect(data.testWebhook.curl).toContain('X-Acme-Signature: t=${timestamp},v1=${signature}');
  });
});

describe('rotating the secret of a sender that makes it', () => {
  const rotate = async (id: string, secret?: string): Promise<readonly { field: string[]; code: string }[]> =>
    (
      await fixture.run(
        'mutation ($input: RotateWebhookSecretInput!) { rotateWebhookSecret(input: $input) { userErrors { field code } } }',
        { input: { id, secret } },
      )
    ).data.rotateWebhookSecret.userErrors as { field: string[]; code: string }[];

  it('needs the secret', async () => {
    const signing = createHmac('sha256', 'x').update('y').digest('hex');
    const slack = await webhookOf('slack', { secret: signing });
    expect(await rotate(slack)).toEqual([{ field: ['secret'], code: 'REQUIRED' }]);
    expect(await rotate(slack, `${signing}2`)).toEqual([]);
    const stripe = await webhookOf('stripe');
    expect(await rotate(stripe)).toEqual([{ field: ['secret'], code: 'REQUIRED' }]);
    const ownOne = await webhookOf(await create({ ...DEFINITION, secretFrom: 'sender' }), { secret: signing });
    expect(await rotate(ownOne)).toEqual([{ field: ['secret'], code: 'REQUIRED' }]);
  });

  it('takes none that the sender cannot have made', async () => {
    const discord = await webhookOf('discord', { secret: 'ab'.repeat(32) });
    expect(await rotate(discord, 'not a public key')).toEqual([{ field: ['secret'], code: 'INVALID_SECRET' }]);
  });

  it('makes one where the user hands it out', async () => {
    expect(await rotate(await webhookOf('github'))).toEqual([]);
    expect(await rotate(await fixture.addWebhook('plain', ['worker-a']))).toEqual([]);
  });
});

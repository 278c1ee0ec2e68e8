import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../src/access/audit.js';
import { formatId } from '../../src/lib/ids.js';
import { assertKeyring } from '../../src/secrets/assert-keyring.js';
import { expireSecret } from '../../src/secrets/expire-secret.js';
import { regenerateSecret } from '../../src/secrets/regenerate-secret.js';
import { revealSecret } from '../../src/secrets/reveal-secret.js';
import { rotateSecret } from '../../src/secrets/rotate-secret.js';
import { Keyring } from '../../src/secrets/seal.js';
import { type CreatedWebhook, createWebhook } from '../../src/webhooks/manage/create-webhook.js';
import { deleteWebhook } from '../../src/webhooks/manage/delete-webhook.js';
import { readWebhooks } from '../../src/webhooks/manage/read-webhooks.js';
import type { WebhookView } from '../../src/webhooks/manage/webhook-view.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';
import { valueOf } from '../support/value-of.js';

const HOUR_MS = 3_600_000;

let fixture: AdminFixture;

beforeAll(async () => {
  fixture = await openAdminFixture();
  await fixture.addWorkers('worker-echo');
});

afterAll(() => fixture.close());

const newWebhook = async (secret?: string): Promise<CreatedWebhook> =>
  valueOf(
    await createWebhook(fixture, fixture.owner, {
      name: 'Orders',
      workerIds: ['worker-echo'],
      executionMode: 'ASYNC',
      dispatch: 'PARALLEL',
      active: true,
      authentication: { method: 'SECRET_HEADER', secret },
    }),
  );

const read = async (id: string): Promise<WebhookView> => (await readWebhooks(fixture, fixture.owner, [id]))[0]!;

/** The secrets that the ingress would accept now. */
async function validSecrets(webhookId: string): Promise<string[]> {
  const { rows } = await fixture.database.pool.query<{ id: string; version: number; sealed: Buffer }>(
    `select id, version, sealed from webhook_secrets where webhook_id = $1 and revoked_at is null
       and (expires_at is null or expires_at > to_timestamp($2::float8 / 1000)) order by version desc`,
    [webhookId, fixture.clock.nowMs()],
  );
  return rows.map(({ id, version, sealed }) =>
    fixture.keyring.open(sealed, { table: 'webhook_secrets', row: id, version }).toString(),
  );
}

describe('rotating a secret', () => {
  it('keeps the old one for the overlap and tells when it ends', async () => {
    const { webhook, secret } = await newWebhook();
    const rotated = valueOf(await rotateSecret(fixture, fixture.owner, { webhookId: webhook.id, overlapMs: HOUR_MS }));
    expect(rotated.secret).not.toBe(secret);
    expect(Math.abs(rotated.previousExpiresAt!.getTime() - fixture.clock.nowMs() - HOUR_MS)).toBeLessThan(10_000);
    expect(await validSecrets(webhook.id)).toEqual([rotated.secret, secret]);
    expect(await read(webhook.id)).toMatchObject({
      version: webhook.version + 1,
      secrets: [
        { id: rotated.secretId, version: 2, state: 'active', expiresAt: null, hint: `…${rotated.secret.slice(-4)}` },
        { version: 1, state: 'retiring', expiresAt: rotated.previousExpiresAt },
      ],
    });
    fixture.clock.advance(HOUR_MS + 1);
    expect(await validSecrets(webhook.id)).toEqual([rotated.secret]);
  });

  it('leaves at most two old ones, also when several rotate at once', async () => {
    const { webhook } = await newWebhook();
    const rotations = await Promise.all(
      Array.from({ length: 5 }, () =>
        rotateSecret(fixture, fixture.owner, { webhookId: webhook.id, overlapMs: HOUR_MS }),
      ),
    );
    const secrets = rotations.map((rotation) => valueOf(rotation).secret);
    const valid = await validSecrets(webhook.id);
    expect(valid).toHaveLength(3);
    expect(secrets).toEqual(expect.arrayContaining(valid));
    const { version, secrets: versions } = await read(webhook.id);
    expect(version).toBe(6);
    expect(versions.map((secret) => secret.version)).toEqual([6, 5, 4, 3, 2, 1]);
    expect(versions.filter(({ state }) => state === 'active')).toHaveLength(1);
  });

  it('takes a secret that the sender made', async () => {
    const { webhook, secret } = await newWebhook();
    const input = { webhookId: webhook.id, overlapMs: 0, secret: 'shpss_0123456789abcdef' };
    expect(valueOf(await rotateSecret(fixture, fixture.owner, input)).secret).toBe(input.secret);
    expect((await read(webhook.id)).secrets.map(({ state }) => state)).toEqual(['active', 'revoked']);
    expect(await validSecrets(webhook.id)).toEqual([input.secret]);
    expect(await rotateSecret(fixture, fixture.owner, input)).toMatchObject({
      ok: false,
      userErrors: [{ field: ['secret'], code: 'ALREADY_IN_USE' }],
    });
    expect(valueOf(await rotateSecret(fixture, fixture.owner, { ...input, secret })).secret).toBe(secret);
  });

  it.each([
    ['an overlap below nothing', { overlapMs: -1 }, ['overlap'], 'OUT_OF_RANGE'],
    ['an overlap that is no number', { overlapMs: Number.NaN }, ['overlap'], 'OUT_OF_RANGE'],
    ['an overlap beyond 30 days', { overlapMs: 721 * HOUR_MS }, ['overlap'], 'OUT_OF_RANGE'],
    ['a short secret', { overlapMs: 0, secret: 'short' }, ['secret'], 'TOO_SHORT'],
  ])('refuses %s and changes nothing', async (_, input, field, code) => {
    const { webhook, secret } = await newWebhook();
    const outcome = await rotateSecret(fixture, fixture.owner, { webhookId: webhook.id, ...input });
    expect(outcome).toMatchObject({ ok: false, userErrors: [{ field, code }] });
    expect(await validSecrets(webhook.id)).toEqual([secret]);
    expect((await read(webhook.id)).version).toBe(webhook.version);
  });
});

describe('regenerating a secret', () => {
  it('ends all others at once', async () => {
    const { webhook } = await newWebhook();
    await rotateSecret(fixture, fixture.owner, { webhookId: webhook.id, overlapMs: HOUR_MS });
    const { secret } = valueOf(await regenerateSecret(fixture, fixture.owner, { webhookId: webhook.id }));
    expect(await validSecrets(webhook.id)).toEqual([secret]);
    const { version, secrets } = await read(webhook.id);
    expect(version).toBe(webhook.version + 2);
    expect(secrets[0]).toMatchObject({ state: 'active', version: 3 });
  });
});

describe('ending a secret before its time', () => {
  it('ends a retiring one, once, and never the active one', async () => {
    const { webhook, secret } = await newWebhook();
    const rotated = valueOf(await rotateSecret(fixture, fixture.owner, { webhookId: webhook.id, overlapMs: HOUR_MS }));
    const old = (await read(webhook.id)).secrets[1]!;
    expect(await validSecrets(webhook.id)).toContain(secret);
    for (let i = 0; i < 2; i += 1) {
      expect(valueOf(await expireSecret(fixture, fixture.owner, { secretId: old.id }))).toEqual({
        webhookId: webhook.id,
      });
      expect(await validSecrets(webhook.id)).toEqual([rotated.secret]);
      expect((await read(webhook.id)).version).toBe(webhook.version + 2);
    }
    expect(await expireSecret(fixture, fixture.owner, { secretId: rotated.secretId })).toMatchObject({
      ok: false,
      userErrors: [{ code: 'SECRET_ACTIVE' }],
    });
    await expect(expireSecret(fixture, fixture.owner, { secretId: webhook.id })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('showing a secret', () => {
  it('shows the active one and records who saw it', async () => {
    const { webhook } = await newWebhook();
    const rotated = valueOf(await rotateSecret(fixture, fixture.owner, { webhookId: webhook.id, overlapMs: HOUR_MS }));
    const admin = await fixture.addUser('admin');
    expect(await revealSecret(fixture, admin, { webhookId: webhook.id })).toEqual({
      secretId: rotated.secretId,
      secret: rotated.secret,
    });
    const { rows } = await fixture.database.pool.query('select * from audit_events order by seq desc limit 1');
    expect(rows[0]).toMatchObject({
      action: 'webhook.secret-revealed',
      user_id: admin.userId,
      subject_id: formatId('webhook', webhook.id),
      details: { secretId: formatId('secretVersion', rotated.secretId) },
    });
    expect((await read(webhook.id)).version).toBe(webhook.version + 1); // seeing changes nothing
  });

  it('is limited to 20 a minute for each user, also at once', async () => {
    const { webhook } = await newWebhook();
    const [curious, other] = [await fixture.addUser('admin'), await fixture.addUser('admin')];
    const reveals = await Promise.allSettled(
      Array.from({ length: 23 }, () => revealSecret(fixture, curious, { webhookId: webhook.id })),
    );
    const refused = reveals.filter((reveal) => reveal.status === 'rejected');
    expect(refused.map(({ reason }) => reason.code)).toEqual(['RATE_LIMITED', 'RATE_LIMITED', 'RATE_LIMITED']);
    await expect(revealSecret(fixture, other, { webhookId: webhook.id })).resolves.toBeDefined();
  });
});

describe('the changes of secrets', () => {
  it('need their permission and a webhook that is there', async () => {
    const { webhook, secret } = await newWebhook();
    const { id: webhookId } = webhook;
    const [operator, editor] = [await fixture.addUser('operator'), await fixture.addUser('editor')];
    const rotate = { webhookId, overlapMs: 0 };
    await expect(rotateSecret(fixture, operator, rotate)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(regenerateSecret(fixture, operator, { webhookId })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(expireSecret(fixture, operator, { secretId: webhookId })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(revealSecret(fixture, editor, { webhookId })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(revealSecret(fixture, undefined, { webhookId })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await validSecrets(webhookId)).toEqual([secret]);
    await deleteWebhook(fixture, fixture.owner, { id: webhookId });
    await expect(rotateSecret(fixture, fixture.owner, rotate)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(regenerateSecret(fixture, fixture.owner, { webhookId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(revealSecret(fixture, fixture.owner, { webhookId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leave no secret anywhere in the database but sealed', async () => {
    const canary = 'canary-5b1f0e7a9c';
    const { webhook } = await newWebhook(`${canary}-one`);
    const input = { webhookId: webhook.id, overlapMs: HOUR_MS, secret: `${canary}-two` };
    await rotateSecret(fixture, fixture.owner, input);
    const again = await rotateSecret(fixture, fixture.owner, input);
    const wrong = await rotateSecret(fixture, fixture.owner, { ...input, secret: `${canary}-ü` });
    await revealSecret(fixture, fixture.owner, { webhookId: webhook.id });
    expect(JSON.stringify([again, wrong, await read(webhook.id)])).not.toContain(canary);
    const { rows } = await fixture.database.pool.query(`
      select query_to_xml('select * from audit_events', true, false, '')::text
        || query_to_xml('select * from webhook_secrets', true, false, '')::text
        || query_to_xml('select * from webhooks', true, false, '')::text as dump`);
    expect(rows[0].dump).toContain('webhook.secret-rotated');
    for (const form of [
      canary,
      Buffer.from(canary).toString('hex'),
      Buffer.from(canary).toString('base64').slice(0, -2),
    ]) {
      expect(rows[0].dump).not.toContain(form);
    }
    expect(await verifyAudit(fixture.database.pool)).toMatchObject({ intact: true });
  });
});

describe('the keyring of a database', () => {
  const KEY = randomBytes(32);
  const ring = (...ids: string[]): Keyring => {
    const [first, ...others] = ids.map((id) => ({ id, key: id === 'k1' ? KEY : Buffer.alloc(32, id) }));
    return new Keyring([first!, ...others]);
  };

  it('is proven at every start; what it derives outlives a change of keys', async () => {
    const first = ring('k1');
    await Promise.all([assertKeyring(fixture.database, first), assertKeyring(fixture.database, ring('k1'))]);
    const links = first.deriveKey('links');

    const withNew = ring('k2', 'k1');
    await assertKeyring(fixture.database, withNew);
    expect(withNew.deriveKey('links').equals(links)).toBe(true);
  });

  it('refuses to start without a key that sealed here, or with another one of its name', async () => {
    await expect(assertKeyring(fixture.database, ring('k2'))).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_INVALID',
      message: expect.stringMatching(/"k1" sealed secrets in this database and is missing.*ENCRYPTION_KEYS/),
    });
    const impostor = new Keyring([
      { id: 'k2', key: Buffer.alloc(32, 'k2') },
      { id: 'k1', key: randomBytes(32) },
    ]);
    await expect(assertKeyring(fixture.database, impostor)).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_INVALID',
      message: expect.stringMatching(/"k1" is not the one that sealed/),
    });
  });

  it('leaves no proof of a keyring that it refused', async () => {
    await expect(assertKeyring(fixture.database, ring('k3', 'k2'))).rejects.toThrow('"k1"');
    const { rows } = await fixture.database.pool.query('select id from encryption_keys order by id');
    expect(rows).toEqual([{ id: 'k1' }, { id: 'k2' }]);
  });
});

import { isDeepStrictEqual } from 'node:util';
import { LockMode } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../../access/audit.js';
import { createOnce, type KeyedCreation } from '../../access/creation-key.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { Database } from '../../db/database.js';
import { assertVersion } from '../../db/expected-version.js';
import { AppError } from '../../errors.js';
import { publish } from '../../events/publish.js';
import type { Clock } from '../../lib/clock.js';
import { formatId, newUuidV7, parseId } from '../../lib/ids.js';
import { inUseFaults, type NamedUser } from '../../lib/in-use.js';
import { nameFaults } from '../../lib/text-rules.js';
import { type Outcome, refused, succeeded } from '../../lib/user-error.js';
import { parseDefinition } from './definition.js';
import { type OwnProvider, ProviderEntity } from './provider.entity.js';

export interface ProviderDeps {
  readonly database: Database;
  readonly clock: Clock;
}

export interface CreateProviderInput {
  readonly name: string;
  /** As a user wrote it: anything. */
  readonly definition: unknown;
}

/** What is left out stays as it is. */
export interface UpdateProviderInput extends Partial<CreateProviderInput> {
  readonly id: string;
  /** The version that the caller has seen. */
  readonly expectedVersion?: number | undefined;
}

/** All of them are shown in one list, without pages. */
const PROVIDERS_MAX = 200;

/** Serialises creations, so that the limit above holds ("prov" as a number). */
const CREATION_LOCK = 0x7072_6f76;

/** Webhooks that a refusal names. */
const NAMED_MAX = 20;

/**
 * Adds a sender of the user's own.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function createProvider(
  deps: ProviderDeps,
  principal: Principal | undefined,
  input: CreateProviderInput & KeyedCreation,
): Promise<Outcome<OwnProvider>> {
  requirePermission(principal, 'webhooks:write');
  const parsed = parseDefinition(input.definition);
  const userErrors = [...nameFaults(['name'], input.name), ...('userErrors' in parsed ? parsed.userErrors : [])];
  if ('userErrors' in parsed || userErrors.length > 0) return { ok: false, userErrors };
  const id = formatId('provider', newUuidV7(deps.clock.nowMs()));
  const { definition } = parsed;
  const make = async (em: EntityManager): Promise<Outcome<OwnProvider>> => {
    await em.execute('select pg_advisory_xact_lock(?)', [CREATION_LOCK]);
    if ((await em.count(ProviderEntity)) >= PROVIDERS_MAX) {
      const message = `There are ${PROVIDERS_MAX} providers of your own already, the most there can be.`;
      return refused({ field: ['name'], message, code: 'TOO_MANY' });
    }
    const nowMs = deps.clock.nowMs();
    const provider = em.create(ProviderEntity, {
      id,
      name: input.name.trim(),
      definition,
      version: 1,
      createdAt: new Date(nowMs),
      updatedAt: new Date(nowMs),
    });
    em.persist(provider);
    await em.flush();
    await recordAudit(em, principal, {
      action: 'provider.created',
      subjectId: provider.id,
      details: { name: provider.name },
    });
    return succeeded(provider);
  };
  return await createOnce(deps.database, principal, {
    idempotencyKey: input.idempotencyKey,
    creation: { kind: 'provider', input: { name: input.name.trim(), definition }, subjectId: id },
    make,
    find: async (providerId) => {
      const provider = await deps.database.em().findOne(ProviderEntity, { id: providerId });
      if (provider === null) throw new AppError('NOT_FOUND', 'The provider that was made with this key is deleted.');
      return provider;
    },
  });
}

/**
 * Changes a provider. The versions of its webhooks go up with it: no call is stored by a definition that was replaced,
 * whatever a process has heard (docs/adr/0003).
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function updateProvider(
  deps: ProviderDeps,
  principal: Principal | undefined,
  input: UpdateProviderInput,
): Promise<Outcome<OwnProvider>> {
  requirePermission(principal, 'webhooks:write');
  const parsed = input.definition === undefined ? undefined : parseDefinition(input.definition);
  const userErrors = [
    ...(input.name === undefined ? [] : nameFaults(['name'], input.name)),
    ...(parsed !== undefined && 'userErrors' in parsed ? parsed.userErrors : []),
  ];
  if (userErrors.length > 0) return { ok: false, userErrors };
  return await deps.database.transaction(async (em) => {
    const provider = await lockProvider(em, input.id, input.expectedVersion);
    const name = input.name?.trim() ?? provider.name;
    const definition = parsed !== undefined && 'definition' in parsed ? parsed.definition : provider.definition;
    const isRedefined = !isDeepStrictEqual(stored(definition), provider.definition);
    if (!isRedefined && name === provider.name) return succeeded(provider);
    em.assign(provider, { name, version: provider.version + 1, updatedAt: new Date(deps.clock.nowMs()) });
    if (isRedefined) provider.definition = definition;
    await em.flush();
    const webhookIds = await raiseVersions(em, provider.id);
    await publish(
      em,
      webhookIds.map((webhookId) => ({ kind: 'webhook-changed', webhookId })),
    );
    await recordAudit(em, principal, {
      action: 'provider.updated',
      subjectId: provider.id,
      details: { name, redefined: isRedefined, webhooks: webhookIds.length },
    });
    return succeeded(provider);
  });
}

/**
 * Deletes a provider that no webhook uses.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function deleteProvider(
  deps: ProviderDeps,
  principal: Principal | undefined,
  input: { readonly id: string; readonly expectedVersion?: number | undefined },
): Promise<Outcome<{ readonly id: string }>> {
  requirePermission(principal, 'webhooks:write');
  return await deps.database.transaction(async (em) => {
    const provider = await lockProvider(em, input.id, input.expectedVersion);
    const webhooks = await em.execute<NamedUser[]>(
      `select id, name from webhooks where auth_provider = ? and deleted_at is null order by name, id limit ${NAMED_MAX}`,
      [provider.id],
    );
    const users = webhooks.map(({ id, name }) => ({ id: formatId('webhook', id), name }));
    if (users.length > 0) return refused(...inUseFaults(users, 'webhooks', 'this provider', 'PROVIDER_IN_USE'));
    em.remove(provider);
    await em.flush();
    await recordAudit(em, principal, {
      action: 'provider.deleted',
      subjectId: input.id,
      details: { name: provider.name },
    });
    return succeeded({ id: input.id });
  });
}

/** Also holds off webhooks that are being given this provider, and waits for those that were. */
async function lockProvider(em: EntityManager, id: string, expectedVersion: number | undefined): Promise<OwnProvider> {
  const provider =
    parseId('provider', id) === undefined
      ? null
      : await em.findOne(ProviderEntity, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (provider === null) throw new AppError('NOT_FOUND', 'There is no such provider of your own.');
  assertVersion('The provider', provider.version, expectedVersion);
  return provider;
}

/** In the order of their ids, so that two changes that touch the same webhooks don't lock each other out. */
async function raiseVersions(em: EntityManager, providerId: string): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>(
    `with used as (
      select id from webhooks where auth_provider = ? and deleted_at is null order by id for update
    )
    update webhooks w set version = w.version + 1, updated_at = now() from used where w.id = used.id returning w.id`,
    [providerId],
  );
  return rows.map(({ id }) => id);
}

/** As it comes back from the database: without members that are not there. */
function stored(definition: unknown): unknown {
  return JSON.parse(JSON.stringify(definition)) as unknown;
}

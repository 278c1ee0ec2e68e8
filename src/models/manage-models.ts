import type { EntityManager } from '@mikro-orm/postgresql';
import { type AuditEntry, recordAudit } from '../access/audit.js';
import { createOnce, type KeyedCreation } from '../access/creation-key.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Database } from '../db/database.js';
import { assertVersion } from '../db/expected-version.js';
import { AppError } from '../errors.js';
import { publish } from '../events/publish.js';
import type { Clock } from '../lib/clock.js';
import { formatId, newUuidV7, parseId } from '../lib/ids.js';
import { inUseFaults, type NamedUser } from '../lib/in-use.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import type { Keyring } from '../secrets/seal.js';
import { hasDefaultModel, lockDefaultModel } from './default-model.js';
import { type ModelFields, type ModelInput, parseModelInput } from './model-input.js';
import { keyHint, openKey, sealedKeyOf } from './model-key.js';
import { type Model, ModelEntity } from './model.entity.js';
import { newModelRow } from './new-model.js';
import { baseUrlOf } from './provider-urls.js';
import { type ModelView, readModelsById } from './read-models.js';

export interface ManageModelsDeps {
  readonly database: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
}

/** What is left out stays as it is. */
export interface UpdateModelInput extends Partial<ModelInput> {
  /** A UUID. */
  readonly id: string;
  /** The version that the user saw; another one is current by now: CONFLICT. */
  readonly expectedVersion?: number | undefined;
}

/** Makes a model. The first one is the default. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function createModel(
  deps: ManageModelsDeps,
  principal: Principal | undefined,
  input: ModelInput & KeyedCreation & { readonly isDefault?: boolean | undefined },
): Promise<Outcome<ModelView>> {
  requirePermission(principal, 'models:write');
  const parsed = parseModelInput(input);
  if (!parsed.ok) return parsed;
  const { provider, modelName } = parsed.value;
  const now = new Date(deps.clock.nowMs());
  const id = newUuidV7(now.getTime());
  const make = async (em: EntityManager): Promise<Outcome<string>> => {
    await lockDefaultModel(em);
    const isDefault = input.isDefault ?? !(await hasDefaultModel(em));
    if (isDefault) await clearDefault(em);
    const row = newModelRow(em, { id, name: parsed.value.name, provider, modelName, now });
    em.assign(row, { ...columnsOf(parsed.value), ...keyColumns(deps.keyring, id, 1, parsed.value.apiKey), isDefault });
    await em.flush();
    await publish(em, [{ kind: 'model-changed', modelId: id }]);
    await recordAudit(em, principal, auditOf('model.created', row));
    return succeeded(id);
  };
  const made = await createOnce(deps.database, principal, {
    idempotencyKey: input.idempotencyKey,
    creation: {
      kind: 'model',
      input: { ...parsed.value, apiKey: null, isDefault: input.isDefault ?? null },
      subjectId: formatId('model', id),
    },
    make,
    find: (modelId) => Promise.resolve(parseId('model', modelId)!),
  });
  return made.ok ? succeeded(await readModel(deps, made.value)) : made;
}

/**
 * Changes a model for all that use it, with their next step. A base URL of another origin needs the key anew: whoever may
 * write models must not be able to have a stored one sent to a place of their own.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function updateModel(
  deps: ManageModelsDeps,
  principal: Principal | undefined,
  input: UpdateModelInput,
): Promise<Outcome<ModelView>> {
  requirePermission(principal, 'models:write');
  const { id } = input;
  const outcome = await deps.database.transaction(async (em): Promise<Outcome<undefined>> => {
    const row = await lockModel(em, id, input.expectedVersion);
    const managed = managedFaults(row, input);
    if (managed.length > 0) return refused(...managed);
    const storedKey = openKey(deps.keyring, row);
    const parsed = parseModelInput(merged(row, storedKey, input));
    if (!parsed.ok) return parsed;
    const fields = parsed.value;
    const movedTo = new URL(baseUrlOf(fields.provider, fields.baseUrl)).origin;
    const moved = movedTo !== new URL(baseUrlOf(row.provider, row.baseUrl ?? null)).origin;
    if (moved && input.apiKey === undefined && storedKey !== undefined) return refused(keyNeededAnew(movedTo));
    const newKey = fields.apiKey !== (storedKey ?? null);
    em.assign(row, {
      ...columnsOf(fields),
      ...(newKey && keyColumns(deps.keyring, id, row.apiKeyVersion + 1, fields.apiKey)),
      ...(moved && { pausedUntil: null }),
      version: row.version + 1,
      updatedAt: new Date(deps.clock.nowMs()),
    });
    await em.flush();
    await publish(em, [{ kind: 'model-changed', modelId: id }]);
    await recordAudit(em, principal, auditOf('model.updated', row, { newKey }));
    return succeeded(undefined);
  });
  return outcome.ok ? succeeded(await readModel(deps, id)) : outcome;
}

/** Makes a model the one for workers that name none. @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
export async function setDefaultModel(
  deps: ManageModelsDeps,
  principal: Principal | undefined,
  input: { readonly id: string },
): Promise<Outcome<ModelView>> {
  requirePermission(principal, 'models:write');
  const { id } = input;
  await deps.database.transaction(async (em) => {
    await lockDefaultModel(em);
    const row = await lockModel(em, id, undefined);
    if (row.isDefault) return;
    await clearDefault(em);
    em.assign(row, { isDefault: true, version: row.version + 1, updatedAt: new Date(deps.clock.nowMs()) });
    await em.flush();
    await publish(em, [{ kind: 'model-changed', modelId: id }]);
    await recordAudit(em, principal, auditOf('model.made-default', row));
  });
  return succeeded(await readModel(deps, id));
}

/**
 * Deletes a model that no worker names, its key with it. What it was paid stays counted.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function deleteModel(
  deps: ManageModelsDeps,
  principal: Principal | undefined,
  input: { readonly id: string; readonly expectedVersion?: number | undefined },
): Promise<Outcome<{ readonly id: string }>> {
  requirePermission(principal, 'models:write');
  const { id } = input;
  return await deps.database.transaction(async (em): Promise<Outcome<{ readonly id: string }>> => {
    const row = await lockModel(em, id, input.expectedVersion);
    const users = await em.execute<NamedUser[]>(USED_BY, [formatId('model', id)]);
    if (users.length > 0) return refused(...inUseFaults(users, 'workers', 'this model', 'MODEL_IN_USE'));
    const entry = auditOf('model.deleted', row);
    em.assign(row, { deletedAt: new Date(deps.clock.nowMs()), isDefault: false, apiKeySealed: null, apiKeyHint: null });
    await em.flush();
    await publish(em, [{ kind: 'model-changed', modelId: id }]);
    await recordAudit(em, principal, entry);
    return succeeded({ id });
  });
}

/** The agents whose current version names it. */
const USED_BY = `
  select w.id, w.name from workers w
  join worker_versions v on v.worker_id = w.id and v.version = w.current_version
  where w.deleted_at is null and v.definition ->> 'modelId' = ? order by w.name, w.id limit 100`;

/** @throws AppError NOT_FOUND, CONFLICT. */
async function lockModel(em: EntityManager, id: string, expectedVersion: number | undefined): Promise<Model> {
  await em.execute('select 1 from models where id = ? for update', [id]);
  const row = await em.findOne(ModelEntity, { id, deletedAt: null });
  if (row === null) throw new AppError('NOT_FOUND', 'There is no such model.');
  assertVersion('The model', row.version, expectedVersion);
  return row;
}

async function clearDefault(em: EntityManager): Promise<void> {
  await em.execute('update models set is_default = false, version = version + 1 where is_default');
}

const MANAGED_FIELDS = ['provider', 'baseUrl', 'modelName', 'apiKey'] as const;

function managedFaults({ managedBy }: Model, input: UpdateModelInput): UserError[] {
  if (managedBy === null) return [];
  return MANAGED_FIELDS.filter((field) => input[field] !== undefined).map((field) => ({
    field: [field],
    message: `The settings of the process decide this (${managedBy}_…). Change them there and start again.`,
    code: 'MANAGED_BY_ENVIRONMENT',
  }));
}

function keyNeededAnew(origin: string): UserError {
  const message = `The stored key is not sent to ${origin}: give it anew, or null for none.`;
  return { field: ['apiKey'], message, code: 'REQUIRED' };
}

function merged(row: Model, storedKey: string | undefined, input: UpdateModelInput): ModelInput {
  return {
    name: input.name ?? row.name,
    provider: input.provider ?? row.provider,
    baseUrl: input.baseUrl === undefined ? row.baseUrl : input.baseUrl,
    modelName: input.modelName ?? row.modelName,
    apiKey: input.apiKey === undefined ? storedKey : input.apiKey,
    promptPrice: input.promptPrice ?? row.promptPrice,
    completionPrice: input.completionPrice ?? row.completionPrice,
    cachedPrice: input.cachedPrice === undefined ? (row.cachedPrice ?? null) : input.cachedPrice,
    requestsPerMinute: input.requestsPerMinute ?? row.requestsPerMinute,
    tokensPerMinute: input.tokensPerMinute ?? row.tokensPerMinute,
    concurrencyMax: input.concurrencyMax ?? row.concurrencyMax,
    structuredOutputs: input.structuredOutputs ?? row.structuredOutputs,
  };
}

function columnsOf(fields: ModelFields): Omit<ModelFields, 'apiKey'> {
  const { apiKey: _apiKey, ...columns } = fields;
  return columns;
}

function keyColumns(
  keyring: Keyring,
  id: string,
  apiKeyVersion: number,
  apiKey: string | null,
): Pick<Model, 'apiKeySealed' | 'apiKeyVersion' | 'apiKeyHint'> {
  return {
    apiKeySealed: apiKey === null ? null : keyring.seal(apiKey, sealedKeyOf(id, apiKeyVersion)),
    apiKeyVersion,
    apiKeyHint: apiKey === null ? null : keyHint(apiKey),
  };
}

/** The origin is where its key goes. */
function auditOf(action: string, row: Model, more: AuditEntry['details'] = {}): AuditEntry {
  const { name, provider, modelName } = row;
  const origin = new URL(baseUrlOf(provider, row.baseUrl ?? null)).origin;
  return { action, subjectId: formatId('model', row.id), details: { name, provider, modelName, origin, ...more } };
}

async function readModel({ database }: ManageModelsDeps, id: string): Promise<ModelView> {
  const [model] = await readModelsById(database.pool, [id]);
  if (model === undefined) throw new AppError('NOT_FOUND', 'There is no such model.');
  return model;
}

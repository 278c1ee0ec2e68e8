import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../access/audit.js';
import type { Principal } from '../access/principal.js';
import type { Database } from '../db/database.js';
import { publish } from '../events/publish.js';
import { formatId, newUuidV7 } from '../lib/ids.js';
import type { Keyring } from '../secrets/seal.js';
import { keyHint, sealedKeyOf } from './model-key.js';
import { type Model, ModelEntity, type ModelProvider } from './model.entity.js';

/** A model that the settings of the process name. */
export interface EnvironmentModel {
  /** Whose settings: there is one model for each. */
  readonly managedBy: 'OPENAI' | 'ANTHROPIC' | 'GOOGLE';
  readonly provider: ModelProvider;
  readonly baseUrl: string | undefined;
  readonly modelName: string;
  readonly apiKey: string | undefined;
}

export interface EnvironmentModelDeps {
  readonly database: Pick<Database, 'transaction'>;
  readonly keyring: Keyring;
}

const NAMES = { OPENAI: 'OpenAI', ANTHROPIC: 'Anthropic', GOOGLE: 'Google' } as const;

/**
 * Makes or updates the models of the settings at a start. The first one becomes the default model when there is none.
 * A model whose settings are gone stays: another process may still have them.
 */
export async function ensureEnvironmentModels(
  { database, keyring }: EnvironmentModelDeps,
  principal: Principal,
  models: readonly EnvironmentModel[],
): Promise<void> {
  for (const model of models) {
    await database.transaction((em) => ensureModel(em, keyring, principal, model));
  }
}

async function ensureModel(
  em: EntityManager,
  keyring: Keyring,
  principal: Principal,
  wanted: EnvironmentModel,
): Promise<void> {
  const { managedBy, provider, modelName } = wanted;
  const baseUrl = wanted.baseUrl ?? null;
  await lockModels(em); // processes that start together make one
  const found = await em.findOne(ModelEntity, { managedBy });
  const model = found ?? newModel(em, managedBy, provider, modelName);
  const key = wanted.apiKey;
  const sameKey = openKey(keyring, model) === key;
  const same = found !== null && found.deletedAt === null && found.provider === provider;
  if (same && found.baseUrl === baseUrl && found.modelName === modelName && sameKey) return;
  const apiKeyVersion = model.apiKeyVersion + 1;
  em.assign(model, {
    provider,
    baseUrl,
    modelName,
    deletedAt: null,
    isDefault: model.isDefault || !(await hasDefault(em)),
    version: found === null ? 1 : model.version + 1,
    updatedAt: new Date(),
    ...(!sameKey && {
      apiKeySealed: key === undefined ? null : keyring.seal(key, sealedKeyOf(model.id, apiKeyVersion)),
      apiKeyVersion,
      apiKeyHint: key === undefined ? null : keyHint(key),
    }),
  });
  await em.flush();
  await publish(em, [{ kind: 'model-changed', modelId: model.id }]);
  await recordAudit(em, principal, {
    action: found === null ? 'model.created' : 'model.updated',
    subjectId: formatId('model', model.id),
    details: { provider, modelName, managedBy, newKey: !sameKey },
  });
}

/** Changes of which model is the default wait for each other: only one may be. */
export async function lockModels(em: EntityManager): Promise<void> {
  await em.execute("select pg_advisory_xact_lock(hashtext('workhook models'))");
}

/** Whether a model is the default. */
export async function hasDefault(em: EntityManager): Promise<boolean> {
  return (await em.count(ModelEntity, { isDefault: true, deletedAt: null })) > 0;
}

function openKey(keyring: Keyring, { id, apiKeySealed, apiKeyVersion }: Model): string | undefined {
  if (!apiKeySealed) return undefined;
  return keyring.open(apiKeySealed, sealedKeyOf(id, apiKeyVersion)).toString('utf8');
}

function newModel(
  em: EntityManager,
  managedBy: EnvironmentModel['managedBy'],
  provider: ModelProvider,
  modelName: string,
): Model {
  const now = new Date();
  const model = em.create(ModelEntity, {
    ...unlimitedModel(),
    id: newUuidV7(),
    name: NAMES[managedBy],
    provider,
    modelName,
    managedBy,
    createdAt: now,
    updatedAt: now,
  });
  em.persist(model);
  return model;
}

/** Requests a minute of a model that says nothing else. */
export const REQUESTS_PER_MINUTE_DEFAULT = 600;

/** What a new model is when nobody says otherwise. */
export function unlimitedModel(): Pick<
  Model,
  | 'baseUrl'
  | 'apiKeySealed'
  | 'apiKeyVersion'
  | 'apiKeyHint'
  | 'promptPrice'
  | 'completionPrice'
  | 'cachedPrice'
  | 'requestsPerMinute'
  | 'tokensPerMinute'
  | 'concurrencyMax'
  | 'structuredOutputs'
  | 'isDefault'
  | 'managedBy'
  | 'pausedUntil'
  | 'version'
  | 'deletedAt'
> {
  return {
    baseUrl: null,
    apiKeySealed: null,
    apiKeyVersion: 0,
    apiKeyHint: null,
    promptPrice: 0n,
    completionPrice: 0n,
    cachedPrice: null,
    requestsPerMinute: REQUESTS_PER_MINUTE_DEFAULT,
    tokensPerMinute: 0,
    concurrencyMax: 0,
    structuredOutputs: true,
    isDefault: false,
    managedBy: null,
    pausedUntil: null,
    version: 1,
    deletedAt: null,
  };
}

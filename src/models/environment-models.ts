import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../access/audit.js';
import type { Principal } from '../access/principal.js';
import type { Database } from '../db/database.js';
import { publish } from '../events/publish.js';
import { formatId, newUuidV7 } from '../lib/ids.js';
import type { Keyring } from '../secrets/seal.js';
import { hasDefaultModel, lockDefaultModel } from './default-model.js';
import { keyHint, openKey, sealedKeyOf } from './model-key.js';
import { ModelEntity, type ModelProvider } from './model.entity.js';
import { newModelRow } from './new-model.js';

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
  const { managedBy, provider, modelName, apiKey } = wanted;
  const baseUrl = wanted.baseUrl ?? null;
  await lockDefaultModel(em); // processes that start together make one
  const found = await em.findOne(ModelEntity, { managedBy });
  const now = new Date();
  const model =
    found ?? newModelRow(em, { id: newUuidV7(now.getTime()), name: NAMES[managedBy], provider, modelName, now });
  const newKey = openKey(keyring, model) !== apiKey;
  const same = found !== null && found.deletedAt === null && found.provider === provider && !newKey;
  if (same && found.baseUrl === baseUrl && found.modelName === modelName) return;
  const apiKeyVersion = model.apiKeyVersion + 1;
  em.assign(model, {
    provider,
    baseUrl,
    modelName,
    managedBy,
    deletedAt: null,
    isDefault: model.isDefault || !(await hasDefaultModel(em)),
    version: found === null ? 1 : model.version + 1,
    updatedAt: now,
    ...(newKey && {
      apiKeySealed: apiKey === undefined ? null : keyring.seal(apiKey, sealedKeyOf(model.id, apiKeyVersion)),
      apiKeyVersion,
      apiKeyHint: apiKey === undefined ? null : keyHint(apiKey),
    }),
  });
  await em.flush();
  await publish(em, [{ kind: 'model-changed', modelId: model.id }]);
  await recordAudit(em, principal, {
    action: found === null ? 'model.created' : 'model.updated',
    subjectId: formatId('model', model.id),
    details: { provider, modelName, managedBy, newKey },
  });
}

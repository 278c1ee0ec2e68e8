import type { Keyring, SealedFor } from '../secrets/seal.js';
import { sealedColumn } from '../secrets/sealed-place.js';
import type { Model } from './model.entity.js';

/** What a model's key is sealed for. */
export function sealedKeyOf(modelId: string, version: number): SealedFor {
  return { table: 'models', row: modelId, version };
}

/** A model's key in plain text; `undefined` when it has none. */
export function openKey(
  keyring: Keyring,
  { id, apiKeySealed, apiKeyVersion }: Pick<Model, 'id' | 'apiKeySealed' | 'apiKeyVersion'>,
): string | undefined {
  if (!apiKeySealed) return undefined;
  return keyring.open(apiKeySealed, sealedKeyOf(id, apiKeyVersion)).toString('utf8');
}

/** What of a key may be shown: its end, when enough stays hidden. */
export function keyHint(key: string): string {
  return key.length >= 20 ? `…${key.slice(-4)}` : '…';
}

/** For a change of the encryption keys. */
export const SEALED_MODEL_KEYS = sealedColumn({
  table: 'models',
  id: 'id::text',
  row: 'id::text',
  version: 'api_key_version',
  column: 'api_key_sealed',
});

import type { SealedFor } from '../secrets/seal.js';

/** What a model's key is sealed for. */
export function sealedKeyOf(modelId: string, version: number): SealedFor {
  return { table: 'models', row: modelId, version };
}

/** What of a key may be shown: its end, when enough stays hidden. */
export function keyHint(key: string): string {
  return key.length >= 20 ? `…${key.slice(-4)}` : '…';
}

import type { Keyring, SealedFor } from '../secrets/seal.js';
import { sealedColumn } from '../secrets/sealed-place.js';

/** What of a connection is sealed. */
export interface ConnectionSecrets {
  /** The token, password or value that proves us; empty without an authentication. */
  readonly secret: string;
  /** Headers of every request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Seals for one version of a connection: it opens for no other. */
export function sealConnection(keyring: Keyring, id: string, version: number, secrets: ConnectionSecrets): Buffer {
  return keyring.seal(JSON.stringify(secrets), sealedFor(id, version));
}

/** @throws AppError ENCRYPTION_KEY_INVALID. */
export function openConnection(keyring: Keyring, id: string, version: number, sealed: Uint8Array): ConnectionSecrets {
  return JSON.parse(keyring.open(sealed, sealedFor(id, version)).toString('utf8')) as ConnectionSecrets;
}

function sealedFor(id: string, version: number): SealedFor {
  return { table: 'connections', row: id, version };
}

/** For a change of the encryption keys. */
export const SEALED_CONNECTIONS = sealedColumn({
  table: 'connections',
  id: 'id::text',
  row: 'id::text',
  version: 'version',
  column: 'sealed',
});

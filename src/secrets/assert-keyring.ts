import { randomBytes } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database, Sql } from '../db/database.js';
import { AppError } from '../errors.js';
import type { Keyring, SealedFor } from './seal.js';

/** Starts at the same time do this one after the other ("work" and "keys" as two 32-bit numbers). */
export const KEYRING_LOCK = [0x776f_726b, 0x6b65_7973] as const;

const ROOT: SealedFor = { table: 'encryption_root', row: 'root', version: 1 };

const ROOT_BYTES = 32;

const PROOF = 'workhook';

function proofOf(keyId: string): SealedFor {
  return { table: 'encryption_keys', row: keyId, version: 1 };
}

/**
 * Proves that the keyring is the one that sealed this database's secrets: each key that ever sealed here has left a
 * proof, and all of them must be there and open theirs. A key that seals now
 * leaves its own; one that only opens needs none. Also gives the keyring the root of
 * derived keys, and makes one on the first start.
 *
 * @throws AppError ENCRYPTION_KEY_INVALID in one line that names the key by its id. Nothing was written then.
 */
export async function assertKeyring(database: Database, keyring: Keyring): Promise<void> {
  await database.transaction(async (em) => {
    await em.execute('select pg_advisory_xact_lock(?, ?)', [...KEYRING_LOCK]);
    const proofs = await em.execute<{ id: string; proof: string }[]>(
      "select id, encode(proof, 'base64') as proof from encryption_keys order by created_at, id",
    );
    for (const { id, proof } of proofs) assertProof(keyring, id, Buffer.from(proof, 'base64'));
    const [sealing] = keyring.keyIds;
    if (sealing !== undefined && !proofs.some(({ id }) => id === sealing)) await leaveProof(em, keyring, sealing);
    keyring.adoptRoot(await ensureRoot(em, keyring));
  });
}

/** Whether a key has sealed something in this database. */
export async function isSealed(sql: Sql): Promise<boolean> {
  return (await sql.query('select from encryption_keys limit 1')).rowCount === 1;
}

/** The ids of keys that sealed something here and are not in this process's keyring: another process began to use them. */
export async function missingKeys(sql: Sql, keyring: Keyring): Promise<readonly string[]> {
  const { rows } = await sql.query<{ id: string }>('select id from encryption_keys order by created_at, id');
  return rows.map(({ id }) => id).filter((id) => !keyring.keyIds.includes(id));
}

function assertProof(keyring: Keyring, keyId: string, proof: Buffer): void {
  if (!keyring.keyIds.includes(keyId)) {
    throw new AppError(
      'ENCRYPTION_KEY_INVALID',
      `The encryption key "${keyId}" sealed secrets in this database and is missing. Add it to the keys that you set ` +
        '(ENCRYPTION_KEYS, ENCRYPTION_KEYS_FILE, or encryption.keys in DATA_DIR).',
    );
  }
  try {
    keyring.open(proof, proofOf(keyId));
  } catch {
    throw new AppError(
      'ENCRYPTION_KEY_INVALID',
      `The encryption key "${keyId}" is not the one that sealed the secrets in this database. Set the right one, or ` +
        'give a new key a name of its own.',
    );
  }
}

async function leaveProof(em: EntityManager, keyring: Keyring, keyId: string): Promise<void> {
  const proof = keyring.sealWith(keyId, PROOF, proofOf(keyId));
  await em.execute("insert into encryption_keys (id, proof) values (?, decode(?, 'hex'))", [
    keyId,
    proof.toString('hex'),
  ]);
}

async function ensureRoot(em: EntityManager, keyring: Keyring): Promise<Buffer> {
  const [row] = await em.execute<{ sealed: string }[]>(
    "select encode(sealed, 'base64') as sealed from encryption_root",
  );
  if (row !== undefined) return keyring.open(Buffer.from(row.sealed, 'base64'), ROOT);
  const root = randomBytes(ROOT_BYTES);
  await em.execute("insert into encryption_root (sealed) values (decode(?, 'hex'))", [
    keyring.seal(root, ROOT).toString('hex'),
  ]);
  return root;
}

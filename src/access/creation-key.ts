import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../db/database.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import type { Principal } from './principal.js';

/** What is about to be made, and by what a repeat of it is known for 24 hours. */
export interface Creation {
  readonly key: string;
  /** What kind of thing; keys of two kinds never meet. */
  readonly kind: string;
  /** What it is to be, as JSON can say it, without secrets: another one is no repeat. */
  readonly input: unknown;
  /** Its public id. */
  readonly subjectId: string;
}

const KEY_HOURS = 24;

/** What is wrong with the key that a mutation was given. */
export function idempotencyKeyFaults(key: string | null | undefined): UserError[] {
  if (key === undefined || key === null || /^[!-~](?:[ -~]{0,253}[!-~])?$/.test(key)) return [];
  return [
    { field: ['idempotencyKey'], message: 'A key has 1 to 255 printable ASCII characters.', code: 'INVALID_KEY' },
  ];
}

/**
 * Takes a key for what the transaction is about to make. Who comes at the same time with the same key waits for the
 * end of this transaction.
 *
 * @returns the public id of what was made with the key before; nothing when it is free, and this thing's from now on.
 */
export async function claimCreationKey(
  em: Pick<EntityManager, 'execute'>,
  { userId }: Principal,
  { key, kind, input, subjectId }: Creation,
): Promise<Outcome<string | undefined>> {
  const keyHash = hashOf(userId, kind, key);
  const inputHash = hashOf(input);
  await em.execute('delete from creation_keys where expires_at <= now()');
  const claimed = await em.execute<unknown[]>(
    `insert into creation_keys (key_hash, input_hash, subject_id, expires_at)
     values (?, ?, ?, now() + interval '${KEY_HOURS} hours') on conflict (key_hash) do nothing returning 1`,
    [keyHash, inputHash, subjectId],
  );
  if (claimed.length > 0) return succeeded(undefined);
  const [before] = await em.execute<{ subject_id: string; input_hash: Buffer }[]>(
    'select subject_id, input_hash from creation_keys where key_hash = ?',
    [keyHash],
  );
  if (before!.input_hash.equals(inputHash)) return succeeded(before!.subject_id);
  const message = 'This key was used before for something else.';
  return refused({ field: ['idempotencyKey'], message, code: 'IDEMPOTENCY_MISMATCH' });
}

function hashOf(...parts: readonly unknown[]): Buffer {
  const text = JSON.stringify(parts, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return createHash('sha256').update(text).digest();
}

/** What every creation takes besides what the new thing is to be. */
export interface KeyedCreation {
  /** Asked again with the same one within 24 hours, the same thing is given. */
  readonly idempotencyKey?: string | null | undefined;
}

/** How something is made once. */
export interface CreateOnce<T> {
  /** Without one, it is made every time. */
  readonly idempotencyKey: string | null | undefined;
  readonly creation: Omit<Creation, 'key'>;
  /** Makes it in the transaction. */
  readonly make: (em: EntityManager) => Promise<Outcome<T>>;
  /** Reads what the key has made, by its public id; without what is shown only once. */
  readonly find: (subjectId: string) => Promise<T>;
}

/**
 * Makes something in one transaction with its key, or gives what the key has made before.
 *
 * @throws what `make` and `find` throw: NOT_FOUND when it is deleted since.
 */
export async function createOnce<T>(
  database: Pick<Database, 'transaction'>,
  principal: Principal,
  { idempotencyKey, creation, make, find }: CreateOnce<T>,
): Promise<Outcome<T>> {
  const faults = idempotencyKeyFaults(idempotencyKey);
  if (faults.length > 0) return { ok: false, userErrors: faults };
  const made = await database
    .transaction(async (em): Promise<Outcome<{ value: T } | { before: string }>> => {
      if (idempotencyKey !== null && idempotencyKey !== undefined) {
        const before = await claimCreationKey(em, principal, { ...creation, key: idempotencyKey });
        if (!before.ok) return before;
        if (before.value !== undefined) return succeeded({ before: before.value });
      }
      const outcome = await make(em);
      if (!outcome.ok) throw new Refused(outcome.userErrors); // the key is free again
      return succeeded({ value: outcome.value });
    })
    .catch((error: unknown): Outcome<never> => {
      if (error instanceof Refused) return { ok: false, userErrors: error.userErrors };
      throw error;
    });
  if (!made.ok) return made;
  return succeeded('value' in made.value ? made.value.value : await find(made.value.before));
}

/** Rolls a transaction back that came to a refusal. */
class Refused extends Error {
  constructor(readonly userErrors: readonly UserError[]) {
    super('refused');
  }
}

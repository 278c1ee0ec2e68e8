import type pg from 'pg';
import { KEYRING_LOCK } from './assert-keyring.js';
import type { Keyring } from './seal.js';
import type { SealedPlace } from './sealed-place.js';

/** What {@link rewrap} did. */
export interface Rewrapped {
  /** Texts that are under the first key now and were not before. */
  readonly rewrapped: number;
  /** All sealed texts. */
  readonly total: number;
  /** Keys that seal nothing any more: they can leave the settings. */
  readonly retired: readonly string[];
}

const PAGE = 500;

interface SealedRow {
  readonly id: string;
  readonly row: string;
  readonly version: number;
  readonly sealed: Buffer;
}

/**
 * Puts everything that is sealed under the keyring's first key, while the installation runs: only data keys are
 * wrapped anew, no text is opened. A text that is replaced meanwhile stays as its writer left it.
 *
 * Then the other keys' proofs are removed, so that a start without those keys is no longer refused. Every process
 * must have been started with the new key first: one that still seals with an old key would seal for nobody.
 *
 * @throws AppError ENCRYPTION_KEY_INVALID when a text is under a key that is not in the keyring.
 */
export async function rewrap(pool: pg.Pool, keyring: Keyring, places: readonly SealedPlace[]): Promise<Rewrapped> {
  let rewrapped = 0;
  let total = 0;
  for (const place of places) {
    for await (const { id, row, version, sealed } of sealedTexts(pool, place)) {
      total += 1;
      const wrapped = keyring.rewrap(sealed, { table: place.table, row, version });
      if (wrapped === undefined) continue;
      const { rowCount } = await pool.query(place.write, [wrapped, id, sealed]);
      rewrapped += rowCount ?? 0;
    }
  }
  return { rewrapped, total, retired: await retireKeys(pool, keyring, places) };
}

async function* sealedTexts(pool: pg.Pool, place: SealedPlace): AsyncGenerator<SealedRow, void, undefined> {
  let after = '';
  for (;;) {
    const { rows } = await pool.query<SealedRow>(place.read, [after, PAGE]);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.id;
  }
}

/** Looks once more what is sealed with what, and removes the proofs of the keys that are not among it. */
async function retireKeys(pool: pg.Pool, keyring: Keyring, places: readonly SealedPlace[]): Promise<readonly string[]> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1, $2)', [...KEYRING_LOCK]);
    const used = new Set<string>(keyring.keyIds.slice(0, 1));
    for (const place of places)
      for await (const { sealed } of sealedTexts(pool, place)) used.add(keyring.keyIdOf(sealed));
    const { rows } = await client.query<{ id: string }>(
      'delete from encryption_keys where id <> all($1) returning id',
      [[...used]],
    );
    await client.query('commit');
    return rows.map(({ id }) => id);
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

import type { Config } from '../config.js';
import { type Database, openDatabase } from '../db/database.js';
import { startEmbeddedPostgres } from '../db/embedded/start-embedded-postgres.js';
import { assertDurable, migrate } from '../db/migrator.js';
import { ENTITIES } from '../entities.js';
import { AppError, codeOf, messageOf } from '../errors.js';
import type { Logger } from '../lib/logger.js';
import { assertKeyring, isSealed } from '../secrets/assert-keyring.js';
import { loadKeyring } from '../secrets/keyring.js';
import type { Keyring } from '../secrets/seal.js';

/** The database of the settings, migrated, and the keys that open its secrets. */
export interface Stored {
  readonly database: Database;
  readonly keyring: Keyring;
  /** The database is the embedded one. */
  readonly embedded: boolean;
}

export interface OpenStoredOptions {
  readonly config: Config;
  readonly log: Logger;
  /** The embedded server ended although nobody stopped it. */
  readonly onDatabaseLost?: () => void;
}

/**
 * Opens what the process rests on; whatever is opened is put on `stack`, which closes it last-in-first-out.
 *
 * @throws AppError STARTUP_FAILED, CONFIGURATION_INVALID or ENCRYPTION_KEY_INVALID with one line for the operator.
 */
export async function openStored(stack: AsyncDisposableStack, options: OpenStoredOptions): Promise<Stored> {
  const { config, log } = options;
  const url = config.databaseUrl ?? (await startEmbedded(stack, options));
  const database = await openDatabase({ url, entities: ENTITIES, poolSize: config.databasePoolSize, log });
  stack.defer(() => database.close());
  await reach(database);
  await assertDurable(database);
  await migrate(database);
  const embedded = config.databaseUrl === undefined;
  const keyring = await loadKeyring({
    encryptionKeys: config.encryptionKeys,
    encryptionKeysFile: config.encryptionKeysFile,
    embeddedDataDir: embedded ? config.dataDir : undefined,
    isSealed: () => isSealed(database.pool),
  });
  await assertKeyring(database, keyring);
  return { database, keyring, embedded };
}

async function startEmbedded(
  stack: AsyncDisposableStack,
  { config, log, onDatabaseLost }: OpenStoredOptions,
): Promise<string> {
  const server = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    log: (line) => log.info({ part: 'postgres' }, line),
    onExit: (info) => {
      log.fatal(info, 'the embedded PostgreSQL ended');
      onDatabaseLost?.();
    },
  });
  stack.defer(() => server.stop());
  return server.url;
}

/** Says in one line where the database is not, without the password that the URL may carry. */
async function reach(database: Database): Promise<void> {
  try {
    await database.pool.query('select 1');
  } catch (error) {
    const { host, pathname } = new URL(database.url);
    const reason = messageOf(error) || codeOf(error) || 'no answer';
    throw new AppError(
      'STARTUP_FAILED',
      `Cannot reach the database ${decodeURIComponent(host)}${pathname}: ${reason}`,
      {
        cause: error,
      },
    );
  }
}

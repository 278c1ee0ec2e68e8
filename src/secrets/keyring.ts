import { randomBytes } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, codeOf, messageOf } from '../errors.js';
import { type EncryptionKey, Keyring } from './seal.js';

export interface KeyringSources {
  /** The keys themselves: `id:base64` separated by commas or lines. */
  readonly encryptionKeys: string | undefined;
  /** A file with the same. */
  readonly encryptionKeysFile: string | undefined;
  /** The folder of the embedded database, where a first start makes a key; `undefined` with a database elsewhere. */
  readonly embeddedDataDir: string | undefined;
  /** Whether something is sealed in the database already: a key that is made now would open none of it. */
  readonly isSealed: () => Promise<boolean>;
}

const KEY_BYTES = 32;

const HOW_TO =
  'Make a key with "openssl rand -base64 32" and set ENCRYPTION_KEYS=k1:<key>, or put that text in a file and set ' +
  'ENCRYPTION_KEYS_FILE to its path. Every process needs the same, and without it the stored secrets are lost.';

/**
 * Finds the key-encryption keys: the setting, the file, or for an embedded database the one beside its data, which a
 * first start makes.
 *
 * @throws AppError ENCRYPTION_KEY_INVALID in one line that says what to do and shows no key.
 */
export async function loadKeyring(sources: KeyringSources): Promise<Keyring> {
  if (sources.encryptionKeys !== undefined && sources.encryptionKeysFile !== undefined) {
    const message = 'ENCRYPTION_KEYS and ENCRYPTION_KEYS_FILE are both set: set one of them.';
    throw new AppError('ENCRYPTION_KEY_INVALID', message);
  }
  if (sources.encryptionKeys !== undefined) return parseKeyring(sources.encryptionKeys, 'ENCRYPTION_KEYS');
  if (sources.encryptionKeysFile !== undefined) {
    return parseKeyring(await readKeys(sources.encryptionKeysFile), sources.encryptionKeysFile);
  }
  if (sources.embeddedDataDir !== undefined) {
    const file = join(sources.embeddedDataDir, 'encryption.keys');
    return parseKeyring(await readOrMakeKeys(file, sources.isSealed), file);
  }
  throw new AppError('ENCRYPTION_KEY_INVALID', `A database of your own needs an encryption key. ${HOW_TO}`);
}

/**
 * Reads `id:base64` entries, separated by commas or lines; the first one seals, all of them open. Lines that begin
 * with # are comments.
 *
 * @param source where the text came from, for the message.
 * @throws AppError ENCRYPTION_KEY_INVALID
 */
export function parseKeyring(text: string, source: string): Keyring {
  const entries = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .flatMap((line) => line.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const [first, ...others] = entries.map((entry, i) => parseKey(entry, `${source}, key ${i + 1}`));
  if (first === undefined) throw new AppError('ENCRYPTION_KEY_INVALID', `${source} has no key in it. ${HOW_TO}`);
  const keys: [EncryptionKey, ...EncryptionKey[]] = [first, ...others];
  const twice = keys.find(({ id }, i) => keys.findIndex((key) => key.id === id) !== i);
  if (twice !== undefined) throw new AppError('ENCRYPTION_KEY_INVALID', `${source} has two keys named "${twice.id}".`);
  return new Keyring(keys);
}

function parseKey(entry: string, where: string): EncryptionKey {
  const colon = entry.indexOf(':');
  const id = entry.slice(0, Math.max(colon, 0));
  if (!/^[\w-]{1,32}$/.test(id)) {
    throw new AppError(
      'ENCRYPTION_KEY_INVALID',
      `${where}: write it as id:key, where the id is 1-32 letters, digits, "_" or "-". ${HOW_TO}`,
    );
  }
  const base64 = entry.slice(colon + 1);
  const key = Buffer.from(base64, 'base64'); // takes base64url too
  if (key.length !== KEY_BYTES || !/^[\w+/-]{43}=?$/.test(base64)) {
    throw new AppError('ENCRYPTION_KEY_INVALID', `${where}: "${id}" is not ${KEY_BYTES} bytes in base64. ${HOW_TO}`);
  }
  return { id, key };
}

async function readKeys(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('ENCRYPTION_KEY_INVALID', `${file} cannot be read: ${codeOf(error) ?? messageOf(error)}.`);
  }
}

async function readOrMakeKeys(file: string, isSealed: KeyringSources['isSealed']): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return await readKeys(file);
  }
  if (await isSealed()) {
    const message = `${file} is missing, and the secrets in this database are sealed with a key of it: put it back.`;
    throw new AppError('ENCRYPTION_KEY_INVALID', message);
  }
  try {
    await makeKeys(file);
  } catch (error) {
    const reason = codeOf(error) ?? messageOf(error);
    throw new AppError('ENCRYPTION_KEY_INVALID', `The encryption key cannot be written to ${file}: ${reason}.`);
  }
  return await readKeys(file);
}

/**
 * Writes the file elsewhere and links it to its place: it is there whole or not at all, and of two starts at once one
 * makes the key and both read it. It is on the disk before anything is sealed with it.
 */
async function makeKeys(file: string): Promise<void> {
  const id = `k-${randomBytes(4).toString('hex')}`;
  const draft = `${file}.${id}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(
      `# Seals the secrets in this folder's database. Back it up with it: neither is of use alone.\n${id}:${randomBytes(KEY_BYTES).toString('base64')}\n`,
    );
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { AppError, codeOf } from '../../errors.js';
import { notWritable } from './data-layout.js';

/**
 * The password of the embedded server's roles: 32 random bytes in base64url, in a file of mode 0600. It is stored
 * before the cluster is made, so that a crash in between leaves no cluster that nobody can enter.
 *
 * @param clusterExists then a missing file is an error, because a new password would not fit.
 */
export async function readOrCreatePassword(passwordFile: string, clusterExists: boolean): Promise<string> {
  try {
    const password = (await readFile(passwordFile, 'utf8')).trim();
    if (password !== '') return password;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw notWritable(passwordFile, error);
  }
  if (clusterExists) {
    throw new AppError(
      'STARTUP_FAILED',
      `The embedded database has lost its password file: restore ${passwordFile} from a backup of the data directory.`,
    );
  }
  const password = randomBytes(32).toString('base64url');
  await writeSecretFile(passwordFile, `${password}\n`);
  return password;
}

/** Writes a file that only its owner can read, and makes it whole or not at all. */
async function writeSecretFile(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  await rm(part, { force: true });
  const file = await open(part, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}

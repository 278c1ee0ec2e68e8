import { execFile } from 'node:child_process';
import { chown } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AppError } from '../../errors.js';
import { heldCapabilities } from './capabilities.js';
import { type Needs, type UnixUser, findDenied, findUnreadable } from './unix-access.js';

const run = promisify(execFile);

/** A program with what `spawn` needs to start it as the chosen user. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: { readonly uid?: number; readonly gid?: number };
}

/** The user that PostgreSQL's programs run as. */
export interface RunAs {
  /** Its id; undefined on Windows. */
  readonly uid: number | undefined;
  command(file: string, args: readonly string[]): Command;
  /** Gives a file or an empty directory to that user. */
  own(path: string): Promise<void>;
}

/**
 * Chooses the user. An ordinary user runs PostgreSQL as itself. PostgreSQL refuses to run as root, so root uses the
 * owner of the cluster, else the system user `postgres`, else a system user that it creates.
 *
 * A checkout or data directory in a place which that user cannot enter, as a clone in `/root`, still works on Linux:
 * the server then gets the one capability that leads through.
 *
 * @param clusterOwner the owner of an existing cluster, who stays the one that runs it.
 * @throws AppError STARTUP_FAILED when there is no such user, or no way for it to the files.
 */
export async function chooseRunAs(clusterOwner: UnixUser | undefined, needs: Needs): Promise<RunAs> {
  const ownUid = process.getuid?.();
  if (ownUid !== 0) {
    return {
      uid: ownUid,
      command: (file, args) => ({ file, args, options: {} }),
      own: () => Promise.resolve(),
    };
  }
  const user = clusterOwner ?? (await lookUpUser('postgres')) ?? (await createSystemUser());
  const { uid, gid } = user;
  const own = (path: string): Promise<void> => chown(path, uid, gid);
  const denied = findDenied(user, needs);
  if (denied === undefined) {
    return { uid, command: (file, args) => ({ file, args, options: { uid, gid } }), own };
  }
  const capability = await capabilityFor(user, needs.execute);
  if (capability === undefined) throw cannotReach(user, denied);
  const prefix = setprivArguments(user, capability);
  return {
    uid,
    command: (file, args) => ({ file: 'setpriv', args: [...prefix, file, ...args], options: {} }),
    own,
  };
}

const SYSTEM_USER = 'workhook';

async function lookUpUser(name: string): Promise<UnixUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

/** `initdb` refuses a user id without a name, so a number alone is not enough. */
async function createSystemUser(): Promise<UnixUser> {
  let user = await lookUpUser(SYSTEM_USER);
  if (user !== undefined) return user;
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', SYSTEM_USER]);
    user = await lookUpUser(SYSTEM_USER);
    if (user !== undefined) return user;
    throw new Error(`useradd made no user ${SYSTEM_USER}`);
  } catch (cause) {
    throw new AppError(
      'STARTUP_FAILED',
      'PostgreSQL does not run as root, and no system user could be created for it: create a user "postgres", start Workhook as an ordinary user, or set DATABASE_URL.',
      { cause },
    );
  }
}

/**
 * The smallest capability that helps and that we hold: reading and entering any directory, or, where that is not to be
 * had (Docker's default set) or not enough (a program that is executable for root only), ignoring file modes.
 */
async function capabilityFor(user: UnixUser, programs: readonly string[]): Promise<string | undefined> {
  const held = heldCapabilities();
  const executable = findUnreadable(user, programs) === undefined;
  const capability = held.has('dac_read_search') && executable ? 'dac_read_search' : 'dac_override';
  if (!held.has(capability)) return undefined;
  try {
    await run('setpriv', ['--version']);
    return capability;
  } catch {
    return undefined;
  }
}

/**
 * `no_setuid_fixup`, because PostgreSQL asks access(2) for its own programs, and without that bit access(2) ignores the
 * capabilities of any user but root: capabilities(7). The bounding set keeps every other capability away.
 */
function setprivArguments(user: UnixUser, capability: string): string[] {
  return [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--securebits=+no_setuid_fixup',
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    `--bounding-set=-all,+${capability}`,
    '--',
  ];
}

function cannotReach(user: UnixUser, denied: string): AppError {
  return new AppError(
    'STARTUP_FAILED',
    `PostgreSQL does not run as root, and its user (id ${user.uid}) cannot enter ${denied}: move the program or DATA_DIR elsewhere, install setpriv (util-linux), start Workhook as an ordinary user, or set DATABASE_URL.`,
  );
}

import { lstatSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataLayout } from './data-layout.js';
import type { ServerAddress } from './postmaster-pid.js';
import type { RunAs } from './run-as.js';

/** Also the name of the socket file, `.s.PGSQL.5432`; no TCP port is opened. */
const SOCKET_PORT = 5432;

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, with the closing zero: unix(7). */
const SOCKET_PATH_BYTES_MAX = 103;

/**
 * Where a new server shall listen: on a Unix socket in a directory of mode 0700, which no other user of the machine can
 * reach; on Windows on a free port of 127.0.0.1.
 */
export async function chooseAddress(layout: DataLayout, runAs: RunAs): Promise<ServerAddress> {
  if (process.platform === 'win32') return { host: '127.0.0.1', port: await freePort() };
  const host = socketFits(layout.socketDir) ? layout.socketDir : await shortSocketDir(layout.socketDirRecord, runAs);
  await mkdir(host, { recursive: true, mode: 0o700 });
  await runAs.own(host);
  return { host, port: SOCKET_PORT };
}

function socketFits(directory: string): boolean {
  return Buffer.byteLength(join(directory, `.s.PGSQL.${SOCKET_PORT}`)) <= SOCKET_PATH_BYTES_MAX;
}

/** A directory in the system's temporary one, the same at every start as long as it is there. */
async function shortSocketDir(recordFile: string, runAs: RunAs): Promise<string> {
  const recorded = await readFile(recordFile, 'utf8').catch(() => '');
  if (isPrivateDirectory(recorded, runAs.uid)) return recorded;
  const parent = socketFits(join(tmpdir(), 'workhook-XXXXXX')) ? tmpdir() : '/tmp';
  const directory = await mkdtemp(join(parent, 'workhook-'));
  await writeFile(recordFile, directory, { mode: 0o600 });
  return directory;
}

/** Whether it is still ours: where all may write, another user can take the name of a directory that was cleaned up. */
function isPrivateDirectory(path: string, uid: number | undefined): boolean {
  const stats = path === '' ? undefined : lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.isDirectory() && (stats.mode & 0o777) === 0o700 && stats.uid === uid;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * The connection URL. The directory of a socket stands percent-encoded where the host does, as libpq defines it: `pg`
 * and MikroORM both read that form, and not all read `?host=`.
 * https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 *
 * `sslmode` keeps a PGSSLMODE of the environment from asking for TLS, which this server does not speak.
 */
export function connectionUrl(address: ServerAddress, user: string, password: string, database: string): string {
  return `postgresql://${user}:${password}@${encodeURIComponent(address.host)}:${address.port}/${database}?sslmode=disable`;
}

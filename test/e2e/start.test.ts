import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ADMIN_TOKEN,
  type GatewayProcess,
  runGatewayCommand,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const run = promisify(execFile);

/** A folder that PostgreSQL's own user can enter, as the tests may run as root. */
async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'workhook-start-'));
  await chmod(folder, 0o755);
  return folder;
}

describe('the first start, with nothing configured', () => {
  let dataDir: string;
  let gateway: GatewayProcess | undefined;

  beforeAll(async () => {
    dataDir = await emptyFolder();
  });

  afterEach(async () => {
    await gateway?.end('SIGTERM');
    gateway = undefined;
  });

  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  const start = async (): Promise<GatewayProcess> => {
    gateway = await startGatewayProcess({ env: { DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn' } });
    return gateway;
  };

  const printedCurl = async (process: GatewayProcess): Promise<string> =>
    await pollUntil('the whole welcome', () =>
      Promise.resolve(/^curl [\s\S]*?--data-raw .*$/m.exec(process.printed())?.[0]),
    );

  it('prints a curl command that works as it stands', async () => {
    const { stdout } = await run('sh', ['-c', await printedCurl(await start())]);
    expect(JSON.parse(stdout)).toMatchObject({
      success: true,
      executionMode: 'sync',
      results: [{ workerId: 'worker-echo', success: true, result: { hello: 'world' } }],
    });
  });

  it('prints a login link that signs in once', async () => {
    const process = await start();
    const link = new URL(/http\S+\/login\?token=\S+/.exec(process.printed())![0]);
    expect((await fetch(link)).status).toBe(200); // a preview of the link does not use it up
    const signIn = (): Promise<Response> =>
      fetch(new URL('/login', link), {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ token: link.searchParams.get('token')! }),
      });
    const first = await signIn();
    expect(first.status).toBe(303);
    expect(first.headers.get('set-cookie')).toMatch(/^workhook_session=\S+;.*HttpOnly/);
    const cookie = first.headers.get('set-cookie')!.split(';')[0]!;
    const viewer = await fetch(new URL('/graphql', link), {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie },
      body: JSON.stringify({ query: '{ viewer { role } }' }),
    });
    expect(await viewer.json()).toMatchObject({ data: { viewer: { role: 'OWNER' } } });
    expect((await signIn()).status).toBeGreaterThanOrEqual(400);
  });

  it('goes on after a kill -9, with the example and its secret', async () => {
    const first = await start();
    const curl = await printedCurl(first);
    await first.end('SIGKILL');
    const second = await start();
    const moved = curl.replace(first.url, second.url);
    expect(await printedCurl(second)).toBe(moved);
    const { stdout } = await run('sh', ['-c', moved]);
    expect(JSON.parse(stdout)).toMatchObject({ success: true });
  });

  it('stops cleanly on SIGINT and on SIGTERM', async () => {
    expect(await (await start()).end('SIGINT')).toBe(0);
    expect(await (await start()).end('SIGTERM')).toBe(0);
    gateway = undefined;
  });

  it('takes a Ctrl-C that npm passes on a second time for one', async () => {
    const process = await start();
    const ends = [process.end('SIGINT'), process.end('SIGINT')];
    expect(await Promise.all(ends)).toEqual([0, 0]);
    gateway = undefined;
  });

  it('ends with npm when a supervisor stops npm', async () => {
    const npm = spawn('npm', ['start'], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info' },
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
    let logged = '';
    npm.stderr.on('data', (chunk: Buffer) => (logged += chunk.toString()));
    const { pid } = await pollUntil('readiness', () => {
      const line = logged.split('\n').find((text) => text.includes('"msg":"ready"'));
      return Promise.resolve(line === undefined ? undefined : (JSON.parse(line) as { pid: number }));
    });
    npm.kill('SIGTERM');
    await once(npm.stderr, 'close'); // the gateway holds the other end, too
    expect(logged).toContain('"msg":"stopped"');
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

describe('a start that cannot be', () => {
  let database: TestDatabase;
  let folder: string;

  beforeEach(async () => {
    database = await createTestDatabase();
    folder = await emptyFolder();
  });

  afterEach(async () => {
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const fails = async (env: Record<string, string>): Promise<string> => {
    const { code, stdout, stderr } = await runGatewayCommand(['start'], { LOG_LEVEL: 'fatal', ...env });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    return stderr;
  };

  it('says which port is in use', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const keys = `k:${Buffer.alloc(32).toString('base64')}`;
    expect(await fails({ DATABASE_URL: database.url, ENCRYPTION_KEYS: keys, PORT: String(port) })).toContain(`${port}`);
    await new Promise((resolve) => server.close(resolve));
  });

  it('says that the data folder cannot be written', async () => {
    const file = join(folder, 'in-the-way');
    await writeFile(file, '');
    expect(await fails({ DATA_DIR: file, PORT: '0' })).toContain(file);
  });

  it('says which database cannot be reached, without its password', async () => {
    const url = 'postgresql://someone:canary-password@127.0.0.1:9/db';
    const line = await fails({ DATABASE_URL: url, ENCRYPTION_KEYS: `k:${Buffer.alloc(32).toString('base64')}` });
    expect(line).toContain('127.0.0.1:9/db');
    expect(line).not.toContain('canary-password');
  });

  it.each([
    [{ PORT: 'http' }, 'PORT'],
    [{ ROLES: 'ingress,cook' }, 'ROLES'],
    [{ ADMIN_TOKEN: 'short' }, 'ADMIN_TOKEN'],
    [{ PUBLIC_URL: 'example.com' }, 'PUBLIC_URL'],
  ])('names the wrong setting in %j', async (env, name) => {
    expect(await fails(env as Record<string, string>)).toContain(name);
  });

  it("says that a database of one's own needs an encryption key, and refuses another one later", async () => {
    expect(await fails({ DATABASE_URL: database.url, PORT: '0' })).toContain('ENCRYPTION_KEYS');
    const key = (byte: number): string => `own:${Buffer.alloc(32, byte).toString('base64')}`;
    const gateway = await startGatewayProcess({
      env: { DATABASE_URL: database.url, ENCRYPTION_KEYS: key(1), PORT: '0', ADMIN_TOKEN, LOG_LEVEL: 'warn' },
    });
    await gateway.end('SIGTERM');
    expect(await fails({ DATABASE_URL: database.url, ENCRYPTION_KEYS: key(2), PORT: '0' })).toContain('key');
  });

  it('refuses a database that could lose what it acknowledged', async () => {
    const unsafe = new URL(database.url);
    unsafe.searchParams.set('options', '-c synchronous_commit=off');
    const line = await fails({
      DATABASE_URL: unsafe.href,
      ENCRYPTION_KEYS: `k:${Buffer.alloc(32).toString('base64')}`,
    });
    expect(line).toContain('synchronous_commit=off');
  });
});

describe('the command line', () => {
  it('makes a token that opens the API', async () => {
    const database = await createTestDatabase();
    const env = {
      DATABASE_URL: database.url,
      ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 3).toString('base64')}`,
      LOG_LEVEL: 'warn',
    };
    const { code, stdout } = await runGatewayCommand(['token', 'ci'], env);
    expect(code).toBe(0);
    expect(stdout.trim()).toMatch(/^wha_\S+$/);
    const gateway = await startGatewayProcess({ env: { ...env, PORT: '0' } });
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${stdout.trim()}` },
      body: JSON.stringify({ query: '{ viewer { role } }' }),
    });
    expect(await response.json()).toMatchObject({ data: { viewer: { role: 'OWNER' } } });
    await gateway.end('SIGTERM');
    await database.drop();
  });

  it('makes a login link for a server that prints none', async () => {
    const database = await createTestDatabase();
    const { code, stdout } = await runGatewayCommand(['login'], {
      DATABASE_URL: database.url,
      ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 3).toString('base64')}`,
      PUBLIC_URL: 'https://hooks.example.com/',
    });
    expect(code).toBe(0);
    expect(stdout.trim()).toMatch(/^https:\/\/hooks\.example\.com\/login\?token=[\w-]{40,}$/);
    await database.drop();
  });

  it('explains itself, and refuses what it does not know', async () => {
    const { code, stderr } = await runGatewayCommand(['dance'], {});
    expect(code).toBe(1);
    expect(stderr).toContain('workhook <command>');
  });
});

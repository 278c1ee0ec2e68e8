import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { isAlive, signal } from '../../src/db/embedded/processes.js';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../src/db/embedded/start-embedded-postgres.js';
import { postmasterPid, queryOnce, startHolder } from '../support/embedded-postgres.js';

const onLinux = process.platform === 'linux' ? it : it.skip;

const IDENTITY = `
  select current_user::text as role, current_database()::text as database, rolsuper as super,
    current_setting('data_checksums') as checksums, current_setting('server_encoding') as encoding,
    current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
    current_setting('listen_addresses') as tcp,
    (select datlocprovider::text || datlocale from pg_database where datname = current_database()) as locale
  from pg_roles where rolname = current_user`;

describe('the embedded PostgreSQL', () => {
  let parent: string;
  let dataDir: string;
  const servers: EmbeddedPostgres[] = [];

  const start = async (options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> => {
    const server = await startEmbeddedPostgres({ dataDir, log: () => undefined, ...options });
    servers.push(server);
    return server;
  };
  const modeOf = async (name: string): Promise<string> => ((await stat(join(dataDir, name))).mode & 0o777).toString(8);

  beforeAll(async () => {
    // Of mode 0700: when root runs this, its database's user can come here only with a capability.
    parent = await mkdtemp(join(tmpdir(), 'workhook-embedded-'));
    dataDir = join(parent, 'our "data", here');
    // Also the check of a first start: it makes everything, with modes that keep others out.
    const first = await start();
    expect(first).toMatchObject({ fresh: true, reused: false });
    await queryOnce(first.url, 'create table kept (id int)');
    await first.stop();
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  afterAll(async () => {
    await rm(parent, { recursive: true, force: true });
  });

  it('is durable, private and no superuser', async () => {
    const server = await start();

    expect(server).toMatchObject({ fresh: false, reused: false });
    expect(await queryOnce(server.url, IDENTITY)).toEqual([
      {
        role: 'workhook',
        database: 'workhook',
        super: false,
        checksums: 'on',
        encoding: 'UTF8',
        fsync: 'on',
        commit: 'on',
        tcp: '',
        locale: 'bC.UTF-8',
      },
    ]);
    expect(await modeOf('postgres')).toBe('700');
    expect(await modeOf('postgres.run')).toBe('700');
    expect(await modeOf('postgres.password')).toBe('600');
    await expect(queryOnce(server.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toMatchObject({
      code: '28P01',
    });
  });

  it('keeps its data and leaves no process behind', async () => {
    const server = await start();
    const pid = await postmasterPid(dataDir);
    expect(await queryOnce(server.url, 'select count(*)::int as rows from kept')).toEqual([{ rows: 0 }]);

    await server.stop();

    expect(isAlive(pid)).toBe(false);
    await expect(postmasterPid(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  onLinux('lives in a session of its own, so that a Ctrl-C does not reach it', async () => {
    await start();
    const pid = await postmasterPid(dataDir);
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ');
    const [, , processGroup, session] = fields ?? []; // proc_pid_stat(5), after the name

    expect([processGroup, session]).toEqual([String(pid), String(pid)]);
  });

  it('is joined after its starter was killed', async () => {
    const starter = await startHolder(dataDir);
    expect(starter.reused).toBe(false);
    const pid = await postmasterPid(dataDir);
    await starter.end('SIGKILL');

    const server = await start();

    expect(server.reused).toBe(true);
    expect(await postmasterPid(dataDir)).toBe(pid);
    await server.stop();
    expect(isAlive(pid)).toBe(false);
  });

  it('recovers what was committed when it was killed itself', async () => {
    const exited = Promise.withResolvers<unknown>();
    const killed = await start({ onExit: exited.resolve });
    await queryOnce(killed.url, 'create table if not exists survived (id int)');
    signal(await postmasterPid(dataDir), 'SIGKILL');
    expect(await exited.promise).toEqual({ code: null, signal: 'SIGKILL' });

    const server = await start();

    expect(server.reused).toBe(false);
    expect(await queryOnce(server.url, 'select count(*)::int as rows from survived')).toEqual([{ rows: 0 }]);
  });

  it('tells the end of a server that another process started', async () => {
    const starter = await startHolder(dataDir);
    const exited = Promise.withResolvers<unknown>();
    await start({ onExit: exited.resolve });

    signal(await postmasterPid(dataDir), 'SIGQUIT');

    expect(await exited.promise).toEqual({ code: null, signal: null });
    await starter.end('SIGTERM');
  });

  it('starts although the id in its pid file belongs to another program now', async () => {
    const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
    const before = await start();
    const [, ...rest] = (await readFile(pidFile, 'utf8')).split('\n');
    await before.stop();
    const { uid } = await stat(join(dataDir, 'postgres'));
    const other: ChildProcess = spawn('sleep', ['60'], { uid, stdio: 'ignore' });
    const otherPid = other.pid ?? 0;
    await writeFile(pidFile, [otherPid, ...rest].join('\n'));
    try {
      const server = await start();

      expect(server.reused).toBe(false);
      expect(await postmasterPid(dataDir)).not.toBe(otherPid);
      expect(isAlive(otherPid)).toBe(true);
    } finally {
      const ended = once(other, 'exit');
      other.kill('SIGKILL');
      await ended;
    }
  });

  it('replaces a server that hangs', async () => {
    const hung = await start();
    const pid = await postmasterPid(dataDir);
    signal(pid, 'SIGSTOP');

    const server = await start({ limits: { connectMs: 200, quitMs: 200 } });

    expect(server.reused).toBe(false);
    expect(isAlive(pid)).toBe(false);
    await hung.stop(); // it does not take away the server that replaced its own
    expect(await queryOnce(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('is started once by two that start at the same moment, and ends with the last', async () => {
    const holders = await Promise.all([startHolder(dataDir), startHolder(dataDir)]);
    const pid = await postmasterPid(dataDir);
    const [starter, joiner] = holders.toSorted((one, other) => Number(one.reused) - Number(other.reused));
    expect([starter?.reused, joiner?.reused]).toEqual([false, true]);

    await starter?.end('SIGTERM');
    expect(isAlive(pid)).toBe(true);
    await joiner?.end('SIGTERM');
    expect(isAlive(pid)).toBe(false);
  });

  it('does not wait for gateways that were killed', async () => {
    const server = await start();
    const pid = await postmasterPid(dataDir);
    // What such a gateway leaves while a statement of its goes on: a connection in the name of a dead process.
    const left = new pg.Client({
      connectionString: server.url,
      application_name: 'workhook:999999999:embedded',
    });
    left.on('error', () => undefined);
    await left.connect();

    await server.stop();

    expect(isAlive(pid)).toBe(false);
  });

  it('works in a deep directory with spaces, commas and quotes', async () => {
    const open = await mkdtemp(join(tmpdir(), 'workhook-embedded-'));
    await chmod(open, 0o711); // the user of root's database can come here without help
    const deep = join(open, 'with space, "quotes" and %2F', 'd'.repeat(150));
    const server = await start({ dataDir: deep });
    const socketDir = await readFile(join(deep, 'postgres.socket-dir'), 'utf8');
    try {
      expect(server.fresh).toBe(true);
      expect(await queryOnce(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
      await server.stop();
      const again = await start({ dataDir: deep });
      expect(again.url).toBe(server.url);
      await again.stop();
    } finally {
      await server.stop();
      await Promise.all([socketDir, open].map((path) => rm(path, { recursive: true, force: true })));
    }
  });

  describe('refuses with one line', () => {
    const refusal = async (): Promise<unknown> => {
      const error: unknown = await start().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ name: 'AppError', code: 'STARTUP_FAILED' });
      const { message } = error as Error;
      expect(message).not.toContain('\n');
      return message;
    };
    const replaced = async (name: string, text: string | undefined, check: () => Promise<void>): Promise<void> => {
      const path = join(dataDir, name);
      await rename(path, `${path}.aside`);
      try {
        if (text !== undefined) await writeFile(path, text);
        await check();
      } finally {
        await rm(path, { force: true });
        await rename(`${path}.aside`, path);
      }
    };

    it('a data directory that is a file', async () => {
      const usual = dataDir;
      dataDir = join(parent, 'file');
      await writeFile(dataDir, '');
      try {
        expect(await refusal()).toMatch(/^\/.*\/file cannot be written \(E\w+\): set DATA_DIR/);
      } finally {
        dataDir = usual;
      }
    });

    it('something else in the place of the cluster', async () => {
      await replaced('postgres', 'a file', async () => {
        expect(await refusal()).toMatch(/is not a PostgreSQL data directory/);
      });
      const usual = dataDir;
      dataDir = join(parent, 'other');
      await mkdir(join(dataDir, 'postgres'), { recursive: true });
      try {
        expect(await refusal()).toMatch(/is not a PostgreSQL data directory/);
      } finally {
        dataDir = usual;
      }
    });

    it('a cluster of another major version', async () => {
      await replaced('postgres/PG_VERSION', '9\n', async () => {
        expect(await refusal()).toMatch(/is of PostgreSQL 9, and this Workhook brings PostgreSQL 18: dump it/);
      });
    });

    it('a lost password', async () => {
      await replaced('postgres.password', undefined, async () => {
        expect(await refusal()).toMatch(/has lost its password file/);
      });
    });

    it('a wrong password, without naming it', async () => {
      await replaced('postgres.password', 'canary-of-a-password', async () => {
        const message = await refusal();
        expect(message).toMatch(/refuses the gateway: password authentication failed/);
        expect(message).not.toMatch(/canary/);
        await expect(postmasterPid(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
      });
    });

    it('a server that cannot start, with the end of its log', async () => {
      await replaced('postgres/global/pg_control', 'damaged', async () => {
        expect(await refusal()).toMatch(/^PostgreSQL ended while it started: .*pg_control/);
      });
    });
  });
});

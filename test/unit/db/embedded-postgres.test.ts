import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { locateBinaries } from '../../../src/db/embedded/binaries.js';
import { readPostmaster } from '../../../src/db/embedded/postmaster-pid.js';
import { connectionUrl } from '../../../src/db/embedded/server-address.js';
import { serverEnvironment } from '../../../src/db/embedded/server-environment.js';
import { lastLines, openServerLog } from '../../../src/db/embedded/server-log.js';
import { serverArguments } from '../../../src/db/embedded/server-settings.js';
import { findDenied } from '../../../src/db/embedded/unix-access.js';

describe('the programs of the embedded PostgreSQL', () => {
  it('say what to do when they are not installed', () => {
    expect(() => locateBinaries('linux-x64', 'file:///nowhere/at-all.js')).toThrow(
      'is not installed: set DATABASE_URL, or reinstall with optional dependencies.',
    );
  });

  it('say what to do where there are none', () => {
    expect(() => locateBinaries('sunos-sparc')).toThrow(
      'There is no embedded PostgreSQL for sunos-sparc: set DATABASE_URL.',
    );
  });
});

describe('the connection URL', () => {
  it.each(['/tmp/plain', '/with space/and%2F/ünï', `/odd,"'?#[]@:&=+;/x`])('leads pg to the socket in %s', (host) => {
    const url = connectionUrl({ host, port: 5432 }, 'workhook', 'p-_w', 'workhook');
    const client = new pg.Client({ connectionString: url });

    expect(client).toMatchObject({
      host,
      port: 5432,
      user: 'workhook',
      password: 'p-_w',
      database: 'workhook',
      ssl: false,
    });
    expect(decodeURIComponent(new URL(url).hostname)).toBe(host); // as MikroORM reads it
  });
});

describe('the server arguments', () => {
  it('hold the directory of the socket whatever its name', () => {
    const values = serverArguments('/data', { host: '/a, "b"', port: 5432 });

    expect(values.slice(0, 2)).toEqual(['-D', '/data']);
    expect(values).toContain('unix_socket_directories="/a, ""b"""');
    expect(values).toContain('listen_addresses=');
  });

  it('come with none of our secrets and none of the settings for clients', () => {
    process.env['PGPORT'] = '1';
    process.env['ENCRYPTION_KEYS'] = 'canary';
    try {
      expect(Object.keys(serverEnvironment()).filter((name) => name !== 'PATH')).toEqual(
        expect.not.arrayContaining(['PGPORT', 'ENCRYPTION_KEYS', 'PG_GRANDPARENT_PID']),
      );
      expect(serverEnvironment(7)['PG_GRANDPARENT_PID']).toBe('7');
    } finally {
      delete process.env['PGPORT'];
      delete process.env['ENCRYPTION_KEYS'];
    }
  });
});

describe('files of the embedded PostgreSQL', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'workhook-unit-'));
  });

  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  it('a pid file that is missing, empty, or of a dead process is no server', () => {
    const pidFile = join(dir, 'postmaster.pid');
    expect(readPostmaster(dir)).toEqual({ kind: 'none' });
    for (const text of ['', '\n', 'x\n', '-1\n', '0\n', '999999999\n']) {
      writeFileSync(pidFile, text);
      expect(readPostmaster(dir)).toEqual({ kind: 'none' });
    }
  });

  it('a pid file with the id of another program names a foreigner', () => {
    writeFileSync(join(dir, 'postmaster.pid'), `${process.pid}\n${dir}\n1\n5432\n${dir}\n\n  1 1\nready   \n`);
    expect(readPostmaster(dir)).toEqual({ kind: 'foreign', pid: process.pid });
  });

  it('modes say whether another user can come to a program', () => {
    const stranger = { uid: 54_321, gid: 54_321 };
    const bin = join(dir, 'bin');
    const program = join(bin, 'program');
    mkdirSync(bin);
    writeFileSync(program, '');
    chmodSync(dir, 0o711);
    chmodSync(bin, 0o711);
    chmodSync(program, 0o755);
    const needs = { enter: [bin], read: [], execute: [program] };

    expect(findDenied(stranger, needs)).toBeUndefined();
    expect(findDenied(stranger, { ...needs, read: [bin] })).toBe(bin);
    chmodSync(program, 0o744);
    expect(findDenied(stranger, needs)).toBe(program);
    chmodSync(dir, 0o700);
    expect(findDenied(stranger, needs)).toBe(dir);
    expect(
      findDenied({ uid: process.getuid?.() ?? 0, gid: 54_321 }, { enter: [bin], read: [], execute: [] }),
    ).toBeUndefined();
  });

  it('a log that has grown makes room at the next start, and its tail begins there', () => {
    const logFile = join(dir, 'postgres.log');
    writeFileSync(logFile, 'FATAL: old\n'.repeat(1_000_000)); // 11 MB
    const log = openServerLog(logFile);
    expect(log.tail()).toBe('');
    writeFileSync(log.fd, 'LOG: new\n\nFATAL: newer\n');
    expect(log.tail()).toBe('LOG: new | FATAL: newer');
    log.close();

    const next = openServerLog(logFile);
    expect(next.tail()).toBe('');
    next.close();
    expect(lastLines('1\n2\n3\n4\n5\n6\n')).toBe('2 | 3 | 4 | 5 | 6');
  });
});

import { describe, expect, it } from '@jest/globals';
import { readConfig } from '../../src/config.js';

describe('DATABASE_URL', () => {
  it.each([
    'postgresql://user:word@127.0.0.1:5432/db',
    'postgres://user:a%23b@db.example/db?sslmode=require',
    'postgresql:///db?host=/var/run/postgresql',
  ])('takes %s', (url) => {
    expect(readConfig({ DATABASE_URL: url }).databaseUrl).toBe(url);
  });

  it.each([
    ['a # in the password', 'postgresql://user:canary#word@127.0.0.1:5432/db'],
    ['a / in the password', 'postgresql://user:canary/word@127.0.0.1:5432/db'],
    ['a port that is none', 'postgresql://user:canary@127.0.0.1:99999/db'],
    ['a name that is not encoded well', 'postgresql://user:canary@127.0.0.1/db%zz'],
    ['no database', 'postgresql://user:canary@127.0.0.1:5432'],
    ['another protocol', 'mysql://user:canary@127.0.0.1/db'],
  ])('refuses %s in one line without the password', (_what, url) => {
    const read = (): unknown => readConfig({ DATABASE_URL: url });
    expect(read).toThrow(expect.objectContaining({ code: 'CONFIGURATION_INVALID' }));
    expect(read).toThrow(/^Wrong setting: DATABASE_URL: [^\n]+$/);
    expect(read).not.toThrow(/canary/);
  });
});

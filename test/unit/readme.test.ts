import { readdir } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { readConfig } from '../../src/config.js';
import { SETTING_NAMES } from '../../src/config/settings.js';
import { readPage } from '../support/page.js';

const readme = await readPage('README.md');

/** The names in the first column of the table of settings. */
const documented = readme
  .slice(readme.indexOf('## Settings'), readme.indexOf('## Where things are'))
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => [...line.split('|')[1]!.matchAll(/`([A-Z_]+)`/g)].map((match) => match[1]!));

describe("the README's map", () => {
  it('has every room of src', async () => {
    const rooms = await readdir(new URL('../../src/', import.meta.url));
    expect(rooms.filter((room) => !readme.includes(`\`src/${room}\``))).toEqual([]);
  });
});

describe("the README's table of settings", () => {
  it('has every setting, and no other', () => {
    expect(documented.toSorted()).toEqual(SETTING_NAMES.toSorted());
  });

  it.each([
    ['PORT', (config: ReturnType<typeof readConfig>) => config.port],
    ['RUNNER_CONCURRENCY', (config: ReturnType<typeof readConfig>) => config.runnerConcurrency],
    ['BODY_BYTES_MAX', (config: ReturnType<typeof readConfig>) => config.bodyBytesMax],
    ['SYNC_TIMEOUT_MS', (config: ReturnType<typeof readConfig>) => config.syncTimeoutMs],
    ['RATE_LIMIT_GLOBAL_PER_MINUTE', (config: ReturnType<typeof readConfig>) => config.rateLimits.globalPerMinute],
    ['RATE_LIMIT_USER_PER_MINUTE', (config: ReturnType<typeof readConfig>) => config.rateLimits.userPerMinute],
    ['RATE_LIMIT_WEBHOOK_PER_MINUTE', (config: ReturnType<typeof readConfig>) => config.rateLimits.webhookPerMinute],
    ['RETENTION_DAYS', (config: ReturnType<typeof readConfig>) => config.retentionDays],
  ])('gives the default of %s that is in force', (name, read) => {
    const row = readme.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${name}\``))!;
    expect(row.split('|')[2]).toContain(`\`${read(readConfig({}))}\``);
  });
});

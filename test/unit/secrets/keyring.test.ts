import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadKeyring, parseKeyring } from '../../../src/secrets/keyring.js';

const newKey = (): string => randomBytes(32).toString('base64');

const NONE = {
  encryptionKeys: undefined,
  encryptionKeysFile: undefined,
  embeddedDataDir: undefined,
  isSealed: () => Promise.resolve(false),
};

describe('the text of a keyring', () => {
  it('is entries separated by commas or lines, the first one seals', () => {
    const text = `# ours\nk2:${newKey()}, k1:${newKey()}\n\nk0:${randomBytes(32).toString('base64url')}\n`;
    expect(parseKeyring(text, 'here').keyIds).toEqual(['k2', 'k1', 'k0']);
  });

  it.each([
    ['no key', ' \n# nothing\n', /has no key in it/],
    ['no id', newKey(), /write it as id:key/],
    ['an id with other characters', `k 1:${newKey()}`, /write it as id:key/],
    ['an id that is too long', `${'k'.repeat(33)}:${newKey()}`, /write it as id:key/],
    ['a short key', `k1:${randomBytes(31).toString('base64')}`, /"k1" is not 32 bytes/],
    ['a long key', `k1:${randomBytes(33).toString('base64')}`, /"k1" is not 32 bytes/],
    ['hex', `k1:${randomBytes(32).toString('hex')}`, /"k1" is not 32 bytes/],
    ['rubbish inside', `k1:${newKey().slice(0, -3)}!!=`, /"k1" is not 32 bytes/],
    ['one id twice', `k1:${newKey()},k1:${newKey()}`, /two keys named "k1"/],
  ])('is refused with %s, and not shown', (_, text, message) => {
    const read = (): unknown => parseKeyring(text, 'ENCRYPTION_KEYS');
    expect(read).toThrow(message);
    const key = text.split(':').at(-1)!.trim();
    if (key.length > 20) expect(read).not.toThrow(key);
  });
});

describe('where the keys come from', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'workhook-keyring-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  it('takes the setting or the file before the folder, and not both', async () => {
    const file = join(dir, 'some.keys');
    await writeFile(file, `file:${newKey()}\n`);
    const setting = `setting:${newKey()}`;
    const both = { ...NONE, encryptionKeys: setting, embeddedDataDir: dir };
    expect((await loadKeyring(both)).keyIds).toEqual(['setting']);
    const fromFile = { ...both, encryptionKeys: undefined, encryptionKeysFile: file };
    expect((await loadKeyring(fromFile)).keyIds).toEqual(['file']);
    await expect(loadKeyring({ ...fromFile, encryptionKeys: setting })).rejects.toThrow('set one of them');
    expect(await readdir(dir)).toEqual(['some.keys']);
  });

  it('makes a key for an embedded database, once, for its user only', async () => {
    const keyrings = await Promise.all(Array.from({ length: 8 }, () => loadKeyring({ ...NONE, embeddedDataDir: dir })));
    expect(new Set(keyrings.flatMap(({ keyIds }) => keyIds)).size).toBe(1);
    expect(await readdir(dir)).toEqual(['encryption.keys']);
    const file = join(dir, 'encryption.keys');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, 'utf8');
    expect((await loadKeyring({ ...NONE, embeddedDataDir: dir })).keyIds).toEqual(keyrings[0]!.keyIds);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('makes none where something is sealed already: it would open nothing', async () => {
    const sealed = { ...NONE, embeddedDataDir: dir, isSealed: () => Promise.resolve(true) };
    await expect(loadKeyring(sealed)).rejects.toThrow('encryption.keys is missing');
    expect(await readdir(dir)).toEqual([]);
    const { keyIds } = await loadKeyring({ ...NONE, embeddedDataDir: dir });
    expect((await loadKeyring(sealed)).keyIds).toEqual(keyIds);
  });

  it('says what to set and how to make a key when there is none', async () => {
    await expect(loadKeyring(NONE)).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_INVALID',
      message: expect.stringMatching(/openssl rand -base64 32.*ENCRYPTION_KEYS=k1:.*ENCRYPTION_KEYS_FILE/),
    });
  });

  it('says which file cannot be read', async () => {
    const encryptionKeysFile = join(dir, 'missing');
    await expect(loadKeyring({ ...NONE, encryptionKeysFile })).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_INVALID',
      message: expect.stringMatching(/missing cannot be read: ENOENT/),
    });
  });

  it('says where a key cannot be written', async () => {
    await expect(loadKeyring({ ...NONE, embeddedDataDir: join(dir, 'gone') })).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_INVALID',
      message: expect.stringMatching(/cannot be written to .*gone\/encryption\.keys: ENOENT/),
    });
  });
});

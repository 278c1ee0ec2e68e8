import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { importModules } from '../../../src/workers/code/import-modules.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'workhook-modules-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

const module = (id: string, more = ''): string =>
  `import { defineWorker } from 'workhook/worker';
   export default defineWorker({ id: '${id}', name: 'A name', run: () => 1, ${more} });`;

describe('importModules', () => {
  it('imports TypeScript and JavaScript, and leaves helpers, folders, tests and declarations alone', async () => {
    await writeFile(join(dir, 'a.ts'), `${module('a')}\nexport const typed: number = 1;`);
    await writeFile(join(dir, 'b.mjs'), module('b'));
    for (const file of ['_helper.ts', '.hidden.ts', 'a.test.ts', 'types.d.ts', 'README.md', 'data.json']) {
      await writeFile(join(dir, file), 'this is no module');
    }
    await mkdir(join(dir, 'shared.ts'));
    const { modules, faults } = await importModules(dir);
    expect(faults).toEqual([]);
    expect(modules.map(({ file, worker }) => [file, worker.id])).toEqual([
      ['a.ts', 'worker-a'],
      ['b.mjs', 'worker-b'],
    ]);
    expect(modules[0]?.sourceHash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('names the file of each that fails and loads the others', async () => {
    await writeFile(join(dir, 'fine.ts'), module('fine'));
    await writeFile(join(dir, 'throws.ts'), 'throw new Error("no database here");');
    await writeFile(join(dir, 'syntax.mjs'), 'export default {');
    await writeFile(join(dir, 'nothing.ts'), 'export const worker = 1;');
    await writeFile(join(dir, 'wrong-id.ts'), module('Wrong Id'));
    await writeFile(join(dir, 'wrong-schema.ts'), module('wrong-schema', "input: { type: 'objekt' }"));
    await writeFile(join(dir, 'missing.ts'), 'import "./not-there.js";');
    const { modules, faults } = await importModules(dir);
    expect(modules.map((loaded) => loaded.file)).toEqual(['fine.ts']);
    const messages = Object.fromEntries(faults.map((fault) => [fault.file, fault.message]));
    expect(Object.keys(messages)).toEqual([
      'missing.ts',
      'nothing.ts',
      'syntax.mjs',
      'throws.ts',
      'wrong-id.ts',
      'wrong-schema.ts',
    ]);
    expect(messages['throws.ts']).toBe('no database here');
    expect(messages['nothing.ts']).toContain('export default defineWorker');
    expect(messages['wrong-id.ts']).toContain('id: ');
    expect(messages['wrong-schema.ts']).toContain('JSON Schema');
    expect(messages['missing.ts']).toContain('not-there');
  });

  it('loads neither of two with the same id, and names both files', async () => {
    await writeFile(join(dir, 'one.ts'), module('same'));
    await writeFile(join(dir, 'two.ts'), module('worker-same'));
    await writeFile(join(dir, 'three.ts'), module('other'));
    const { modules, faults } = await importModules(dir);
    expect(modules.map((loaded) => loaded.file)).toEqual(['three.ts']);
    expect(faults).toEqual([
      { file: 'one.ts', message: 'its id "worker-same" is also that of two.ts' },
      { file: 'two.ts', message: 'its id "worker-same" is also that of one.ts' },
    ]);
  });

  it('says which setting is wrong when there is no such folder', async () => {
    await expect(importModules(join(dir, 'missing'))).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining('WORKERS_DIR'),
    });
  });
});

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

/** Node itself loads these, as the gateway's process does: Jest has a module loader of its own. */
const built = (file: string): string => pathToFileURL(resolve('dist/src/workers/code', file)).href;

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'workhook-operator-'));
});

afterAll(async () => {
  await rm(dir, { recursive: true });
});

async function load(folder: string): Promise<unknown> {
  const program = `
    import { isPermanent } from '${built('define-worker.js')}';
    import { importModules } from '${built('import-modules.js')}';
    import { resolveForOperatorModules } from '${built('module-resolution.js')}';
    resolveForOperatorModules();
    const { modules, faults } = await importModules(${JSON.stringify(folder)});
    const ran = [];
    for (const { worker, inputSchema } of modules) {
      const result = await Promise.resolve().then(() => worker.run({ inputParams: { n: 1 } })).catch((error) => isPermanent(error));
      ran.push([worker.id, inputSchema?.type ?? null, result]);
    }
    console.log(JSON.stringify({ ran, faults }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: tmpdir(),
    timeout: 20_000,
  });
  return JSON.parse(stdout);
}

describe('modules of an operator', () => {
  it('find workhook/worker and zod from a folder outside of the package, in TypeScript and JavaScript', async () => {
    await writeFile(
      join(dir, 'typed.ts'),
      `import { defineWorker, type CodeWorkerRun } from 'workhook/worker';
       import { z } from 'zod';
       const input = z.object({ n: z.number() });
       const run = ({ inputParams }: CodeWorkerRun<z.output<typeof input>>): number => inputParams.n + 1;
       export default defineWorker({ id: 'typed', name: 'Typed', input, run });`,
    );
    await writeFile(
      join(dir, 'permanent.mjs'),
      `import { defineWorker, PermanentError } from 'workhook/worker';
       export default defineWorker({ id: 'permanent', name: 'P', run: () => { throw new PermanentError('no'); } });`,
    );
    expect(await load(dir)).toEqual({
      ran: [
        ['worker-permanent', null, true],
        ['worker-typed', 'object', 2],
      ],
      faults: [],
    });
  });

  it('keep the zod of their own, and name what is missing', async () => {
    const folder = join(dir, 'own');
    await mkdir(join(folder, 'node_modules/zod'), { recursive: true });
    await writeFile(
      join(folder, 'node_modules/zod/package.json'),
      '{ "name": "zod", "type": "module", "exports": "./index.js" }',
    );
    await writeFile(join(folder, 'node_modules/zod/index.js'), "export const z = 'their own';");
    await writeFile(
      join(folder, 'own.js'),
      `import { defineWorker } from 'workhook/worker';
       import { z } from 'zod';
       export default defineWorker({ id: 'own', name: 'Own', run: () => z });`,
    );
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'missing.js'), "import 'left-pad';");
    expect(await load(folder)).toEqual({
      ran: [['worker-own', null, 'their own']],
      faults: [{ file: 'missing.js', message: expect.stringContaining("'left-pad'") }],
    });
  });

  it('are the examples, as they lie', async () => {
    expect(await load(resolve('examples/workers'))).toMatchObject({ faults: [], ran: { length: 6 } });
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { queryOnce } from '../support/embedded-postgres.js';
import { databaseEnv, runGatewayCommand } from '../support/gateway-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let folder: string;
let file: string;

const WORKFLOW = 'version: 1\nsteps:\n  - id: a\n    set: { n: 1 }\n';

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'workflows-'));
  file = join(folder, 'refund.yaml');
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await database.drop();
});

const run = (...args: readonly string[]): ReturnType<typeof runGatewayCommand> =>
  runGatewayCommand(['workflow', ...args], databaseEnv(database.url));

describe('workhook workflow', () => {
  it('checks the example of the documentation without a database', async () => {
    const page = await readFile('docs/workflows.md', 'utf8');
    await writeFile(file, /```yaml\n([^]*?)```/.exec(page)![1]!);
    const checked = await runGatewayCommand(['workflow', 'validate', file], {});
    expect(checked).toEqual({ code: 0, stdout: `${file} is well-formed.\n`, stderr: '' });
  });

  it('says what is to be mended, and where', async () => {
    await writeFile(file, 'version: 1\nsteps:\n  - id: a\n    set: { n: "{{ steps.b.result }}" }\n');
    const checked = await run('validate', file);
    expect(checked).toEqual({ code: 1, stdout: '', stderr: 'steps.0.set: There is no step "b".\n' });
  });

  it('makes a workflow, a new version of it, and nothing when nothing changed', async () => {
    await writeFile(file, WORKFLOW);
    const made = await run('apply', file, 'Refund');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const id = /^(worker-\w+) version 1 \(created\)\n$/.exec(made.stdout)![1]!;
    expect((await run('apply', file, 'Refund')).stdout).toBe(`${id} version 1 (unchanged)\n`);
    await writeFile(file, WORKFLOW.replace('{ n: 1 }', '{ n: 2 }'));
    expect((await run('apply', file, 'Refund')).stdout).toBe(`${id} version 2 (changed)\n`);
    const audited = await queryOnce(
      database.url,
      `select action, credential from audit_events where action like 'worker.%' order by seq`,
    );
    expect(audited).toEqual([
      { action: 'worker.created', credential: 'system:command-line' },
      { action: 'worker.updated', credential: 'system:command-line' },
    ]);
  });

  it('refuses what the database does not have', async () => {
    await writeFile(file, 'version: 1\nsteps:\n  - id: a\n    worker: worker-none\n');
    expect(await run('apply', file, 'Other')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'steps.0.worker: There is no such worker.\n',
    });
  });

  it.each([[[]], [['apply', 'x.yaml']], [['validate']], [['remove', 'x.yaml', 'X']]])(
    'explains itself when it is asked for %j',
    async (args) => {
      const { code, stderr } = await runGatewayCommand(['workflow', ...args], {});
      expect(code).toBe(2);
      expect(stderr).toContain('workhook workflow apply FILE NAME');
    },
  );

  it('says that a file is not there', async () => {
    expect(await run('validate', join(folder, 'none.yaml'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ENOENT'),
    });
  });
});

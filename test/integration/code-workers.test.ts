import { mkdir, mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import { EventHub } from '../../src/events/event-hub.js';
import { EventListener } from '../../src/events/event-listener.js';
import { topics } from '../../src/events/event.js';
import { createLogger } from '../../src/lib/logger.js';
import { CodeWorkerRunner } from '../../src/workers/code/code-runner.js';
import { loadCodeWorkers, type LoadedCodeWorkers } from '../../src/workers/code/load-code-workers.js';
import { WorkerRegistry } from '../../src/workers/registry.js';
import { waitForBlockedSessions } from '../support/blocked-sessions.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { workerRun } from '../support/worker-run.js';

const log = createLogger('silent');
const hub = new EventHub();
let testDatabase: TestDatabase;
let database: Database;
let listener: EventListener;
let root: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = await openDatabase({ url: testDatabase.url, entities: ENTITIES, poolSize: 12, log });
  listener = new EventListener({ url: testDatabase.url, hub, log });
  await listener.start();
  root = await mkdtemp(join(tmpdir(), 'workhook-workers-'));
});

afterAll(async () => {
  await listener.close();
  hub.close();
  await database.close();
  await testDatabase.drop();
  await rm(root, { recursive: true });
});

interface Given {
  readonly id: string;
  readonly timeoutMs?: number;
  readonly input?: object;
  /** The body of `run`; `p` is inputParams. */
  readonly returns?: string;
}

/** Each folder has its own module URLs: an imported one is never read again. */
async function folder(name: string, files: Readonly<Record<string, Given | string>>): Promise<string> {
  const dir = join(root, name);
  await mkdir(dir);
  for (const [file, given] of Object.entries(files)) await writeFile(join(dir, file), source(given));
  return dir;
}

function source(given: Given | string): string {
  if (typeof given === 'string') return given;
  const { id, timeoutMs, input, returns = 'p' } = given;
  const settings = { id, name: `Name of ${id}`, timeoutMs, input };
  return `import { defineWorker } from 'workhook/worker';
    export default defineWorker({ ...${JSON.stringify(settings)}, run: ({ inputParams: p }) => (${returns}) });`;
}

const load = (dir: string): Promise<LoadedCodeWorkers> => loadCodeWorkers({ dir, database, log });

async function versions(id: string): Promise<unknown[]> {
  const { rows } = await database.pool.query<{ version: number; current: boolean; timeout_ms: number }>(
    `select v.version, v.version = w.current_version as current, v.timeout_ms
     from workers w join worker_versions v on v.worker_id = w.id where w.id = $1 order by v.version`,
    [id],
  );
  return rows.map((row) => [row.version, row.current, row.timeout_ms]);
}

function registryOf(loaded: LoadedCodeWorkers, resultBytesMax?: number): WorkerRegistry {
  return new WorkerRegistry({
    database,
    hub,
    runners: [new CodeWorkerRunner(loaded.modules)],
    ...(resultBytesMax !== undefined && { resultBytesMax }),
  });
}

describe('loadCodeWorkers', () => {
  it('loads the examples that a fresh start runs', async () => {
    const loaded = await load(resolve('examples/workers'));
    expect(loaded.faults).toEqual([]);
    expect([...loaded.modules.keys()].toSorted()).toEqual([
      'worker-anomaly-check',
      'worker-echo',
      'worker-lead-enrichment',
      'worker-order-handling',
      'worker-scheduled-report',
      'worker-ticket-triage',
    ]);
    const registry = registryOf(loaded);
    const echo = await registry.load('worker-echo');
    expect(echo).toMatchObject({
      kind: 'CODE',
      name: 'Echo',
      version: 1,
      timeoutMs: 5_000,
      attemptsMax: 3,
      inputSchema: null,
    });
    expect((await registry.run(echo, workerRun({ a: [1] }))).result).toBe('{"a":[1]}');
    const faults = await registry.validateInput(['worker-echo', 'worker-lead-enrichment'], {
      lead: { email: 'x' },
    });
    expect(faults).toEqual(
      expect.arrayContaining([
        { workerId: 'worker-lead-enrichment', pointer: '/lead/email', message: expect.any(String) },
      ]),
    );
    registry.close();
  });

  it('makes a new version only when the content is another', async () => {
    await load(await folder('v1', { 'a.ts': { id: 'versioned', timeoutMs: 1_000 } }));
    expect(await versions('worker-versioned')).toEqual([[1, true, 1_000]]);
    await load(await folder('v1-again', { 'renamed.ts': { id: 'versioned', timeoutMs: 1_000 } }));
    expect(await versions('worker-versioned')).toEqual([[1, true, 1_000]]);
    await load(await folder('v2', { 'a.ts': { id: 'versioned', timeoutMs: 2_000 } }));
    expect(await versions('worker-versioned')).toEqual([
      [1, false, 1_000],
      [2, true, 2_000],
    ]);
    await load(await folder('v3', { 'a.ts': { id: 'versioned', timeoutMs: 2_000, returns: '[p]' } }));
    expect(await versions('worker-versioned')).toHaveLength(3);
  });

  it('makes one version when many processes start at once', async () => {
    const dirs = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => folder(`race-${n}`, { 'a.ts': { id: 'raced' }, 'b.ts': { id: 'raced-too' } })),
    );
    const gate = await database.pool.connect();
    await gate.query('begin; lock table workers in access exclusive mode');
    const starting = Promise.all(dirs.map(load));
    await waitForBlockedSessions(database.pool, dirs.length);
    await gate.query('commit');
    gate.release();
    const loads = await starting;
    expect(loads.every((loaded) => loaded.modules.size === 2)).toBe(true);
    expect(await versions('worker-raced')).toHaveLength(1);
    expect(await versions('worker-raced-too')).toHaveLength(1);
  });

  it('keeps a worker whose module is gone, and says so when it is run', async () => {
    const dir = await folder('gone', { 'a.ts': { id: 'vanishing' }, 'b.ts': { id: 'staying' } });
    await load(dir);
    await unlink(join(dir, 'a.ts'));
    const loaded = await load(dir);
    expect([...loaded.modules.keys()]).toEqual(['worker-staying']);
    const registry = registryOf(loaded);
    const worker = await registry.load('worker-vanishing');
    await expect(registry.run(worker, workerRun({}))).rejects.toMatchObject({
      code: 'WORKER_NOT_LOADED',
      retryable: false,
    });
    registry.close();
  });

  it('goes on past a module that fails', async () => {
    const loaded = await load(
      await folder('failing', { 'bad.ts': 'throw new Error("no");', 'good.ts': { id: 'good' } }),
    );
    expect(loaded.faults).toEqual([{ file: 'bad.ts', message: 'no' }]);
    expect([...loaded.modules.keys()]).toEqual(['worker-good']);
  });

  it('leaves a worker of another kind alone', async () => {
    await database.pool.query(
      "insert into workers (id, kind, name, current_version) values ('worker-taken', 'HTTP', 'Theirs', 1)",
    );
    await database.pool.query(
      "insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max) values ('worker-taken', 1, '{}', 1, 1)",
    );
    const loaded = await load(await folder('taken', { 'a.ts': { id: 'taken' } }));
    expect(loaded.modules.size).toBe(0);
    expect(loaded.faults).toEqual([
      { file: 'a.ts', message: 'its id "worker-taken" belongs to a worker of kind HTTP' },
    ]);
  });

  it('takes an empty folder', async () => {
    expect(await load(await folder('empty', {}))).toMatchObject({ modules: new Map(), faults: [] });
  });
});

describe('WorkerRegistry', () => {
  it('sees a new version as soon as it is announced, and still runs the pinned one', async () => {
    const schema = (type: string): object => ({ type: 'object', properties: { n: { type } } });
    const loaded = await load(await folder('r1', { 'a.ts': { id: 'current', input: schema('string') } }));
    const registry = registryOf(loaded);
    expect(await registry.validateInput(['worker-current'], { n: 1 })).toHaveLength(1);
    const pinned = await registry.load('worker-current');

    const announced = new Promise<void>((done) => {
      const stop = hub.listen([topics.workers], (notification) => {
        if (notification.kind !== 'worker-changed' || notification.workerId !== 'worker-current') return;
        stop();
        done();
      });
    });
    await load(await folder('r2', { 'a.ts': { id: 'current', input: schema('integer') } }));
    await announced;

    expect(await registry.validateInput(['worker-current'], { n: 1 })).toEqual([]);
    expect((await registry.load('worker-current')).version).toBe(2);
    expect(await registry.load('worker-current', 1)).toEqual(pinned);
    await expect(registry.run(pinned, workerRun({ n: 1 }))).rejects.toMatchObject({
      code: 'WORKER_INPUT_REFUSED',
      retryable: false,
    });
    registry.close();
  });

  it('reads the current version each time while no events arrive', async () => {
    const loaded = await load(await folder('l1', { 'a.ts': { id: 'unheard', timeoutMs: 1 } }));
    const deaf = new WorkerRegistry({ database, hub: new EventHub(), runners: [], listening: () => false });
    expect((await deaf.load('worker-unheard')).timeoutMs).toBe(1);
    expect(loaded.modules.size).toBe(1);
    await load(await folder('l2', { 'a.ts': { id: 'unheard', timeoutMs: 2 } }));
    expect((await deaf.load('worker-unheard')).timeoutMs).toBe(2);
    deaf.close();
  });

  it('reads a version once, however often it is asked for', async () => {
    const loaded = await load(await folder('once', { 'a.ts': { id: 'once' } }));
    let queries = 0;
    const pool = {
      query: ((...args: Parameters<Database['pool']['query']>) => {
        queries += 1;
        return database.pool.query(...args);
      }) as Database['pool']['query'],
    };
    const registry = new WorkerRegistry({
      database: { pool },
      hub: new EventHub(),
      runners: [new CodeWorkerRunner(loaded.modules)],
    });
    await Promise.all([1, 2, 3].map(() => registry.validateInput(['worker-once'], {})));
    await registry.run(await registry.load('worker-once'), workerRun({}));
    expect(queries).toBe(1);
    registry.close();
  });

  it('refuses results that are too large, and workers that are not there', async () => {
    const loaded = await load(await folder('large', { 'a.ts': { id: 'large', returns: "'x'.repeat(p.characters)" } }));
    const registry = registryOf(loaded, 100);
    const worker = await registry.load('worker-large');
    expect((await registry.run(worker, workerRun({ characters: 98 }))).result).toHaveLength(100);
    await expect(registry.run(worker, workerRun({ characters: 99 }))).rejects.toMatchObject({
      code: 'WORKER_OUTPUT_INVALID',
      retryable: false,
    });
    await expect(registry.load('worker-none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(registry.load('worker-large', 99)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(registry.validateInput(['worker-none'], {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    registry.close();
  });
});

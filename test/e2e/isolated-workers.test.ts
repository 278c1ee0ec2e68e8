import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Gate, openGate } from '../support/gate.js';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

// Memory is filled and processes are started: slow on a busy machine.
jest.setTimeout(120_000);

/** Each is what stands in `run`. */
const WORKERS: Readonly<Record<string, string>> = {
  echo: 'return inputParams;',
  loops: 'for (;;);',
  brief: 'if (inputParams.loops) for (;;); return inputParams;',
  exits: 'process.exit(0);',
  kills: "process.kill(process.pid, 'SIGKILL'); await new Promise(() => undefined);",
  floods: 'const all = []; for (;;) all.push(new Array(100_000).fill(all.length));',
  'floods-buffers':
    'const all = []; for (;;) { all.push(Buffer.alloc(8_388_608, 1)); await new Promise(setImmediate); }',
  outside: "setTimeout(() => { throw new Error('nobody catches this'); }); await new Promise(() => undefined);",
  rejects: "void Promise.reject(new Error('nobody listens')); await new Promise(() => undefined);",
  deaf: 'await new Promise(() => undefined);',
  huge: "return 'x'.repeat(5_000_000);",
  orphan: 'await note(`pid ${process.pid}`); for (;;);',
  environment: 'return process.env;',
  pid: 'return process.pid;',
  logs: "log.warn({ order: 7, reason: new Error('no stock') }, 'a line of a module'); console.log('printed by a module'); return null;",
  steps: `
    const first = await step('first', async () => { await note('first'); return { n: 1 }; });
    await step('gate', async () => { await note('gate'); return await (await fetch(inputParams.gateUrl)).text(); });
    const called = await callWorker('call', 'echo', { from: executionId });
    return { first, called };`,
  unlucky: `
    await step('once', () => note('unlucky once'));
    if (attempt === 1) process.exit(1);
    return attempt;`,
  catches: `
    try { await callWorker('nobody', 'no-such-worker', null); }
    catch (error) { return { code: error.code, message: error.message }; }`,
  fails: "await callWorker('nobody', 'no-such-worker', null);",
};

const SETTINGS: Readonly<Record<string, object>> = {
  loops: { timeoutMs: 800 },
  brief: { timeoutMs: 4_000 },
  deaf: { timeoutMs: 200 },
  steps: { attemptsMax: 3 },
  unlucky: { attemptsMax: 3 },
};

let dir: string;
let notes: string;
let database: TestDatabase;
let gateway: GatewayProcess;
let gate: Gate;

const start = (more: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> =>
  startGatewayProcess({
    env: {
      ...databaseEnv(database.url),
      WORKERS_DIR: dir,
      WORKERS_MEMORY_MB: '64',
      WORKERS_ENV: 'ERP_URL',
      ERP_URL: 'https://erp.example',
      OPENAI_API_KEY: 'sk-canary',
      SOME_SECRET: 'canary',
      LOG_LEVEL: 'info',
      ...more,
    },
  });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'workhook-isolated-'));
  notes = join(dir, '_notes.txt');
  await appendFile(notes, '');
  for (const [id, body] of Object.entries(WORKERS)) {
    const settings = { id, name: id, attemptsMax: 1, ...SETTINGS[id] };
    await writeFile(
      join(dir, `${id}.ts`),
      `import { appendFile } from 'node:fs/promises';
       import { defineWorker } from 'workhook/worker';
       const note = (text: string): Promise<void> => appendFile(${JSON.stringify(notes)}, text + '\\n');
       export default defineWorker({ ...${JSON.stringify(settings)},
         run: async ({ inputParams, step, callWorker, log, executionId, attempt }: any) => { ${body} } });`,
    );
  }
  database = await createTestDatabase();
  [gateway, gate] = await Promise.all([start(), openGate()]);
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await gate.close();
  await database.drop();
  await rm(dir, { recursive: true });
});

interface Answer {
  readonly results: readonly { readonly executionId: string; result?: unknown; error?: string; code?: string }[];
}

async function webhookFor(id: string, executionMode: 'SYNC' | 'ASYNC' = 'SYNC') {
  return await createWebhook(gateway, {
    workerIds: [`worker-${id}`],
    executionMode,
    syncTimeout: 'PT30S',
    authentication: { method: 'SECRET_HEADER' },
  });
}

async function run(id: string, input: object = {}): Promise<Answer['results'][number]> {
  const { body } = await postCall<Answer>(await webhookFor(id), JSON.stringify(input));
  return body.results[0]!;
}

async function execution(id: string): Promise<Record<string, unknown>> {
  const { execution: found } = await gateway.graphql<{ execution: Record<string, unknown> }>(
    `query ($id: ID!) { execution(id: $id) {
      status attempt result error { code } steps { nodes { path status attempt workerId output } } } }`,
    { id },
  );
  return found;
}

describe('a CODE worker that misbehaves', () => {
  it.each([
    ['loops', 'WORKER_TIMED_OUT', 'within 800 ms'],
    ['deaf', 'WORKER_TIMED_OUT', 'within 200 ms'],
    ['exits', 'WORKER_CRASHED', 'exit code 0'],
    ['kills', 'WORKER_CRASHED', 'SIGKILL'],
    ['floods', 'WORKER_OUT_OF_MEMORY', '64 MiB'],
    ['floods-buffers', 'WORKER_OUT_OF_MEMORY', '64 MiB'],
    ['outside', 'WORKER_CRASHED', 'nobody catches this'],
    ['rejects', 'WORKER_CRASHED', 'nobody listens'],
    ['huge', 'WORKER_OUTPUT_INVALID', 'larger than'],
  ])('%s: ends its own execution as %s', async (id, code, message) => {
    expect(await run(id)).toMatchObject({ code, error: expect.stringContaining(message) });
    expect(await run('echo', { still: 'there' })).toMatchObject({ result: { still: 'there' } });
  });

  it('does not hold the ingress up, nor take its neighbours along', async () => {
    const [bad, good] = [
      await Promise.all(['loops', 'exits', 'outside', 'floods'].map((id) => webhookFor(id, 'ASYNC'))),
      await webhookFor('echo', 'ASYNC'),
    ];
    const accepted = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const startedMs = performance.now();
        const { status, body } = await postCall<Answer>(n % 5 === 0 ? bad[(n / 5) % 4]! : good, '{"n":1}');
        return { n, status, tookMs: performance.now() - startedMs, id: body.results[0]!.executionId };
      }),
    );
    expect(new Set(accepted.map(({ status }) => status))).toEqual(new Set([202]));
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    for (const { n, id } of accepted) {
      const ended = await pollUntil(`the end of ${n}`, async () => {
        const found = await execution(id);
        return ['QUEUED', 'RUNNING', 'WAITING'].includes(String(found['status'])) ? undefined : found;
      });
      if (n % 5 === 0) expect(ended).toMatchObject({ error: { code: expect.stringMatching(/^WORKER_/) } });
      else expect(ended).toMatchObject({ status: 'SUCCEEDED', result: { n: 1 }, attempt: 1 });
    }
  });

  it('does not cost its neighbours their time, however little they have', async () => {
    const webhook = await webhookFor('brief', 'ASYNC');
    await Promise.all(Array.from({ length: 8 }, () => run('brief'))); // its module is there, wherever it runs
    const loops = Array.from({ length: 2 }, () => postCall<Answer>(webhook, '{"loops":true}'));
    await Promise.race(loops);
    const posted = await Promise.all(Array.from({ length: 12 }, () => postCall<Answer>(webhook, '{"n":1}')));
    await Promise.all(loops);
    for (const { body } of posted) {
      const ended = await pollUntil('the end of a neighbour', async () => {
        const found = await execution(body.results[0]!.executionId);
        return ['QUEUED', 'RUNNING', 'WAITING'].includes(String(found['status'])) ? undefined : found;
      });
      expect(ended).toMatchObject({ status: 'SUCCEEDED', result: { n: 1 }, attempt: 1 });
    }
  });

  it('does not outlive a gateway that is killed', async () => {
    const other = await start();
    const webhook = await createWebhook(other, {
      workerIds: ['worker-orphan'],
      authentication: { method: 'SECRET_HEADER' },
    });
    await gateway.end('SIGTERM'); // it would run the orphan
    await postCall(webhook, '{}');
    const pid = await pollUntil('its process', async () => /pid (\d+)/.exec(await readFile(notes, 'utf8'))?.[1]);
    await other.end('SIGKILL');
    await pollUntil('the end of its process', () =>
      readFile(`/proc/${pid}/cmdline`).then(
        (text) => (text.length === 0 ? true : undefined), // a zombie
        () => true,
      ),
    );
    gateway = await start();
  });

  it('is left out when it does so while it is loaded, and the others are there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'workhook-load-'));
    await writeFile(join(folder, 'a-exits.ts'), 'process.exit(3);');
    await writeFile(join(folder, 'b-throws.ts'), "throw new Error('not today');");
    await writeFile(
      join(folder, 'c-fine.ts'),
      "import { defineWorker } from 'workhook/worker'; export default defineWorker({ id: 'fine', name: 'F', run: () => 1 });",
    );
    const other = await start({ WORKERS_DIR: folder });
    try {
      const faults = other
        .logged()
        .split('\n')
        .filter((line) => line.includes('could not be loaded'));
      expect(faults).toEqual([
        expect.stringMatching(/a-exits.*exit code 3/),
        expect.stringMatching(/b-throws.*not today/),
      ]);
      expect(other.logged()).toContain('"workers":["worker-fine"]');
    } finally {
      await other.end('SIGTERM');
      await rm(folder, { recursive: true });
    }
  });
});

describe('an isolated CODE worker', () => {
  it('sees no secret of the gateway, and what the operator names', async () => {
    const { result } = await run('environment');
    expect(result).toMatchObject({ ERP_URL: 'https://erp.example', PATH: expect.any(String) });
    const all = JSON.stringify(result);
    for (const name of ['ENCRYPTION_KEYS', 'DATABASE_URL', 'ADMIN_TOKEN', 'OPENAI_API_KEY', 'canary']) {
      expect(all).not.toContain(name);
    }
  });

  it('runs in the process of the gateway when the operator says so', async () => {
    expect((await run('pid')).result).not.toBe(gateway.pid);
    await gateway.end('SIGTERM');
    gateway = await start({ WORKERS_ISOLATION: 'none' });
    expect((await run('pid')).result).toBe(gateway.pid);
    await gateway.end('SIGTERM');
    gateway = await start();
  });

  it('writes to the log of the gateway', async () => {
    const { executionId } = await run('logs');
    const line = await pollUntil('the lines', async () => {
      const lines = gateway.logged().split('\n');
      return lines.some((text) => text.includes('printed by a module'))
        ? lines.find((text) => text.includes('a line of a module'))
        : undefined;
    });
    expect(JSON.parse(line)).toMatchObject({
      level: 40,
      order: 7,
      reason: { message: 'no stock' },
      workerId: 'worker-logs',
      attempt: 1,
    });
    expect(executionId).toMatch(/^exec-/);
  });

  it('gets the errors of the workers that it calls, with their codes', async () => {
    expect(await run('catches')).toMatchObject({
      result: { code: 'NOT_FOUND', message: 'There is no such worker.' },
    });
    expect(await run('fails')).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('finds its steps again when it crashes', async () => {
    const { executionId, result } = await run('unlucky');
    expect(result).toBe(2);
    expect((await readFile(notes, 'utf8')).match(/unlucky once/g)).toHaveLength(1);
    expect(await execution(executionId)).toMatchObject({
      attempt: 2,
      steps: { nodes: [{ path: 'once', attempt: 1 }] },
    });
  });

  it('finds its steps again when the gateway is killed between two of them', async () => {
    const webhook = await webhookFor('steps', 'ASYNC');
    const { body } = await postCall<Answer>(webhook, JSON.stringify({ gateUrl: gate.url }));
    const id = body.results[0]!.executionId;
    await gate.reached;
    expect(await execution(id)).toMatchObject({
      steps: {
        nodes: [
          { path: 'first', status: 'SUCCEEDED', output: { n: 1 } },
          { path: 'gate', status: 'RUNNING' },
        ],
      },
    });
    await gateway.end('SIGKILL');
    gate.open('opened');
    gateway = await start();
    const ended = await pollUntil('the end', async () => {
      const found = await execution(id);
      if (gate.visits() > 1) gate.open('opened again');
      return found['status'] === 'SUCCEEDED' ? found : undefined;
    });
    expect(ended).toMatchObject({
      attempt: 2,
      result: { first: { n: 1 }, called: { from: id } },
      steps: {
        nodes: [
          { path: 'first', status: 'SUCCEEDED', attempt: 1 },
          { path: 'gate', status: 'SUCCEEDED', attempt: 2 },
          { path: 'call', status: 'SUCCEEDED', attempt: 2, workerId: 'worker-echo' },
        ],
      },
    });
    const noted = (await readFile(notes, 'utf8')).split('\n');
    expect(noted.filter((text) => text === 'first')).toHaveLength(1);
    expect(noted.filter((text) => text === 'gate')).toHaveLength(2);
  });
});

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LLMock } from '@copilotkit/aimock';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { readPage, textsOf } from '../support/page.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { parseEvents } from '../support/sse.js';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url).pathname;

/** The commands of the guide, block by block, as they stand there. */
const blocks = textsOf(await readPage('docs/ai-workers.md'), 'sh');
const starts = blocks.filter((block) => block.endsWith('npm start\n'));
const commands = blocks.filter((block) => !starts.includes(block));

/** The settings in front of `npm start`. */
function settingsOf(start: string): Record<string, string> {
  return Object.fromEntries([...start.matchAll(/([A-Z_]+)=(\S+)/g)].map((match) => [match[1]!, match[2]!]));
}

const ANSWER = { queue: 'billing', urgency: 4, reply: 'We are sorry.' };

let mock: LLMock;
let database: TestDatabase;
let gateway: GatewayProcess | undefined;

beforeEach(async () => {
  mock = await LLMock.create({ port: 0 });
  mock.onMessage(/./, { content: JSON.stringify(ANSWER) });
  database = await createTestDatabase();
});

afterEach(async () => {
  await gateway?.end('SIGTERM');
  gateway = undefined;
  await mock.stop();
  await database.drop();
});

/** What each block prints. */
async function runCommands(env: Record<string, string>): Promise<string[]> {
  const script = commands.join("printf '\\036'\n");
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
  });
  return stdout.split('\u001E');
}

it('begins in the README', async () => {
  const recipes = textsOf(await readPage('README.md'), 'sh');
  const [start, ...rest] = recipes.find((recipe) => recipe.includes('createAgentWorker'))!.split('\n');
  const env = databaseEnv(database.url);
  gateway = await startGatewayProcess({ env: { ...env, ...settingsOf(start!) } });
  const { stdout } = await run('sh', ['-euc', rest.join('\n').replace('http://127.0.0.1:4000', gateway.url)], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...env },
  });
  expect(JSON.parse(stdout)).toMatchObject({
    data: { createAgentWorker: { worker: { id: expect.stringMatching(/^worker-/) }, userErrors: [] } },
  });
});

it('has a start for Ollama, OpenAI and Anthropic', () => {
  expect(starts.map((start) => Object.keys(settingsOf(start)))).toEqual([
    ['OPENAI_BASE_URL', 'OPENAI_MODEL'],
    ['OPENAI_API_KEY', 'OPENAI_MODEL'],
    ['ANTHROPIC_API_KEY', 'ANTHROPIC_MODEL'],
  ]);
});

describe.each([
  ['Ollama', 0, 'OPENAI_BASE_URL', 'llama3.2', /chat\/completions/],
  ['OpenAI', 1, 'OPENAI_BASE_URL', 'gpt-5-mini', /chat\/completions/],
  ['Anthropic', 2, 'ANTHROPIC_BASE_URL', 'claude-haiku-4-5', /messages/],
] as const)('the guide to AI Workers with %s', (_, start, baseUrl, model, path) => {
  it('works as it stands', async () => {
    const env = databaseEnv(database.url);
    // There is no network in a test: the provider is here.
    const settings = { ...settingsOf(starts[start]!), [baseUrl]: mock.baseUrl };
    gateway = await startGatewayProcess({ env: { ...env, ...settings } });
    const printed = await runCommands({ ...env, WORKHOOK: gateway.url });
    expect(printed).toHaveLength(commands.length);
    const [, , , ticket, stream, execution, , update] = printed;

    expect(JSON.parse(ticket!)).toMatchObject({
      success: true,
      results: [{ result: { role: 'assistant', content: JSON.stringify(ANSWER), object: ANSWER } }],
    });
    const events = parseEvents(stream!);
    expect(events.at(-1)).toMatchObject({ event: 'done' });
    expect(events.filter(({ event }) => event === 'delta')).toHaveLength(1);
    expect(JSON.parse(execution!).data.execution).toMatchObject({
      status: 'SUCCEEDED',
      result: { object: ANSWER },
      steps: { nodes: [{ path: 'step-1', status: 'SUCCEEDED', usage: { promptTokens: expect.any(Number) } }] },
    });
    expect(JSON.parse(update!).data.updateAgentWorker).toEqual({
      worker: {
        version: 2,
        tools: [
          { name: 'order', kind: 'HTTP' },
          { name: 'echo', kind: 'WORKER' },
        ],
      },
      userErrors: [],
    });
    const [request] = mock.getRequests();
    expect(request!.path).toMatch(path);
    expect(request!.body).toMatchObject({ model });
    expect(JSON.stringify(request!.body)).toContain('Subject: Charged twice\\n\\nYou took 49 EUR');
  });
});

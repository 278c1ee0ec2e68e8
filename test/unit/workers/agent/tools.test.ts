import { describe, expect, it } from '@jest/globals';
import type { ConnectionRequest } from '../../../../src/connections/connection-client.js';
import { AppError } from '../../../../src/errors.js';
import type { HttpToolDefinition } from '../../../../src/workers/agent/agent-definition.js';
import { httpTool, pathParameters } from '../../../../src/workers/agent/tools/http-tool.js';
import { workerTool } from '../../../../src/workers/agent/tools/worker-tool.js';
import type { ToolOutcome } from '../../../../src/workers/agent/tools/tool.js';
import type { WorkerView } from '../../../../src/workers/read-workers.js';
import type { WorkerCall } from '../../../../src/workers/worker-run.js';
import { workerRun } from '../../../support/worker-run.js';

const context = { signal: new AbortController().signal, path: 'step-1/tools/1-x' };

/** What a tool sends, and what it makes of the response. */
async function send(
  definition: Partial<HttpToolDefinition>,
  input: Record<string, unknown>,
  response: { status: number; body: string } = { status: 200, body: 'yes' },
): Promise<{ readonly sent: ConnectionRequest[]; readonly outcome: ToolOutcome }> {
  const sent: ConnectionRequest[] = [];
  const connections = {
    request: (request: ConnectionRequest) => {
      sent.push(request);
      const { status, body } = response;
      return Promise.resolve({ status, headers: {}, body: Buffer.from(body), truncated: false });
    },
  };
  const tool = httpTool(
    {
      kind: 'HTTP',
      name: 'x',
      description: '',
      connectionId: 'conn-1',
      method: 'GET',
      path: '/',
      parameters: {},
      ...definition,
    },
    connections,
  );
  return { sent, outcome: await tool.call(input, context) };
}

describe('an HTTP tool', () => {
  it('puts parameters into the path, each as one segment, and the others into the query', async () => {
    const input = { id: 'a/b?c', page: 2, tags: ['x', 'y'], where: { a: 1 }, none: null, deep: false };
    const { sent, outcome } = await send({ path: '/orders/{id}/lines?v=1' }, input);
    expect(sent[0]!.path).toBe('/orders/a%2Fb%3Fc/lines?v=1&page=2&tags=x&tags=y&where=%7B%22a%22%3A1%7D&deep=false');
    expect(sent[0]).toMatchObject({ connectionId: 'conn-1', method: 'GET' });
    expect(sent[0]).not.toHaveProperty('body');
    expect(outcome).toEqual({ text: 'yes' });
  });

  it('puts the others as JSON into the body of a POST', async () => {
    const { sent } = await send({ method: 'POST', path: '/orders/{id}' }, { id: 7, note: 'now' });
    expect(sent[0]).toMatchObject({ path: '/orders/7', body: '{"note":"now"}' });
    expect(sent[0]!.headers).toMatchObject({ 'content-type': 'application/json' });
  });

  it.each([[undefined], [null], [''], [{}], [['a']], ['\uD800']])('takes no %p for a path', async (id) => {
    await expect(send({ path: '/orders/{id}' }, { id })).rejects.toMatchObject({ code: 'TOOL_FAILED' });
  });

  it('reads no inherited member for a parameter', async () => {
    await expect(send({ path: '/{toString}' }, {})).rejects.toBeInstanceOf(AppError);
  });

  it('says what the endpoint answered when it is no success, and that it is done when it says nothing', async () => {
    const refused = await send({}, {}, { status: 404, body: 'no such order' });
    expect(refused.outcome).toEqual({ text: 'The request was answered with status 404. no such order', isError: true });
    expect((await send({}, {}, { status: 204, body: '' })).outcome).toEqual({ text: 'Done.' });
  });

  it('knows the parameters of its path', () => {
    expect(pathParameters('/a/{b}/{c}')).toEqual(['b', 'c']);
    expect(pathParameters('/a')).toEqual([]);
  });
});

describe('a tool that is a worker', () => {
  function tool(view: Partial<WorkerView>, given: { description?: string } = {}, result: unknown = { ok: true }) {
    const calls: WorkerCall[] = [];
    const run = workerRun(null, {
      callWorker: (call) => {
        calls.push(call);
        return Promise.resolve(result);
      },
    });
    const worker = {
      name: 'Look up',
      description: null,
      inputSchema: null,
      timeoutMs: 1_000,
      attemptsMax: 2,
      ...view,
    } as WorkerView;
    return { calls, tool: workerTool({ kind: 'WORKER', name: 'x', workerId: 'worker-x', ...given }, worker, run) };
  }

  it('runs the worker durably below its own step, and gives its result as JSON', async () => {
    const { calls, tool: made } = tool({});
    await expect(made.call({ n: 7 }, context)).resolves.toEqual({ text: '{"ok":true}' });
    expect(calls).toEqual([{ workerId: 'worker-x', input: { n: 7 }, path: 'step-1/tools/1-x/worker' }]);
    await expect(tool({}, {}, 'words').tool.call({}, context)).resolves.toEqual({ text: 'words' });
    await expect(tool({}, {}, null).tool.call({}, context)).resolves.toEqual({ text: 'null' });
  });

  it('is described by what was said of it here, by the worker, or by its name', () => {
    expect(tool({ description: 'Knows.' }, { description: 'Asks.' }).tool.description).toBe('Asks.');
    expect(tool({ description: 'Knows.' }).tool.description).toBe('Knows.');
    expect(tool({}).tool.description).toBe('Look up');
  });

  it('has a schema of an object, whatever the worker takes', async () => {
    const schema = { type: 'object', required: ['n'] };
    expect(tool({ inputSchema: schema }).tool.inputSchema).toBe(schema);
    expect(tool({}).tool.inputSchema).toEqual({ type: 'object' });
    const { calls, tool: wrapped } = tool({ inputSchema: { type: 'array' } });
    expect(wrapped.inputSchema).toMatchObject({ properties: { input: { type: 'array' } }, required: ['input'] });
    await wrapped.call({ input: [1] }, context);
    expect(calls[0]!.input).toEqual([1]);
  });
});

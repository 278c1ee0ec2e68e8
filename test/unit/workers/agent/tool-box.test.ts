import { describe, expect, it } from '@jest/globals';
import { AppError, Postponed } from '../../../../src/errors.js';
import { ToolBox, type ToolResult } from '../../../../src/workers/agent/tool-box.js';
import type { Tool } from '../../../../src/workers/agent/tools/tool.js';

const never = new AbortController().signal;

function box(call: Tool['call'], more: Partial<Tool> = {}): ToolBox {
  const inputSchema = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] };
  return new ToolBox([{ name: 'find', description: '', inputSchema, timeoutMs: 10_000, call, ...more }]);
}

const done: Tool['call'] = () => Promise.resolve({ text: 'done' });
const call = (toolBox: ToolBox, input: unknown = { id: 7 }, more: object = {}): Promise<ToolResult> =>
  toolBox.call({ id: 'call_1', name: 'find', input, ...more }, 'step-1/tools/1-find', never);

describe('ToolBox', () => {
  it('does a call whose arguments fit', async () => {
    await expect(call(box(done))).resolves.toEqual({ text: 'done', isError: false });
  });

  it.each([
    ['that do not fit', { id: 'seven' }, {}, /\/id: must be integer/],
    ['that are missing', {}, {}, /must have required property 'id'/],
    ['that are no object', 'id', {}, /must be a JSON object/],
    ['that are a list', [7], {}, /must be a JSON object/],
    ['that the provider could not read', {}, { invalid: 'The input is not JSON.' }, /not JSON/],
    ['of a tool that there is not', { id: 7 }, { name: 'found' }, /There is no tool "found"/],
  ])('gives arguments %s back to the model', async (_, input, more, text) => {
    let calls = 0;
    const toolBox = box(() => {
      calls += 1;
      return done({}, { signal: never, path: '' });
    });
    await expect(call(toolBox, input, more)).resolves.toEqual({
      text: expect.stringMatching(text),
      isError: true,
      misused: true,
    });
    expect(calls).toBe(0);
  });

  it('leaves it to the tool when its schema cannot be used, and knows older drafts', async () => {
    const odd = { type: 'object', properties: { id: { type: 'nonsense' } } };
    await expect(call(box(done, { inputSchema: odd }), { id: 'x' })).resolves.toMatchObject({ isError: false });
    const draft = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', required: ['id'] };
    await expect(call(box(done, { inputSchema: draft }), {})).resolves.toMatchObject({ misused: true });
  });

  it('gives a failure to the model, with what may be said of it', async () => {
    const failing = box(() =>
      Promise.reject(new AppError('HTTP_WORKER_UNREACHABLE', 'No answer.', { detail: 'secret' })),
    );
    await expect(call(failing)).resolves.toEqual({ text: 'HTTP_WORKER_UNREACHABLE: No answer.', isError: true });
  });

  it('ends a call that takes too long, also one that does not listen', async () => {
    const hanging = box(() => new Promise(() => undefined), { timeoutMs: 1 });
    await expect(call(hanging)).resolves.toEqual({ text: 'The tool did not answer within 1 ms.', isError: true });
  });

  it('cuts what is long', async () => {
    const { text, truncated } = await call(box(() => Promise.resolve({ text: 'x'.repeat(60_000) })));
    expect(text).toBe(`${'x'.repeat(50_000)}\n[truncated: 10000 more characters]`);
    expect(truncated).toBe(true);
  });

  it('lets pass what is not for the model: a postponed attempt, a fault of ours, the end of the attempt', async () => {
    await expect(call(box(() => Promise.reject(new Postponed(5, 'later'))))).rejects.toBeInstanceOf(Postponed);
    await expect(call(box(() => Promise.reject(new TypeError('ours'))))).rejects.toBeInstanceOf(TypeError);
    const ended = AbortSignal.abort(new Error('canceled'));
    const given = { id: 'call_1', name: 'find', input: { id: 7 } };
    await expect(box(done).call(given, 'p', ended)).rejects.toThrow('canceled');
  });
});

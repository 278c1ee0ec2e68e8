import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LLMock } from '@copilotkit/aimock';
import { type ModelFixture, openModelFixture } from '../../support/model-fixture.js';

const WEATHER = {
  name: 'weather',
  description: 'The weather of a city.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

const USER = { role: 'user' as const, content: 'What is the capital of France?' };

let fixture: ModelFixture;
let mock: LLMock;

beforeAll(async () => {
  fixture = await openModelFixture();
  mock = await LLMock.create({ port: 0, chunkSize: 4 });
});

beforeEach(() => {
  mock.clearFixtures();
  mock.clearRequests();
});

afterAll(async () => {
  await mock.stop();
  await fixture.close();
});

const SURFACES = [
  { provider: 'OPENAI_COMPATIBLE', modelName: 'llama3' },
  { provider: 'OPENAI', modelName: 'gpt-4o' },
  { provider: 'ANTHROPIC', modelName: 'claude-sonnet-4-5' },
  { provider: 'GOOGLE', modelName: 'gemini-2.5-flash' },
] as const;

describe.each(SURFACES)('a model of $provider', ({ provider, modelName }) => {
  const addModel = (): Promise<string> =>
    fixture.addModel({ provider, modelName, baseUrl: mock.baseUrl, apiKey: `key-of-${provider}` });

  it('streams text chunk by chunk', async () => {
    mock.onMessage(/France/, { content: 'Paris, of course.' });
    const step = await fixture.ask(await fixture.addPayer(), { modelId: await addModel() });
    expect(step.text).toBe('Paris, of course.');
    expect(step.deltas.length).toBeGreaterThan(2);
    expect(step.deltas.join('')).toBe('Paris, of course.');
    expect(step.finishReason).toBe('stop');
    expect(step.toolCalls).toEqual([]);
    expect(JSON.stringify(step.message)).toContain('Paris, of course.');
    expect(step.message.role).toBe('assistant');
  });

  it('calls tools, and goes on from their results', async () => {
    const modelId = await addModel();
    const payer = await fixture.addPayer();
    mock.onToolResult('call_1', { content: 'It rains in Paris.' });
    mock.onMessage(/France/, { toolCalls: [{ id: 'call_1', name: 'weather', arguments: '{"city":"Paris"}' }] });
    const first = await fixture.ask(payer, { modelId, tools: [WEATHER] });
    expect(first.toolCalls).toMatchObject([{ name: 'weather', input: { city: 'Paris' } }]);
    expect(first.toolCalls[0]).not.toHaveProperty('invalid');
    expect(first.finishReason).toBe('tool-calls');
    const { id: toolCallId, name: toolName } = first.toolCalls[0]!;
    const result = {
      type: 'tool-result' as const,
      toolCallId,
      toolName,
      output: { type: 'text' as const, value: 'rain' },
    };
    const messages = [USER, first.message, { role: 'tool' as const, content: [result] }];
    mock.prependFixture({ match: { hasToolResult: true }, response: { content: 'It rains in Paris.' } });
    const second = await fixture.ask(payer, { modelId, tools: [WEATHER], messages });
    expect(second.text).toBe('It rains in Paris.');
  });

  it('says what is wrong with the arguments of a tool', async () => {
    mock.onMessage(/France/, {
      toolCalls: [
        { id: 'call_1', name: 'weather', arguments: '{"city":7}' },
        { id: 'call_2', name: 'nonsense', arguments: '{}' },
      ],
    });
    const step = await fixture.ask(await fixture.addPayer(), { modelId: await addModel(), tools: [WEATHER] });
    expect(step.toolCalls).toMatchObject([
      { name: 'weather', invalid: expect.stringContaining('/city') },
      { name: 'nonsense', invalid: 'There is no such tool.' },
    ]);
  });

  it('asks for structured output', async () => {
    mock.onMessage(/France/, { content: '{"capital":"Paris"}' });
    const schema = { type: 'object', properties: { capital: { type: 'string' } }, required: ['capital'] };
    const step = await fixture.ask(await fixture.addPayer(), {
      modelId: await addModel(),
      output: { name: 'answer', schema },
    });
    expect(JSON.parse(step.text)).toEqual({ capital: 'Paris' });
    expect(JSON.stringify(mock.getLastRequest()?.body)).toContain('capital');
  });
});

import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type AgentGateway, startAgentGateway } from '../support/agent-gateway.js';

let mock: LLMock;
let gateway: AgentGateway;

beforeAll(async () => {
  mock = await LLMock.create({ port: 0, chunkSize: 4 });
  gateway = await startAgentGateway({ OPENAI_BASE_URL: mock.baseUrl, OPENAI_MODEL: 'llama3' });
});

beforeEach(() => {
  mock.reset();
});

afterAll(async () => {
  await gateway?.end('SIGTERM');
  await mock.stop();
});

describe('an agent', () => {
  it('answers a sync call with what the model says', async () => {
    mock.onMessage(/order 7/, { content: 'It was shipped yesterday.' });
    const post = await gateway.addWebhook([await gateway.addAgent({})]);
    const { status, body } = await post({ userMessage: { role: 'user', content: 'Where is order 7?' } });
    expect(status).toBe(200);
    expect(body.results[0]).toMatchObject({
      success: true,
      result: { role: 'assistant', content: 'It was shipped yesterday.' },
    });
  });
});

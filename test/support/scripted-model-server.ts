import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a provider does with one request. */
export type Script = (request: ReceivedRequest, response: ServerResponse) => void | Promise<void>;

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  // eslint-disable-next-line typescript/no-explicit-any -- tests take it apart by their expectations
  readonly body: any;
}

/** A provider that does what a test says, also what no well-behaved one does. */
export interface ScriptedModelServer {
  /** The base of its API, with `/v1`. */
  readonly baseUrl: string;
  readonly requests: readonly ReceivedRequest[];
  /** What it does from now on. */
  script(script: Script): void;
  close(): Promise<void>;
}

export async function startScriptedModelServer(first: Script = answer('Paris')): Promise<ScriptedModelServer> {
  let script = first;
  const requests: ReceivedRequest[] = [];
  const server = createServer((req, res) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const bytes of req) chunks.push(bytes as Buffer);
      const received = { path: req.url!, headers: req.headers, body: JSON.parse(Buffer.concat(chunks).toString()) };
      requests.push(received);
      await script(received, res);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    script: (next) => void (script = next),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A chunk of an OpenAI-compatible stream. */
export function chunk(delta: object, more: object = {}): string {
  const choices = [{ index: 0, delta, finish_reason: null }];
  return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`;
}

/** The end of an OpenAI-compatible stream. */
export function ending(
  usage: object | undefined = { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
): string {
  const stop = chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  const counted = usage === undefined ? '' : chunk({}, { choices: [], usage });
  return `${stop}${counted}data: [DONE]\n\n`;
}

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}

/** Answers as an OpenAI-compatible provider that is well. */
export function answer(text: string, usage?: object): Script {
  return (_, response) => {
    beginStream(response);
    response.end(`${chunk({ role: 'assistant', content: text })}${ending(usage)}`);
  };
}

/** Answers as Anthropic does. */
export function anthropicAnswer(text: string, input: object, outputTokens: number): Script {
  const events = [
    {
      type: 'message_start',
      message: {
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...input, output_tokens: 1 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: outputTokens },
    },
    { type: 'message_stop' },
  ];
  return (_, response) => {
    beginStream(response);
    response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
  };
}

/** Refuses as OpenAI does. */
export function refuse(status: number, message: string, headers: Record<string, string> = {}): Script {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error: { message, type: 'test', code: null } }));
  };
}

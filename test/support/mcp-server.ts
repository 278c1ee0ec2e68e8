import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { makeMcpServer } from './mcp-tools.js';

/** An MCP server of the official SDK over streamable HTTP. */
export interface McpHttpServer {
  readonly url: string;
  /** The tool calls that came, in order. */
  readonly calls: { readonly name: string; readonly input: unknown }[];
  /** The `authorization` header of each request. */
  readonly authorizations: (string | undefined)[];
  /** How many sessions are open. */
  sessions(): number;
  /** How often tools were listed. */
  lists(): number;
  /** Forgets all sessions, as a server that was restarted does. */
  forgetSessions(): void;
  close(): Promise<void>;
}

export async function startMcpServer(): Promise<McpHttpServer> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const calls: { name: string; input: unknown }[] = [];
  const authorizations: (string | undefined)[] = [];
  let lists = 0;

  const newSession = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await makeMcpServer((name, input) => void calls.push({ name, input })).connect(transport);
    return transport;
  };

  const server = createServer((request, response) => {
    void (async () => {
      authorizations.push(request.headers.authorization);
      const body = await readJson(request);
      if (isRecord(body) && body['method'] === 'tools/list') lists += 1;
      const id = request.headers['mcp-session-id'];
      const known = typeof id === 'string' ? sessions.get(id) : undefined;
      if (known === undefined && !(isRecord(body) && body['method'] === 'initialize')) {
        response.writeHead(id === undefined ? 400 : 404, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message: 'no such session' }, id: null }),
        );
        return;
      }
      await (known ?? (await newSession())).handleRequest(request, response, body);
    })();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    calls,
    authorizations,
    sessions: () => sessions.size,
    lists: () => lists,
    forgetSessions: () => sessions.clear(),
    close: async () => {
      for (const transport of sessions.values()) await transport.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

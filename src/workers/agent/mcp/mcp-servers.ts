import { setTimeout as delay } from 'node:timers/promises';
import { type Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { LRUCache } from 'lru-cache';
import { AppError } from '../../../errors.js';
import type { Logger } from '../../../lib/logger.js';
import type { OutboundClient } from '../../../outbound/outbound-client.js';
import type { McpToolsDefinition } from '../agent-definition.js';
import type { ConnectionClient } from '../../../connections/connection-client.js';
import type { McpServerConfig, StdioServer } from './mcp-config.js';
import { callMcpTool, connectMcp, listMcpTools, type McpSession, type McpTool } from './mcp-session.js';

export interface McpServersOptions {
  /** The operator's servers by name. */
  readonly servers: ReadonlyMap<string, McpServerConfig>;
  readonly outbound: OutboundClient;
  readonly connections: Pick<ConnectionClient, 'fetchFor'>;
  readonly log: Logger;
}

/** How long a list of tools is good for: an agent's runs come in bursts, and each would ask again. */
const LIST_TTL_MS = 60_000;

/** Bytes of one message or response; the rest is not read, and the call fails. */
const MESSAGE_BYTES_MAX = 4_194_304;

/**
 * The MCP servers that agents use. One over HTTP gets a session for each attempt, so that no execution meets what
 * another left there. A program of the operator is started once in this process, when it is first needed, is shared,
 * and is started again when it has ended.
 */
export class McpServers {
  readonly #options: McpServersOptions;
  readonly #lists = new LRUCache<string, readonly McpTool[]>({ max: 500, ttl: LIST_TTL_MS });
  readonly #programs = new Map<string, Promise<Client>>();

  constructor(options: McpServersOptions) {
    this.#options = options;
  }

  /** The operator's, for definitions to name. */
  get names(): ReadonlySet<string> {
    return new Set(this.#options.servers.keys());
  }

  /** @throws AppError MCP_UNAVAILABLE, not retryable, when the operator has no such server. */
  session(definition: McpToolsDefinition): McpSession {
    const { server, connectionId, path = '' } = definition;
    if (connectionId !== undefined) {
      return this.#httpSession(`connection ${connectionId} ${path}`, definition.name, async () => {
        const { baseUrl, fetch } = await this.#options.connections.fetchFor(connectionId, LIMITS);
        return new StreamableHTTPClientTransport(below(baseUrl, path), { fetch });
      });
    }
    const name = server ?? '';
    const config = this.#options.servers.get(name);
    if (config === undefined) {
      throw new AppError('MCP_UNAVAILABLE', `The operator of this installation has no MCP server "${name}".`);
    }
    if ('command' in config) return this.#programSession(name, config);
    const { url, headers } = config;
    const fetch = this.#options.outbound.fetchWith(LIMITS);
    return this.#httpSession(`server ${name}`, name, () =>
      Promise.resolve(new StreamableHTTPClientTransport(new URL(url), { fetch, requestInit: { headers } })),
    );
  }

  /** Ends the operator's programs. */
  async close(): Promise<void> {
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    await Promise.allSettled(programs.map(async (program) => await (await program).close()));
  }

  #httpSession(key: string, name: string, makeTransport: () => Promise<StreamableHTTPClientTransport>): McpSession {
    let opening: Promise<HttpConnection> | undefined;
    const open = async (signal: AbortSignal): Promise<HttpConnection> => {
      const transport = await makeTransport();
      return { transport, client: await connectMcp(transport, name, signal) };
    };
    const forget = (connection: Promise<HttpConnection>): void => {
      if (opening !== connection) return;
      opening = undefined;
      connection.then(closeHttp).catch(() => undefined);
    };
    const use = async <T>(signal: AbortSignal, work: (client: Client) => Promise<T>): Promise<T> => {
      const connection = (opening ??= open(signal));
      const { client } = await connection.catch((error: unknown) => {
        forget(connection);
        throw error;
      });
      try {
        return await work(client);
      } catch (error) {
        // It may be a session that the server knows no more: the next use begins another.
        if (error instanceof AppError && error.code === 'MCP_UNAVAILABLE') forget(connection);
        throw error;
      }
    };
    return {
      listTools: (signal) => this.#list(key, () => use(signal, (client) => listMcpTools(client, name, signal))),
      callTool: (tool, input, signal) =>
        use(signal, (client) => callMcpTool(client, name, { name: tool, input }, signal)),
      close: async () => {
        const connection = await opening?.catch(() => undefined);
        if (connection !== undefined) await closeHttp(connection);
      },
    };
  }

  #programSession(name: string, config: StdioServer): McpSession {
    // Whoever comes first must not take the program with it when its own attempt ends.
    return {
      listTools: (signal) =>
        this.#list(`server ${name}`, async () => await listMcpTools(await this.#program(name, config), name, signal)),
      callTool: async (tool, input, signal) =>
        await callMcpTool(await this.#program(name, config), name, { name: tool, input }, signal),
      close: () => Promise.resolve(),
    };
  }

  #program(name: string, config: StdioServer): Promise<Client> {
    const running = this.#programs.get(name);
    if (running !== undefined) return running;
    const starting = connectMcp(stdioTransport(config), name);
    this.#programs.set(name, starting);
    const ended = (message: string, error?: unknown): void => {
      if (this.#programs.get(name) !== starting) return; // we ended it
      this.#programs.delete(name);
      this.#options.log.warn({ server: name, ...(error !== undefined && { err: error }) }, message);
    };
    starting.then(
      (client) => {
        // eslint-disable-next-line unicorn/prefer-add-event-listener -- the client has nothing else
        client.onclose = () => ended('an MCP server of the operator ended');
      },
      (error: unknown) => ended('an MCP server of the operator could not be started', error),
    );
    return starting;
  }

  async #list(key: string, read: () => Promise<readonly McpTool[]>): Promise<readonly McpTool[]> {
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const tools = await read();
    this.#lists.set(key, tools);
    return tools;
  }
}

function stdioTransport({ command, args, env, cwd }: StdioServer): StdioClientTransport {
  return new StdioClientTransport({
    command,
    args,
    env: { ...getDefaultEnvironment(), ...env },
    ...(cwd !== undefined && { cwd }),
    stderr: 'ignore', // it is not ours, and may have payloads in it
    maxBufferSize: MESSAGE_BYTES_MAX,
  });
}

interface HttpConnection {
  readonly transport: StreamableHTTPClientTransport;
  readonly client: Client;
}

/** How long a server may take to hear that its session is over. */
const GOODBYE_MS_MAX = 1_000;

/** Also tells the server, which would keep the session for a while. */
async function closeHttp({ transport, client }: HttpConnection): Promise<void> {
  const patience = new AbortController();
  await Promise.race([
    transport.terminateSession().catch(() => undefined),
    delay(GOODBYE_MS_MAX, undefined, { signal: patience.signal }).catch(() => undefined),
  ]);
  patience.abort();
  await client.close();
}

const LIMITS = { responseBytesMax: MESSAGE_BYTES_MAX };

function below(baseUrl: string, path: string): URL {
  const tail = path.replace(/^\/+/, '');
  return new URL(tail === '' ? baseUrl : `${baseUrl.replace(/\/+$/, '')}/${tail}`);
}

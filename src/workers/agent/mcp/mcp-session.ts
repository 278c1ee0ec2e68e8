import { type CallToolResult, Client, ProtocolError, SdkHttpError, type Transport } from '@modelcontextprotocol/client';
import { AppError, codeOf } from '../../../errors.js';
import type { JsonSchema } from '../../worker.entities.js';
import type { ToolOutcome } from '../tools/tool.js';

/** A tool as its server describes it. */
export interface McpTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
}

/** A server for as long as an attempt needs it; it is connected to when it is first needed. */
export interface McpSession {
  /** @throws AppError MCP_UNAVAILABLE, retryable; OUTBOUND_REFUSED. */
  listTools(signal: AbortSignal): Promise<readonly McpTool[]>;
  /** @throws AppError MCP_UNAVAILABLE, retryable; TOOL_FAILED; OUTBOUND_REFUSED. */
  callTool(name: string, input: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ToolOutcome>;
  close(): Promise<void>;
}

/** Milliseconds for the handshake and for the list of tools. */
const CONNECT_MS_MAX = 15_000;

/** Time limits are the signal's; the client's own must not come before it. */
const NO_TIMEOUT_MS = 2_147_483_647;

const TOOLS_MAX = 200;
const DESCRIPTION_CHARACTERS_MAX = 8_000;
const MESSAGE_CHARACTERS_MAX = 500;

/**
 * Connects a client of the Model Context Protocol to a server, of the present revision or an older one.
 *
 * @throws AppError MCP_UNAVAILABLE, OUTBOUND_REFUSED; the signal's reason.
 */
export async function connectMcp(transport: Transport, serverName: string, signal?: AbortSignal): Promise<Client> {
  const client = new Client(
    { name: 'workhook', version: '1' },
    {
      versionNegotiation: { mode: 'auto' },
      listMaxPages: 10,
      // Results are read as text. The client would compile the server's schemas, which may be made to take for ever.
      jsonSchemaValidator: {
        getValidator: () => (data) => ({ valid: true, data: data as never, errorMessage: undefined }),
      },
    },
  );
  try {
    await client.connect(transport, { timeout: CONNECT_MS_MAX, ...(signal !== undefined && { signal }) });
    return client;
  } catch (error) {
    await client.close().catch(() => undefined);
    throw mcpError(error, serverName, signal);
  }
}

/** @throws as {@link connectMcp}. */
export async function listMcpTools(client: Client, serverName: string, signal: AbortSignal): Promise<McpTool[]> {
  try {
    const { tools } = await client.listTools(undefined, { signal, timeout: CONNECT_MS_MAX, cacheMode: 'refresh' });
    return tools.slice(0, TOOLS_MAX).map(({ name, title, description, inputSchema }) => ({
      name,
      description: (description ?? title ?? name).slice(0, DESCRIPTION_CHARACTERS_MAX),
      inputSchema: inputSchema as JsonSchema,
    }));
  } catch (error) {
    throw mcpError(error, serverName, signal);
  }
}

/** @throws as {@link connectMcp}, and AppError TOOL_FAILED with what the server said. */
export async function callMcpTool(
  client: Client,
  serverName: string,
  call: { readonly name: string; readonly input: Readonly<Record<string, unknown>> },
  signal: AbortSignal,
): Promise<ToolOutcome> {
  try {
    const result = await client.callTool(
      { name: call.name, arguments: { ...call.input } },
      { signal, timeout: NO_TIMEOUT_MS },
    );
    return { text: resultText(result), isError: result.isError === true };
  } catch (error) {
    throw mcpError(error, serverName, signal);
  }
}

/** What a model can read of a result. */
function resultText({ content, structuredContent }: CallToolResult): string {
  const parts = content.map((part) => {
    switch (part.type) {
      case 'text':
        return part.text;
      case 'resource':
        return 'text' in part.resource ? part.resource.text : `[${part.resource.uri}: not a text]`;
      case 'resource_link':
        return `[${part.name}: ${part.uri}]`;
      case 'image':
      case 'audio':
        return `[${part.type}, ${part.mimeType}: left out]`;
    }
  });
  if (parts.length === 0 && structuredContent !== undefined) return JSON.stringify(structuredContent);
  return parts.join('\n');
}

/** A server's own refusal is for the model to read; that there is no server is for the execution to try again. */
function mcpError(error: unknown, serverName: string, signal?: AbortSignal): AppError {
  signal?.throwIfAborted();
  const refusal = appErrorIn(error);
  if (refusal !== undefined) return refusal;
  if (error instanceof ProtocolError) {
    const said = error.message.slice(0, MESSAGE_CHARACTERS_MAX);
    return new AppError('TOOL_FAILED', `The MCP server "${serverName}" refused: ${said}`);
  }
  return new AppError('MCP_UNAVAILABLE', `The MCP server "${serverName}" ${failureOf(error)}.`, { retryable: true });
}

/** Messages of the client repeat what the server sent, which is nobody's to log; a status or a code is. */
function failureOf(error: unknown): string {
  if (error instanceof SdkHttpError) return `answered with status ${error.status}`;
  const code = causesOf(error)
    .map(codeOf)
    .find((text) => text !== undefined && /^E[A-Z]+$/.test(text));
  return `could not be reached${code === undefined ? '' : ` (${code})`}`;
}

function appErrorIn(error: unknown): AppError | undefined {
  return causesOf(error).find((cause) => cause instanceof AppError);
}

/** The client wraps what `fetch` and the system throw. */
function causesOf(error: unknown): object[] {
  const causes: object[] = [];
  for (let at = error; typeof at === 'object' && at !== null && causes.length < 5;) {
    causes.push(at);
    at = 'cause' in at ? at.cause : undefined;
  }
  return causes;
}

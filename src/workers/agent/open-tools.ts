import { AppError } from '../../errors.js';
import type { AgentDefinition } from './agent-definition.js';
import type { WorkerView } from '../read-workers.js';
import type { ConnectionClient } from '../../connections/connection-client.js';
import type { WorkerRun } from '../worker-run.js';
import type { McpServers } from './mcp/mcp-servers.js';
import type { McpSession } from './mcp/mcp-session.js';
import { httpTool } from './tools/http-tool.js';
import { mcpTools } from './tools/mcp-tool.js';
import type { Tool } from './tools/tool.js';
import { workerTool } from './tools/worker-tool.js';

/** Where tools come from. */
export interface ToolSources {
  readonly mcp: McpServers;
  readonly connections: ConnectionClient;
  /** The workers of these ids as they are now. */
  readonly readWorkers: (ids: readonly string[]) => Promise<readonly WorkerView[]>;
}

/** An agent's tools for one attempt. */
export interface OpenTools {
  readonly tools: readonly Tool[];
  close(): Promise<void>;
}

/** Providers take so many tools (OpenAI, 128). */
const TOOLS_MAX = 128;

/**
 * Makes an agent's tools ready. An MCP server that cannot be reached fails the attempt: an agent that does not know of
 * its tools would answer without them.
 *
 * @throws AppError MCP_UNAVAILABLE, OUTBOUND_REFUSED, NOT_FOUND.
 */
export async function openTools(
  { mcp, connections, readWorkers }: ToolSources,
  { tools: definitions }: AgentDefinition,
  run: WorkerRun,
): Promise<OpenTools> {
  const sessions: McpSession[] = [];
  const close = async (): Promise<void> => void (await Promise.allSettled(sessions.map((session) => session.close())));
  const workerIds = definitions.flatMap((tool) => (tool.kind === 'WORKER' ? [tool.workerId] : []));
  try {
    const workers = workerIds.length === 0 ? [] : await readWorkers(workerIds);
    const tools = await Promise.all(
      definitions.map(async (definition): Promise<readonly Tool[]> => {
        switch (definition.kind) {
          case 'MCP': {
            const session = mcp.session(definition);
            sessions.push(session);
            return await mcpTools(definition, session, run.signal);
          }
          case 'HTTP':
            return [httpTool(definition, connections)];
          case 'WORKER': {
            const worker = workers.find(({ id }) => id === definition.workerId);
            if (worker === undefined) throw new AppError('NOT_FOUND', 'A worker that is a tool here does not exist.');
            return [workerTool(definition, worker, run)];
          }
        }
      }),
    );
    return { tools: tools.flat().slice(0, TOOLS_MAX), close };
  } catch (error) {
    await close();
    throw error;
  }
}

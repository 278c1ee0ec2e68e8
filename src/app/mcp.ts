import { readMcpServers } from '../workers/agent/mcp/mcp-config.js';
import { McpServers } from '../workers/agent/mcp/mcp-servers.js';
import type { Parts } from './parts.js';

/** The MCP servers of the operator's file, and those that users reach through connections. */
export async function buildMcp(
  stack: AsyncDisposableStack,
  { config, outbound, connections, log }: Pick<Parts, 'config' | 'outbound' | 'connections' | 'log'>,
): Promise<McpServers> {
  const servers = await readMcpServers(config.mcpServersFile);
  return stack.adopt(new McpServers({ servers, outbound, connections, log }), (it) => it.close());
}

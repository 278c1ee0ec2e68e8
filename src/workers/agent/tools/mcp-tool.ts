import type { McpToolsDefinition } from '../agent-definition.js';
import type { McpSession } from '../mcp/mcp-session.js';
import { type Tool, TOOL_TIMEOUT_MS } from './tool.js';

const NAME_CHARACTERS_MAX = 64;

/**
 * The tools of an MCP server, each called `<name>_<tool>`: two servers may well have a tool of the same name.
 *
 * @throws AppError MCP_UNAVAILABLE, OUTBOUND_REFUSED.
 */
export async function mcpTools(
  { name, allow }: McpToolsDefinition,
  session: McpSession,
  signal: AbortSignal,
): Promise<Tool[]> {
  const offered = await session.listTools(signal);
  const wanted = allow === undefined ? offered : offered.filter((tool) => allow.includes(tool.name));
  const taken = new Set<string>();
  return wanted.map((tool) => ({
    name: toolName(name, tool.name, taken),
    description: tool.description,
    inputSchema: tool.inputSchema,
    timeoutMs: TOOL_TIMEOUT_MS,
    call: (input, context) => session.callTool(tool.name, input, context.signal),
  }));
}

/** MCP has names that models' providers don't take: they are made to fit and told apart. */
function toolName(prefix: string, name: string, taken: Set<string>): string {
  const fitting = `${prefix}_${name.replaceAll(/[^a-zA-Z0-9_-]/g, '_')}`;
  for (let number = 1; ; number += 1) {
    const suffix = number === 1 ? '' : `_${number}`;
    const candidate = fitting.slice(0, NAME_CHARACTERS_MAX - suffix.length) + suffix;
    if (taken.has(candidate)) continue;
    taken.add(candidate);
    return candidate;
  }
}

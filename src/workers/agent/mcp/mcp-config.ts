import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError, messageOf } from '../../../errors.js';
import { parseOutboundUrl } from '../../../outbound/outbound-url.js';

const Texts = z.record(z.string(), z.string());

/** A program that speaks MCP over its standard input and output. Only an operator can name one: it runs as we do. */
const StdioServer = z.strictObject({
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  /** Added to a small environment of its own: our settings and secrets are not in it. */
  env: Texts.default({}),
  cwd: z.string().min(1).optional(),
});
export type StdioServer = z.output<typeof StdioServer>;

/** An endpoint that speaks MCP over streamable HTTP. */
const HttpServer = z.strictObject({
  url: z.string().refine((text) => parseOutboundUrl(text) !== undefined, 'must be an http or https URL'),
  headers: Texts.default({}),
});

/** The form that other MCP clients have for it, too. */
const McpFile = z.strictObject({
  mcpServers: z.record(z.string().regex(/^[\w.-]{1,100}$/), z.union([StdioServer, HttpServer])),
});

export type McpServerConfig = z.output<typeof StdioServer> | z.output<typeof HttpServer>;

/**
 * Reads the operator's MCP servers.
 *
 * @returns the servers by name; none without a file.
 * @throws AppError CONFIGURATION_INVALID with one line that says what is wrong, and no value: headers are secrets.
 */
export async function readMcpServers(file: string | undefined): Promise<ReadonlyMap<string, McpServerConfig>> {
  if (file === undefined) return new Map();
  const fault = (reason: string): AppError =>
    new AppError('CONFIGURATION_INVALID', `MCP_SERVERS_FILE: ${file} ${reason}`);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw fault(`cannot be read: ${messageOf(error)}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fault('is not JSON.');
  }
  const parsed = McpFile.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fault(
      `is wrong at "${issue!.path.join('.')}": a server has either "command", "args", "env" and "cwd", or "url" and "headers".`,
    );
  }
  return new Map(Object.entries(parsed.data.mcpServers));
}

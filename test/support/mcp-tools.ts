/**
 * An MCP server of the official SDK, with tools that behave well and badly. Over standard input and output when this
 * file is run; `mcp-server.ts` offers it over HTTP.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

export function makeMcpServer(onCall: (name: string, input: unknown) => void = () => undefined): McpServer {
  const server = new McpServer({ name: 'shop', version: '1.0.0' });

  server.registerTool(
    'find_order',
    { description: 'Finds an order by its number.', inputSchema: { number: z.number().int() } },
    ({ number }) => {
      onCall('find_order', { number });
      return text(`Order ${number}: shipped`);
    },
  );
  server.registerTool('refuse', { description: 'Always says that it failed.' }, () => {
    onCall('refuse', {});
    return { ...text('out of stock'), isError: true };
  });
  server.registerTool('environment', { description: 'Names of its environment.' }, () =>
    text(Object.keys(process.env).toSorted().join(',')),
  );
  server.registerTool('flood', { description: 'Says very much.' }, () => text('x'.repeat(200_000)));
  server.registerTool('picture', { description: 'Gives a picture.' }, () => ({
    content: [{ type: 'image' as const, data: 'AAAA', mimeType: 'image/png' }],
  }));
  server.registerTool('die', { description: 'Ends its process.' }, () => process.exit(3));
  server.registerTool('hang', { description: 'Never answers.' }, () => new Promise(() => undefined));
  return server;
}

if (process.argv[1] === import.meta.filename) await makeMcpServer().connect(new StdioServerTransport());

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '../../../../src/lib/logger.js';
import { OutboundClient } from '../../../../src/outbound/outbound-client.js';
import type { McpToolsDefinition } from '../../../../src/workers/agent/agent-definition.js';
import { type McpServerConfig, readMcpServers } from '../../../../src/workers/agent/mcp/mcp-config.js';
import { McpServers } from '../../../../src/workers/agent/mcp/mcp-servers.js';
import { type McpHttpServer, startMcpServer } from '../../../support/mcp-server.js';

const STDIO = {
  command: process.execPath,
  args: [new URL('../../../support/mcp-tools.ts', import.meta.url).pathname],
  env: { SHOP: 'yes' },
};
const never = new AbortController().signal;
const connections = {
  request: () => Promise.reject(new Error('not used here')),
  fetchFor: () => Promise.reject(new Error('not used here')),
};

let http: McpHttpServer;
let outbound: OutboundClient;
let servers: McpServers;

beforeAll(async () => {
  http = await startMcpServer();
  outbound = new OutboundClient({ allowedCidrs: ['127.0.0.0/8'] });
});

beforeEach(async () => {
  await servers?.close();
  servers = serversWith(outbound);
});

afterAll(async () => {
  await servers.close();
  await outbound.close();
  await http.close();
});

function serversWith(client: OutboundClient): McpServers {
  return new McpServers({
    servers: new Map<string, McpServerConfig>([
      ['http', { url: http.url, headers: { authorization: 'Bearer of-the-operator' } }],
      ['stdio', { ...STDIO }],
      ['nowhere', { url: 'http://127.0.0.1:1/mcp', headers: {} }],
      ['broken', { command: '/no/such/program', args: [], env: {} }],
    ]),
    outbound: client,
    connections,
    log: createLogger('silent'),
  });
}

const tools = (server: string): McpToolsDefinition => ({ kind: 'MCP', name: 'shop', server });

describe.each(['http', 'stdio'])('an MCP server over %s', (name) => {
  it('lists its tools with their schemas and calls them', async () => {
    const session = servers.session(tools(name));
    const listed = await session.listTools(never);
    expect(listed.find((tool) => tool.name === 'find_order')).toMatchObject({
      description: 'Finds an order by its number.',
      inputSchema: { type: 'object', required: ['number'] },
    });
    await expect(session.callTool('find_order', { number: 7 }, never)).resolves.toEqual({
      text: 'Order 7: shipped',
      isError: false,
    });
    await session.close();
  });

  it('passes on what a tool says of its own failure, and what it cannot show', async () => {
    const session = servers.session(tools(name));
    await expect(session.callTool('refuse', {}, never)).resolves.toEqual({ text: 'out of stock', isError: true });
    await expect(session.callTool('picture', {}, never)).resolves.toEqual({
      text: '[image, image/png: left out]',
      isError: false,
    });
    await session.close();
  });

  it('ends a call with its signal', async () => {
    const session = servers.session(tools(name));
    await session.listTools(never);
    const controller = new AbortController();
    const call = session.callTool('hang', {}, controller.signal);
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await session.close();
  });
});

describe('over HTTP', () => {
  it('has a session of its own for each attempt, ends it, and lists the tools once for all', async () => {
    const before = http.lists();
    const [first, second] = [servers.session(tools('http')), servers.session(tools('http'))];
    await first.listTools(never);
    await second.listTools(never);
    expect(http.lists() - before).toBe(1);
    expect(http.sessions()).toBe(1);
    await second.callTool('find_order', { number: 1 }, never);
    expect(http.sessions()).toBe(2);
    await first.close();
    await second.close();
    expect(http.sessions()).toBe(0);
    expect(new Set(http.authorizations)).toEqual(new Set(['Bearer of-the-operator']));
  });

  it('begins another session when the server has forgotten the present one', async () => {
    const session = servers.session(tools('http'));
    await session.callTool('find_order', { number: 1 }, never);
    http.forgetSessions();
    await expect(session.callTool('find_order', { number: 2 }, never)).rejects.toMatchObject({
      code: 'MCP_UNAVAILABLE',
    });
    await expect(session.callTool('find_order', { number: 3 }, never)).resolves.toMatchObject({ isError: false });
    await session.close();
  });

  it('says that a server cannot be reached, and that trying again may help', async () => {
    await expect(servers.session(tools('nowhere')).listTools(never)).rejects.toMatchObject({
      code: 'MCP_UNAVAILABLE',
      retryable: true,
    });
  });

  it('reaches nothing that the guard forbids', async () => {
    const guarded = new OutboundClient({ allowedCidrs: [] });
    const calls = http.authorizations.length;
    await expect(serversWith(guarded).session(tools('http')).listTools(never)).rejects.toMatchObject({
      code: 'OUTBOUND_REFUSED',
      retryable: false,
    });
    expect(http.authorizations).toHaveLength(calls);
    await guarded.close();
  });
});

describe('over standard input and output', () => {
  it('gives the program its own settings and none of ours', async () => {
    process.env['WORKHOOK_CANARY'] = 'a secret';
    const { text } = await servers.session(tools('stdio')).callTool('environment', {}, never);
    delete process.env['WORKHOOK_CANARY'];
    expect(text.split(',')).toEqual(expect.arrayContaining(['PATH', 'SHOP']));
    expect(text).not.toContain('WORKHOOK_CANARY');
  });

  it('starts a program again that has ended', async () => {
    const session = servers.session(tools('stdio'));
    await expect(session.callTool('die', {}, never)).rejects.toMatchObject({ code: 'MCP_UNAVAILABLE' });
    await expect(session.callTool('find_order', { number: 4 }, never)).resolves.toMatchObject({ isError: false });
  });

  it('says that a program cannot be started', async () => {
    await expect(servers.session(tools('broken')).listTools(never)).rejects.toMatchObject({
      code: 'MCP_UNAVAILABLE',
      message: 'The MCP server "broken" could not be reached (ENOENT).',
    });
  });
});

it('knows only the servers of the operator', () => {
  expect(() => servers.session(tools('other'))).toThrow('The operator of this installation has no MCP server "other".');
});

describe("the operator's file", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'workhook-mcp-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const read = async (text: string): Promise<unknown> => {
    const file = join(folder, 'mcp.json');
    await writeFile(file, text);
    return await readMcpServers(file);
  };

  it('has programs and URLs by name', async () => {
    const file = {
      mcpServers: { files: { command: 'npx', args: ['-y', 'x'] }, erp: { url: 'https://erp.example/mcp' } },
    };
    await expect(read(JSON.stringify(file))).resolves.toEqual(
      new Map<string, unknown>([
        ['files', { command: 'npx', args: ['-y', 'x'], env: {} }],
        ['erp', { url: 'https://erp.example/mcp', headers: {} }],
      ]),
    );
    await expect(readMcpServers(undefined)).resolves.toEqual(new Map());
  });

  it.each([
    ['nothing to parse', '{'],
    ['another form', '{"servers":{}}'],
    ['a mistyped member', '{"mcpServers":{"a":{"comand":"x"}}}'],
    ['both kinds at once', '{"mcpServers":{"a":{"command":"x","url":"https://a.example"}}}'],
    ['another scheme', '{"mcpServers":{"a":{"url":"file:///etc/passwd"}}}'],
    ['a header that is a number', '{"mcpServers":{"a":{"url":"https://a.example","headers":{"authorization":1}}}}'],
  ])('is refused with %s', async (_, text) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
  });

  it('is refused when it is not there', async () => {
    await expect(readMcpServers(join(folder, 'none.json'))).rejects.toThrow(
      /^MCP_SERVERS_FILE: .*none\.json cannot be read/,
    );
  });
});

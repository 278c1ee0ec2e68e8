import { z } from 'zod';
import { AppError } from '../../errors.js';
import { OUTBOUND_METHODS } from '../../outbound/outbound-client.js';
import type { JsonSchema } from '../worker.entities.js';

/** What a model may call a tool: what every provider takes. */
const TOOL_NAME = /^[a-zA-Z][a-zA-Z0-9_-]*$/;

const toolName = (charactersMax: number): z.ZodString =>
  z.string().max(charactersMax).regex(TOOL_NAME, 'must begin with a letter and have only letters, digits, "_" and "-"');

const jsonSchema = z.custom<Exclude<JsonSchema, boolean>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be a JSON Schema object',
);

const description = z.string().max(4_000);

/** All tools of an MCP server, or those that `allow` names. `name` stands before each of their names. */
const McpTools = z.strictObject({
  kind: z.literal('MCP'),
  name: toolName(24),
  /** A server of the operator's file. */
  server: z.string().min(1).max(100).optional(),
  /** A stored connection, whose base URL the server answers at. */
  connectionId: z.string().min(1).max(100).optional(),
  /** Below the connection's base URL. */
  path: z.string().max(2_048).optional(),
  allow: z.array(z.string().min(1).max(200)).max(100).optional(),
});

/** A request through a stored connection; the model fills in the parameters. */
const HttpTool = z.strictObject({
  kind: z.literal('HTTP'),
  name: toolName(64),
  description,
  connectionId: z.string().min(1).max(100),
  method: z.enum(OUTBOUND_METHODS),
  /** With `{name}` where a parameter goes. The other parameters go into the query or, as JSON, into the body. */
  path: z.string().max(2_048).startsWith('/', 'must begin with "/"'),
  /** JSON Schema of an object. */
  parameters: jsonSchema,
  timeoutMs: z.int().min(1).max(600_000).optional(),
});

/** Another worker, run inside of the execution. */
const WorkerTool = z.strictObject({
  kind: z.literal('WORKER'),
  name: toolName(64),
  /** By default the worker's own. */
  description: description.optional(),
  workerId: z.string().min(1).max(100),
});

export const AgentToolDefinition = z.discriminatedUnion('kind', [McpTools, HttpTool, WorkerTool], {
  error: 'is exactly one of mcp, http and worker',
});
export type AgentToolDefinition = z.output<typeof AgentToolDefinition>;
export type McpToolsDefinition = z.output<typeof McpTools>;
export type HttpToolDefinition = z.output<typeof HttpTool>;
export type WorkerToolDefinition = z.output<typeof WorkerTool>;

/** What `worker_versions.definition` holds for an agent. Nothing in it is secret. */
export const AgentDefinition = z.strictObject({
  /** The system text, word for word: nothing of a payload ever gets into it. */
  instructions: z.string().min(1).max(100_000),
  /** Without it, the default model of the installation at the time of each run. */
  modelId: z.string().min(1).max(100).optional(),
  temperature: z.number().min(0).max(2).optional(),
  outputTokensMax: z.int().min(1).max(1_000_000).optional(),
  /** Model steps at most; the last one must answer. */
  stepsMax: z.int().min(1).max(100).default(10),
  /** Messages of `messages` that go before the user's. */
  messageHistoryLimit: z.int().min(0).max(1_000).default(20),
  /** Makes the user's message of a body that has none; without it, the body as it came. */
  inputTemplate: z.string().min(1).max(100_000).optional(),
  tools: z.array(AgentToolDefinition).max(32).default([]),
});
export type AgentDefinition = z.output<typeof AgentDefinition>;

/** Reads a stored definition. */
export function readAgentDefinition(workerId: string, definition: Readonly<Record<string, unknown>>): AgentDefinition {
  const parsed = AgentDefinition.safeParse(definition);
  if (parsed.success) return parsed.data;
  throw new AppError('INTERNAL_SERVER_ERROR', undefined, { detail: `the definition of ${workerId} is not an agent's` });
}

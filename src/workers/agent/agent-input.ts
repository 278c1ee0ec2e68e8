import { z } from 'zod';
import { AppError } from '../../errors.js';
import { descriptionFaults, nameFaults } from '../../lib/text-rules.js';
import type { Outcome, UserError } from '../../lib/user-error.js';
import { compileTemplate } from '../../templates/template.js';
import { fieldFault, schemaFaults } from '../input-faults.js';
import { hasUnstorableText } from '../schema-validator.js';
import type { JsonSchema } from '../worker.entities.js';
import { AgentDefinition, type AgentToolDefinition } from './agent-definition.js';
import { pathParameters } from './tools/http-tool.js';
import { inputMessage } from '../../lib/input-message.js';

/** Everything that can be said of an agent. What is `null` or left out has its default. */
export interface AgentWorkerInput extends AgentSettings {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** JSON Schema (2020-12) for the body. */
  readonly inputSchema?: JsonSchema | null | undefined;
  /** JSON Schema (2020-12) that the answer must fit. */
  readonly outputSchema?: JsonSchema | null | undefined;
  /** Milliseconds for one attempt, at most an hour; 300,000 by default. */
  readonly timeoutMs?: number | null | undefined;
  /** Attempts in all, 1 to 100; 3 by default. */
  readonly attemptsMax?: number | null | undefined;
}

/** What an {@link AgentDefinition} is made of; its docstrings say what each is. */
export interface AgentSettings {
  readonly instructions: string;
  readonly modelId?: string | null | undefined;
  readonly temperature?: number | null | undefined;
  readonly outputTokensMax?: number | null | undefined;
  readonly stepsMax?: number | null | undefined;
  readonly messageHistoryLimit?: number | null | undefined;
  readonly inputTemplate?: string | null | undefined;
  readonly tools?: readonly unknown[] | null | undefined;
}

export interface AgentWorkerFields {
  readonly name: string;
  readonly description: string | null;
  readonly definition: AgentDefinition;
  readonly inputSchema: JsonSchema | null;
  readonly outputSchema: JsonSchema | null;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
}

const DESCRIPTION_CHARACTERS_MAX = 2_000;

const Schema = z
  .union([z.boolean(), z.record(z.string(), z.unknown())])
  .nullish()
  .transform((schema): JsonSchema | null => schema ?? null);

const Frame = z.object({
  inputSchema: Schema,
  outputSchema: Schema,
  timeoutMs: z.int().min(1).max(3_600_000).default(300_000),
  attemptsMax: z.int().min(1).max(100).default(3),
});

/** Checks all fields and finds all faults that can be found without looking anything up. */
export function parseAgentWorkerInput(input: AgentWorkerInput): Outcome<AgentWorkerFields> {
  const { instructions, modelId, temperature, outputTokensMax, stepsMax, messageHistoryLimit, inputTemplate, tools } =
    input;
  const frame = Frame.safeParse(given(input), { error: inputMessage });
  const definition = AgentDefinition.safeParse(
    given({
      instructions,
      modelId,
      temperature,
      outputTokensMax,
      stepsMax,
      messageHistoryLimit,
      inputTemplate,
      tools: tools?.map((tool) => given(tool as object)),
    }),
    { error: inputMessage },
  );
  const userErrors: UserError[] = [
    ...nameFaults(['name'], input.name),
    ...descriptionFaults(['description'], input.description ?? '', DESCRIPTION_CHARACTERS_MAX),
    ...(frame.error?.issues ?? []).map(fieldFault),
    ...(definition.error?.issues ?? []).map(fieldFault),
    ...textFaults(input),
    ...(frame.success ? schemaFaults(['inputSchema'], frame.data.inputSchema) : []),
    ...(frame.success ? schemaFaults(['outputSchema'], frame.data.outputSchema) : []),
    ...(definition.success ? toolFaults(definition.data.tools) : []),
  ];
  if (!frame.success || !definition.success || userErrors.length > 0) return { ok: false, userErrors };
  return {
    ok: true,
    value: {
      ...frame.data,
      name: input.name.trim(),
      description: input.description ?? null,
      definition: definition.data,
    },
  };
}

/** Without what is `null` or `undefined`: both are "as it is by default" here. */
function given(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}

function textFaults({ instructions, inputTemplate }: AgentWorkerInput): readonly UserError[] {
  const faults: UserError[] = [];
  if (hasUnstorableText(instructions)) faults.push(unstorable(['instructions']));
  if (inputTemplate === null || inputTemplate === undefined) return faults;
  if (hasUnstorableText(inputTemplate)) return [...faults, unstorable(['inputTemplate'])];
  try {
    compileTemplate(inputTemplate);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    faults.push({ field: ['inputTemplate'], message: error.message, code: 'INVALID_TEMPLATE' });
  }
  return faults;
}

function unstorable(field: readonly string[]): UserError {
  return { field, message: 'This has characters in it that cannot be shown.', code: 'INVALID_CHARACTERS' };
}

function toolFaults(tools: readonly AgentToolDefinition[]): readonly UserError[] {
  const names = Map.groupBy(tools, ({ name }) => name);
  return tools.flatMap((tool, i): readonly UserError[] => {
    const at = (name: string): string[] => ['tools', String(i), name];
    const faults: UserError[] = [];
    if (hasUnstorableText(tool)) faults.push(unstorable(at('name')));
    if (names.get(tool.name)!.length > 1) {
      faults.push({ field: at('name'), message: `Another tool is called "${tool.name}", too.`, code: 'DUPLICATE' });
    }
    if (tool.kind === 'MCP' && (tool.server === undefined) === (tool.connectionId === undefined)) {
      const message = 'An MCP server is either one of the operator, by its name, or one behind a connection.';
      faults.push({ field: at('server'), message, code: 'INVALID' });
    }
    if (tool.kind === 'HTTP') faults.push(...httpToolFaults(tool, at));
    return faults;
  });
}

function httpToolFaults(
  { path, parameters }: Extract<AgentToolDefinition, { kind: 'HTTP' }>,
  at: (name: string) => string[],
): readonly UserError[] {
  const faults = [...schemaFaults(at('parameters'), parameters)];
  const properties = parameters['properties'];
  const known = typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
  if (parameters['type'] !== 'object') {
    faults.push({ field: at('parameters'), message: 'This must be the schema of an object.', code: 'INVALID_SCHEMA' });
  }
  for (const name of pathParameters(path)) {
    if (known.includes(name)) continue;
    faults.push({ field: at('path'), message: `"{${name}}" is not among the parameters.`, code: 'INVALID' });
  }
  return faults;
}

import type { Outcome } from '../../lib/user-error.js';
import { compileJsonTemplate } from '../../templates/json-template.js';
import { schemaFaults } from '../input-faults.js';
import { hasUnstorableText } from '../schema-validator.js';
import type { JsonSchema } from '../worker.entities.js';
import { DefinitionReader, isObject } from './definition-reader.js';
import { StepCompiler, type WorkflowUse } from './step-compiler.js';
import type { Workflow } from './workflow.js';
import { WORKFLOW_LIMITS } from './workflow-limits.js';

export interface CompiledWorkflow {
  readonly workflow: Workflow;
  /** What a body must fit: `input` of the definition. */
  readonly inputSchema: JsonSchema | null;
  readonly workers: readonly WorkflowUse[];
  readonly connections: readonly WorkflowUse[];
}

const MEMBERS = ['version', 'input', 'steps', 'output'] as const;

/**
 * Checks a workflow's definition and parses its templates. Whether the workers and connections that it names exist is
 * not asked here.
 *
 * @param definition JSON that anybody may have written.
 * @returns all faults at once, the first fifty of them; their `field` leads from the definition's root to the place.
 */
export function compileWorkflow(definition: unknown): Outcome<CompiledWorkflow> {
  const sizeFault = faultOfSize(definition);
  if (sizeFault !== undefined) return { ok: false, userErrors: [{ field: [], message: sizeFault, code: 'TOO_LARGE' }] };
  if (hasUnstorableText(definition)) {
    const message = 'The definition has characters in it that cannot be stored.';
    return { ok: false, userErrors: [{ field: [], message, code: 'INVALID_CHARACTERS' }] };
  }
  const reader = new DefinitionReader();
  const members = reader.object(definition, [], 'A workflow', MEMBERS);
  if (members === undefined) return { ok: false, userErrors: reader.faults };
  if (members['version'] !== 1) reader.fault(['version'], 'The version of this language is 1.', 'INVALID');
  const inputSchema = readSchema(reader, members['input']);
  const compiler = new StepCompiler(reader);
  const { steps, visible } = compiler.list(members['steps'], ['steps']);
  const output =
    members['output'] === undefined
      ? undefined
      : reader.parsed(['output'], () => compileJsonTemplate(members['output']));
  compiler.references.check(output, ['output'], visible);
  const { workers, connections } = compiler.end();
  if (reader.faults.length > 0) return { ok: false, userErrors: reader.faults };
  return { ok: true, value: { workflow: { steps, output }, inputSchema, workers, connections } };
}

function readSchema(reader: DefinitionReader, schema: unknown): JsonSchema | null {
  if (schema === undefined || schema === null) return null;
  if (typeof schema !== 'boolean' && !isObject(schema)) {
    reader.fault(['input'], 'This is the JSON Schema of the input.', 'INVALID_SCHEMA');
    return null;
  }
  for (const fault of schemaFaults(['input'], schema)) reader.fault(fault.field, fault.message, fault.code);
  return schema;
}

/** The depth first: what is too deep cannot even be measured otherwise. */
function faultOfSize(definition: unknown): string | undefined {
  const { definitionBytes, valueDepth } = WORKFLOW_LIMITS;
  if (isDeeperThan(definition, valueDepth)) return `Values of a definition lie at most ${valueDepth} deep.`;
  const json = JSON.stringify(definition) ?? '';
  return Buffer.byteLength(json) > definitionBytes ? `A definition has at most ${definitionBytes} bytes.` : undefined;
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((member) => isDeeperThan(member, depth - 1));
}

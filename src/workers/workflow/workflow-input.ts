import { z } from 'zod';
import { descriptionFaults, nameFaults } from '../../lib/text-rules.js';
import { type Outcome, refused, succeeded, type UserError } from '../../lib/user-error.js';
import { fieldFault } from '../input-faults.js';
import { type CompiledWorkflow, compileWorkflow } from './compile-workflow.js';
import { readWorkflowText } from './workflow-text.js';
import { inputMessage } from '../../lib/input-message.js';

/** A definition in one of its two forms. */
export interface DefinitionInput {
  /** As JSON. */
  readonly definition?: unknown;
  /** As YAML. */
  readonly definitionYaml?: string | null | undefined;
}

/** Everything that can be said of a workflow. What is `null` or left out has its default. */
export interface WorkflowInput extends DefinitionInput {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** Milliseconds for one attempt, waits not counted, at most a day; an hour by default. */
  readonly timeoutMs?: number | null | undefined;
  /** Attempts in all, 1 to 100; 3 by default. */
  readonly attemptsMax?: number | null | undefined;
}

export interface WorkflowFields {
  readonly name: string;
  readonly description: string | null;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
}

/** A definition that compiles, and what it compiles to. */
export interface ReadDefinition {
  readonly definition: unknown;
  readonly compiled: CompiledWorkflow;
}

const DESCRIPTION_CHARACTERS_MAX = 2_000;

const Frame = z.object({
  timeoutMs: z.int().min(1).max(86_400_000).default(3_600_000),
  attemptsMax: z.int().min(1).max(100).default(3),
});

/** Checks everything but the definition. */
export function readWorkflowFields(input: WorkflowInput): Outcome<WorkflowFields> {
  const { name, description, timeoutMs, attemptsMax } = input;
  const frame = Frame.safeParse(
    { timeoutMs: timeoutMs ?? undefined, attemptsMax: attemptsMax ?? undefined },
    { error: inputMessage },
  );
  const userErrors: UserError[] = [
    ...nameFaults(['name'], name),
    ...descriptionFaults(['description'], description ?? '', DESCRIPTION_CHARACTERS_MAX),
    ...(frame.error?.issues ?? []).map(fieldFault),
  ];
  if (!frame.success || userErrors.length > 0) return { ok: false, userErrors };
  return succeeded({ ...frame.data, name: name.trim(), description: description ?? null });
}

/** The name of the form in which a definition was given, for the fields of faults. */
export function definitionField({ definitionYaml }: DefinitionInput): string {
  return definitionYaml === null || definitionYaml === undefined ? 'definition' : 'definitionYaml';
}

/** Checks a definition that was given in one of the two forms. */
export function readDefinition(input: DefinitionInput): Outcome<ReadDefinition> {
  const { definition, definitionYaml } = input;
  const hasJson = definition !== undefined && definition !== null;
  const hasYaml = definitionYaml !== undefined && definitionYaml !== null;
  if (hasJson === hasYaml) {
    const message = 'Give either `definition` or `definitionYaml`.';
    return refused({ field: ['definition'], message, code: hasJson ? 'INVALID' : 'REQUIRED' });
  }
  const read = hasYaml ? readWorkflowText(definitionYaml) : succeeded(definition);
  const compiled = read.ok ? compileWorkflow(read.value) : read;
  if (read.ok && compiled.ok) return succeeded({ definition: read.value, compiled: compiled.value });
  const { userErrors } = compiled as Extract<typeof compiled, { ok: false }>;
  return { ok: false, userErrors: userErrors.map((fault) => within(definitionField(input), fault)) };
}

/** A fault of a definition as one of the input that it came in. */
function within(name: string, { field, ...fault }: UserError): UserError {
  return { ...fault, field: [name, ...field] };
}

import { readFile } from 'node:fs/promises';
import { ensureOwner } from '../access/owner.js';
import { systemPrincipal } from '../access/principal.js';
import { openStored } from '../app/stored.js';
import type { Config } from '../config.js';
import { codeOf } from '../errors.js';
import { systemClock } from '../lib/clock.js';
import { createLogger } from '../lib/logger.js';
import type { UserError } from '../lib/user-error.js';
import { applyWorkflow } from '../workers/workflow/apply-workflow.js';
import { readDefinition } from '../workers/workflow/workflow-input.js';

const USAGE = 'workhook workflow validate FILE, or workhook workflow apply FILE NAME';

/**
 * Checks the definition in a file, or makes it the workflow of a name. Checking needs no database, and does not ask
 * whether the workers and connections exist.
 *
 * @returns the exit code: 1 when there is something to mend, 2 when the command was not understood.
 */
export async function workflowCommand(readSettings: () => Config, args: readonly string[]): Promise<number> {
  const [action, file, name, ...more] = args;
  const understood = more.length === 0 && (action === 'validate' ? name === undefined : action === 'apply' && name);
  if (file === undefined || !understood) {
    console.error(USAGE);
    return 2;
  }
  const definitionYaml = await readFile(file, 'utf8').catch((error: unknown) => codeOf(error));
  if (definitionYaml === undefined || /^E[A-Z]+$/.test(definitionYaml)) {
    console.error(`${file} cannot be read: ${definitionYaml ?? 'unknown'}`);
    return 1;
  }
  if (action === 'apply') return await apply(readSettings(), name!, definitionYaml);
  const read = readDefinition({ definitionYaml });
  if (!read.ok) return mend(read.userErrors);
  console.log(`${file} is well-formed.`);
  return 0;
}

async function apply(config: Config, name: string, definitionYaml: string): Promise<number> {
  const stack = new AsyncDisposableStack();
  try {
    const { database } = await openStored(stack, { config, log: createLogger('warn') });
    const { ownerId } = await ensureOwner({ database, clock: systemClock }, config.adminToken);
    const principal = systemPrincipal(ownerId, 'command-line');
    const applied = await applyWorkflow({ database }, principal, { name, definitionYaml });
    if (!applied.ok) return mend(applied.userErrors);
    const { worker, result } = applied.value;
    console.log(`${worker.id} version ${worker.version} (${result})`);
    return 0;
  } finally {
    await stack.disposeAsync();
  }
}

function mend(userErrors: readonly UserError[]): number {
  for (const { field, message } of userErrors) {
    console.error(`${field.filter((part) => part !== 'definitionYaml').join('.') || 'the definition'}: ${message}`);
  }
  return 1;
}

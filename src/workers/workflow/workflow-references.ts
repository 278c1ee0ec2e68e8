import type { EntityManager } from '@mikro-orm/postgresql';
import { missingConnections } from '../../connections/connection-uses.js';
import type { UserError } from '../../lib/user-error.js';
import { workerReferenceFaults } from '../worker-references.js';
import type { CompiledWorkflow } from './compile-workflow.js';

/**
 * Finds what a workflow names and what does not exist, and workers that would call one another in a circle or too deep.
 * Under `lockWorkerUses` what it finds in order stays so until the transaction ends.
 *
 * @param name what the input calls the definition, for the fields of the faults.
 */
export async function workflowReferenceFaults(
  em: EntityManager,
  workerId: string,
  name: string,
  { workers, connections }: CompiledWorkflow,
): Promise<readonly UserError[]> {
  const missing = await missingConnections(em, [...new Set(connections.map(({ id }) => id))]);
  const lost = connections.filter(({ id }) => missing.includes(id));
  return [
    ...lost.map(({ field }) => ({
      field: [name, ...field],
      message: 'There is no such connection.',
      code: 'NOT_FOUND',
    })),
    ...(await workerReferenceFaults(
      em,
      workerId,
      workers.map(({ id, field }) => ({ id, field: [name, ...field] })),
    )),
  ];
}

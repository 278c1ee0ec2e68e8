import { isDeepStrictEqual } from 'node:util';
import type { Principal } from '../../access/principal.js';
import type { Database } from '../../db/database.js';
import { type Outcome, refused, succeeded } from '../../lib/user-error.js';
import { readWorkersById, type WorkerView } from '../read-workers.js';
import { createWorkflow, updateWorkflow } from './manage-workflows.js';
import { readStoredWorkflow } from './workflow-definition.js';
import { readDefinition } from './workflow-input.js';

/** What a file came to: a new workflow, a new version, or nothing, for it says what there is. */
export interface AppliedWorkflow {
  readonly worker: WorkerView;
  readonly result: 'created' | 'changed' | 'unchanged';
}

const NAMED = `select id from workers where name = $1 and kind = 'WORKFLOW' and deleted_at is null order by id limit 2`;

/**
 * Makes the workflow of a name be what a text says.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function applyWorkflow(
  { database }: { readonly database: Database },
  principal: Principal,
  { name, definitionYaml }: { readonly name: string; readonly definitionYaml: string },
): Promise<Outcome<AppliedWorkflow>> {
  const read = readDefinition({ definitionYaml });
  if (!read.ok) return read;
  const { rows } = await database.pool.query<{ id: string }>(NAMED, [name.trim()]);
  const [first, second] = rows;
  if (second !== undefined) {
    return refused({ field: ['name'], message: 'Several workflows have this name.', code: 'AMBIGUOUS' });
  }
  if (first === undefined) {
    const created = await createWorkflow({ database }, principal, { name, definitionYaml });
    return created.ok ? succeeded({ worker: created.value, result: 'created' }) : created;
  }
  const [worker] = await readWorkersById(database.pool, [first.id]);
  if (isDeepStrictEqual(readStoredWorkflow(worker!.id, worker!.definition).workflow, read.value.definition)) {
    return succeeded({ worker: worker!, result: 'unchanged' });
  }
  const changed = await updateWorkflow({ database }, principal, {
    id: worker!.id,
    expectedVersion: worker!.version,
    definitionYaml,
  });
  return changed.ok ? succeeded({ worker: changed.value, result: 'changed' }) : changed;
}

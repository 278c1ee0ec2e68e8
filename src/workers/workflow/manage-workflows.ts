import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../../access/audit.js';
import { createOnce, type KeyedCreation } from '../../access/creation-key.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { Database } from '../../db/database.js';
import { publish } from '../../events/publish.js';
import { newWorkerId } from '../../lib/ids.js';
import { type Outcome, succeeded, type UserError } from '../../lib/user-error.js';
import { lockWorker, readManagedWorker, wrongKind } from '../change-worker.js';
import type { WorkerView } from '../read-workers.js';
import { lockWorkerUses } from '../worker-uses.js';
import { WorkerEntity, type WorkerVersion, WorkerVersionEntity } from '../worker.entities.js';
import { readStoredWorkflow, toStoredWorkflow } from './workflow-definition.js';
import {
  type DefinitionInput,
  definitionField,
  type ReadDefinition,
  readDefinition,
  readWorkflowFields,
  type WorkflowFields,
  type WorkflowInput,
} from './workflow-input.js';
import { workflowReferenceFaults } from './workflow-references.js';

export interface ManageWorkflowsDeps {
  readonly database: Database;
}

/** What is left out stays as it is; `null` takes away what can be without. */
export interface UpdateWorkflowInput extends Partial<WorkflowInput> {
  readonly id: string;
  /** The version that the user saw; another one is current by now: CONFLICT. */
  readonly expectedVersion?: number | undefined;
}

/** Makes a workflow at version 1. */
export async function createWorkflow(
  { database }: ManageWorkflowsDeps,
  principal: Principal | undefined,
  input: WorkflowInput & KeyedCreation,
): Promise<Outcome<WorkerView>> {
  requirePermission(principal, 'workers:write');
  const read = checked(readWorkflowFields(input), readDefinition(input));
  if (!read.ok) return read;
  const { fields, definition } = read.value;
  const id = newWorkerId();
  const made = await createOnce<string>(database, principal, {
    idempotencyKey: input.idempotencyKey,
    creation: { kind: 'workflow', input: { ...fields, definition: definition.definition }, subjectId: id },
    make: async (em) => {
      await lockWorkerUses(em);
      const userErrors = await workflowReferenceFaults(em, id, definitionField(input), definition.compiled);
      if (userErrors.length > 0) return { ok: false, userErrors };
      const now = new Date();
      const { name, description } = fields;
      const row = {
        id,
        kind: 'WORKFLOW' as const,
        name,
        description,
        currentVersion: 1,
        createdAt: now,
        updatedAt: now,
      };
      em.persist(em.create(WorkerEntity, { ...row, deletedAt: null }));
      await em.flush(); // before its version, which refers to it
      await storeVersion(em, versionRow(id, 1, fields, definition, now));
      const details = { name, kind: 'WORKFLOW', steps: definition.compiled.workflow.steps.length };
      await recordAudit(em, principal, { action: 'worker.created', subjectId: id, details });
      return succeeded(id);
    },
    find: (workerId) => Promise.resolve(workerId),
  });
  return made.ok ? succeeded(await readManagedWorker(database, made.value)) : made;
}

/**
 * Gives a workflow a new version. Executions that have begun keep the version that they pinned.
 *
 * @throws AppError NOT_FOUND, CONFLICT.
 */
export async function updateWorkflow(
  { database }: ManageWorkflowsDeps,
  principal: Principal | undefined,
  input: UpdateWorkflowInput,
): Promise<Outcome<WorkerView>> {
  requirePermission(principal, 'workers:write');
  const { id } = input;
  const outcome = await database.transaction(async (em): Promise<Outcome<undefined>> => {
    const worker = await lockWorker(em, id, input.expectedVersion);
    if (worker.kind !== 'WORKFLOW') return wrongKind(worker.kind, 'WORKFLOW');
    const before = await em.findOneOrFail(WorkerVersionEntity, { workerId: id, version: worker.currentVersion });
    const wanted: WorkflowInput = {
      name: input.name ?? worker.name,
      description: input.description === undefined ? worker.description : input.description,
      timeoutMs: input.timeoutMs === undefined ? before.timeoutMs : input.timeoutMs,
      attemptsMax: input.attemptsMax === undefined ? before.attemptsMax : input.attemptsMax,
      ...(hasDefinition(input)
        ? { definition: input.definition, definitionYaml: input.definitionYaml }
        : { definition: readStoredWorkflow(id, before.definition).workflow }),
    };
    const read = checked(readWorkflowFields(wanted), readDefinition(wanted));
    if (!read.ok) return read;
    const { fields, definition } = read.value;
    await lockWorkerUses(em);
    const userErrors = await workflowReferenceFaults(em, id, definitionField(input), definition.compiled);
    if (userErrors.length > 0) return { ok: false, userErrors };
    const now = new Date();
    const version = worker.currentVersion + 1;
    const { name, description } = fields;
    em.assign(worker, { name, description, currentVersion: version, updatedAt: now });
    await storeVersion(em, versionRow(id, version, fields, definition, now));
    await recordAudit(em, principal, {
      action: 'worker.updated',
      subjectId: id,
      details: { name, version, steps: definition.compiled.workflow.steps.length },
    });
    return succeeded(undefined);
  });
  return outcome.ok ? succeeded(await readManagedWorker(database, id)) : outcome;
}

/**
 * Checks a definition as creating a workflow, or changing this one, would. Nothing is stored.
 *
 * @returns what is to be mended; nothing when the definition could be stored now.
 */
export async function validateWorkflow(
  { database }: ManageWorkflowsDeps,
  principal: Principal | undefined,
  input: DefinitionInput & { readonly id?: string | undefined },
): Promise<readonly UserError[]> {
  requirePermission(principal, 'workers:read');
  const read = readDefinition(input);
  if (!read.ok) return read.userErrors;
  const id = input.id ?? newWorkerId();
  return await database.transaction((em) =>
    workflowReferenceFaults(em, id, definitionField(input), read.value.compiled),
  );
}

function hasDefinition({ definition, definitionYaml }: DefinitionInput): boolean {
  return [definition, definitionYaml].some((form) => form !== null && form !== undefined);
}

interface Checked {
  readonly fields: WorkflowFields;
  readonly definition: ReadDefinition;
}

/** All faults at once. */
function checked(fields: Outcome<WorkflowFields>, definition: Outcome<ReadDefinition>): Outcome<Checked> {
  if (fields.ok && definition.ok) return succeeded({ fields: fields.value, definition: definition.value });
  return { ok: false, userErrors: [fields, definition].flatMap((read) => (read.ok ? [] : read.userErrors)) };
}

async function storeVersion(em: EntityManager, version: WorkerVersion): Promise<void> {
  em.persist(em.create(WorkerVersionEntity, version));
  await em.flush();
  await publish(em, [{ kind: 'worker-changed', workerId: version.workerId }]);
}

function versionRow(
  workerId: string,
  version: number,
  { timeoutMs, attemptsMax }: WorkflowFields,
  { definition, compiled }: ReadDefinition,
  createdAt: Date,
): WorkerVersion {
  return {
    workerId,
    version,
    definition: toStoredWorkflow(definition, compiled),
    inputSchema: compiled.inputSchema,
    outputSchema: null,
    timeoutMs,
    attemptsMax,
    createdAt,
  };
}

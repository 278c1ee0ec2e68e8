import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../../access/audit.js';
import { createOnce, type KeyedCreation } from '../../access/creation-key.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { Database } from '../../db/database.js';
import { publish } from '../../events/publish.js';
import { newWorkerId } from '../../lib/ids.js';
import { type Outcome, succeeded } from '../../lib/user-error.js';
import { lockWorker, readManagedWorker, wrongKind } from '../change-worker.js';
import type { WorkerView } from '../read-workers.js';
import { type Worker, WorkerEntity, type WorkerVersion, WorkerVersionEntity } from '../worker.entities.js';
import { readAgentDefinition } from './agent-definition.js';
import { type AgentWorkerFields, type AgentWorkerInput, parseAgentWorkerInput } from './agent-input.js';
import { referenceFaults } from './reference-faults.js';

export interface ManageAgentsDeps {
  readonly database: Database;
  /** The names of the operator's MCP servers. */
  readonly mcpServers: ReadonlySet<string>;
}

/** What is left out stays as it is; `null` takes away what can be without. */
export interface UpdateAgentWorkerInput extends Partial<AgentWorkerInput> {
  readonly id: string;
  /** The version that the user saw; another one is current by now: CONFLICT. */
  readonly expectedVersion?: number | undefined;
}

/** Makes an agent at version 1. */
export async function createAgentWorker(
  { database, mcpServers }: ManageAgentsDeps,
  principal: Principal | undefined,
  input: AgentWorkerInput & KeyedCreation,
): Promise<Outcome<WorkerView>> {
  requirePermission(principal, 'workers:write');
  const parsed = parseAgentWorkerInput(input);
  if (!parsed.ok) return parsed;
  const fields = parsed.value;
  const id = newWorkerId();
  const make = async (em: EntityManager): Promise<Outcome<string>> => {
    const faults = await referenceFaults(em, mcpServers, id, fields.definition);
    if (faults.length > 0) return { ok: false, userErrors: faults };
    const now = new Date();
    const { name, description, definition } = fields;
    const row = { id, kind: 'AGENT' as const, name, description, currentVersion: 1, createdAt: now, updatedAt: now };
    em.persist(em.create(WorkerEntity, { ...row, deletedAt: null }));
    await em.flush(); // before its version, which refers to it
    em.persist(em.create(WorkerVersionEntity, versionRow(id, 1, fields, now)));
    await em.flush();
    await publish(em, [{ kind: 'worker-changed', workerId: id }]);
    const details = { name, kind: 'AGENT', modelId: definition.modelId ?? null, tools: toolNames(fields) };
    await recordAudit(em, principal, { action: 'worker.created', subjectId: id, details });
    return succeeded(id);
  };
  const made = await createOnce(database, principal, {
    idempotencyKey: input.idempotencyKey,
    creation: { kind: 'agent', input: fields, subjectId: id },
    make,
    find: (workerId) => Promise.resolve(workerId),
  });
  return made.ok ? succeeded(await readManagedWorker(database, made.value)) : made;
}

/**
 * Gives an agent a new version. Executions that have begun keep the version that they pinned.
 *
 * @throws AppError NOT_FOUND, CONFLICT.
 */
export async function updateAgentWorker(
  { database, mcpServers }: ManageAgentsDeps,
  principal: Principal | undefined,
  input: UpdateAgentWorkerInput,
): Promise<Outcome<WorkerView>> {
  requirePermission(principal, 'workers:write');
  const { id } = input;
  const outcome = await database.transaction(async (em): Promise<Outcome<undefined>> => {
    const worker = await lockWorker(em, id, input.expectedVersion);
    if (worker.kind !== 'AGENT') return wrongKind(worker.kind, 'AGENT');
    const before = await em.findOneOrFail(WorkerVersionEntity, { workerId: id, version: worker.currentVersion });
    const parsed = parseAgentWorkerInput(merged(worker, before, input));
    if (!parsed.ok) return parsed;
    const fields = parsed.value;
    const userErrors = await referenceFaults(em, mcpServers, id, fields.definition);
    if (userErrors.length > 0) return { ok: false, userErrors };
    await storeVersion(em, worker, fields);
    const { name, definition } = fields;
    const version = worker.currentVersion;
    const details = { name, version, modelId: definition.modelId ?? null, tools: toolNames(fields) };
    await recordAudit(em, principal, { action: 'worker.updated', subjectId: id, details });
    return succeeded(undefined);
  });
  return outcome.ok ? succeeded(await readManagedWorker(database, id)) : outcome;
}

async function storeVersion(em: EntityManager, worker: Worker, fields: AgentWorkerFields): Promise<void> {
  const now = new Date();
  const { name, description } = fields;
  const version = worker.currentVersion + 1;
  em.assign(worker, { name, description, currentVersion: version, updatedAt: now });
  em.persist(em.create(WorkerVersionEntity, versionRow(worker.id, version, fields, now)));
  await em.flush();
  await publish(em, [{ kind: 'worker-changed', workerId: worker.id }]);
}

function merged(worker: Worker, before: WorkerVersion, input: UpdateAgentWorkerInput): AgentWorkerInput {
  const now = {
    ...readAgentDefinition(worker.id, before.definition),
    name: worker.name,
    description: worker.description,
    inputSchema: before.inputSchema,
    outputSchema: before.outputSchema,
    timeoutMs: before.timeoutMs,
    attemptsMax: before.attemptsMax,
  };
  const changes = Object.entries(input).filter(([, value]) => value !== undefined);
  return { ...now, ...(Object.fromEntries(changes) as Partial<AgentWorkerInput>) };
}

function versionRow(workerId: string, version: number, fields: AgentWorkerFields, createdAt: Date): WorkerVersion {
  const { definition, inputSchema, outputSchema, timeoutMs, attemptsMax } = fields;
  return { workerId, version, definition, inputSchema, outputSchema, timeoutMs, attemptsMax, createdAt };
}

function toolNames({ definition }: AgentWorkerFields): string[] {
  return definition.tools.map(({ name }) => name);
}

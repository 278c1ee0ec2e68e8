import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../access/audit.js';
import { createOnce, type KeyedCreation } from '../access/creation-key.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { missingConnections } from '../connections/connection-uses.js';
import type { Database } from '../db/database.js';
import { publish } from '../events/publish.js';
import { newWorkerId } from '../lib/ids.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import type { Keyring } from '../secrets/seal.js';
import { lockWorker, readManagedWorker, wrongKind } from './change-worker.js';
import { type HttpSettings, newSigningSecret, openDefinition, sealDefinition } from './http/http-definition.js';
import { type HttpWorkerFields, type HttpWorkerInput, parseHttpWorkerInput } from './http/http-worker-input.js';
import { splitUrlTemplate } from './http/http-url.js';
import type { WorkerView } from './read-workers.js';
import { type Worker, WorkerEntity, type WorkerVersion, WorkerVersionEntity } from './worker.entities.js';
import { lockWorkerUses, workerInUseFaults } from './worker-uses.js';

export interface ManageWorkersDeps {
  readonly database: Database;
  readonly keyring: Keyring;
}

/** An HTTP worker and, when it is new, its signing secret, shown this once. */
export interface ManagedHttpWorker {
  readonly worker: WorkerView;
  readonly signingSecret: string | undefined;
}

interface MadeHttpWorker {
  readonly id: string;
  readonly signingSecret: string | undefined;
}

/** What is left out stays as it is; `null` takes a description or an input schema away. */
export interface UpdateHttpWorkerInput extends Partial<HttpWorkerInput> {
  readonly id: string;
  /** The version that the user saw; another one is current by now: CONFLICT. */
  readonly expectedVersion?: number | undefined;
  /** Makes a new signing secret and ends the old one with the next attempt. */
  readonly regenerateSigningSecret?: boolean | undefined;
}

/** Makes an HTTP worker at version 1. */
export async function createHttpWorker(
  deps: ManageWorkersDeps,
  principal: Principal | undefined,
  input: HttpWorkerInput & KeyedCreation,
): Promise<Outcome<ManagedHttpWorker>> {
  requirePermission(principal, 'workers:write');
  const parsed = parseHttpWorkerInput(input);
  if (!parsed.ok) return parsed;
  const fields = parsed.value;
  const id = newWorkerId();
  const signingSecret = fields.signingSecret ?? newSigningSecret();
  const make = async (em: EntityManager): Promise<Outcome<MadeHttpWorker>> => {
    const unknown = await connectionFaults(em, fields);
    if (unknown.length > 0) return refused(...unknown);
    const now = new Date();
    const { name, description } = fields;
    const worker = {
      id,
      kind: 'HTTP' as const,
      name,
      description,
      currentVersion: 1,
      createdAt: now,
      updatedAt: now,
    };
    em.persist(em.create(WorkerEntity, { ...worker, deletedAt: null }));
    await em.flush(); // before its version, which refers to it
    em.persist(em.create(WorkerVersionEntity, versionRow(deps.keyring, id, 1, fields, signingSecret, now)));
    await em.flush();
    await publish(em, [{ kind: 'worker-changed', workerId: id }]);
    await recordAudit(em, principal, {
      action: 'worker.created',
      subjectId: id,
      details: { name, kind: 'HTTP', ...destinationOf(fields) },
    });
    return succeeded({ id, signingSecret });
  };
  const { headers, signingSecret: _, ...shown } = fields;
  const made = await createOnce<MadeHttpWorker>(deps.database, principal, {
    idempotencyKey: input.idempotencyKey,
    creation: { kind: 'http-worker', input: { ...shown, headerNames: Object.keys(headers) }, subjectId: id },
    make,
    find: (workerId) => Promise.resolve({ id: workerId, signingSecret: undefined }),
  });
  if (!made.ok) return made;
  const worker = await readManagedWorker(deps.database, made.value.id);
  return succeeded({ worker, signingSecret: made.value.signingSecret });
}

/**
 * Gives an HTTP worker a new version. Executions that have begun keep the version that they pinned.
 *
 * @throws AppError NOT_FOUND, CONFLICT.
 */
export async function updateHttpWorker(
  deps: ManageWorkersDeps,
  principal: Principal | undefined,
  input: UpdateHttpWorkerInput,
): Promise<Outcome<ManagedHttpWorker>> {
  requirePermission(principal, 'workers:write');
  const { id } = input;
  const outcome = await deps.database.transaction(async (em): Promise<Outcome<string | undefined>> => {
    const worker = await lockWorker(em, id, input.expectedVersion);
    if (worker.kind !== 'HTTP') return wrongKind(worker.kind, 'HTTP');
    const before = await em.findOneOrFail(WorkerVersionEntity, {
      workerId: id,
      version: worker.currentVersion,
    });
    const settings = openDefinition(deps.keyring, id, before.version, before.definition);
    const parsed = parseHttpWorkerInput(merged(worker, before, settings, input));
    if (!parsed.ok) return parsed;
    const fields = parsed.value;
    const faults = [...movedFaults(settings, fields, input), ...(await connectionFaults(em, fields))];
    if (faults.length > 0) return refused(...faults);
    const newSecret = input.regenerateSigningSecret === true ? newSigningSecret() : input.signingSecret;
    const now = new Date();
    const version = worker.currentVersion + 1;
    const { name, description } = fields;
    em.assign(worker, { name, description, currentVersion: version, updatedAt: now });
    em.persist(
      em.create(
        WorkerVersionEntity,
        versionRow(deps.keyring, id, version, fields, newSecret ?? settings.signingSecret, now),
      ),
    );
    await em.flush();
    await publish(em, [{ kind: 'worker-changed', workerId: id }]);
    await recordAudit(em, principal, {
      action: 'worker.updated',
      subjectId: id,
      details: {
        name,
        version,
        ...destinationOf(fields),
        newSigningSecret: newSecret !== undefined,
      },
    });
    return succeeded(newSecret);
  });
  if (!outcome.ok) return outcome;
  return succeeded({ worker: await readManagedWorker(deps.database, id), signingSecret: outcome.value });
}

/**
 * Deletes a worker that no webhook and no agent uses. Executions that were accepted before still run; its history stays.
 *
 * @throws AppError NOT_FOUND, CONFLICT.
 */
export async function deleteWorker(
  deps: ManageWorkersDeps,
  principal: Principal | undefined,
  input: { readonly id: string; readonly expectedVersion?: number | undefined },
): Promise<Outcome<{ readonly id: string }>> {
  requirePermission(principal, 'workers:write');
  const { id } = input;
  return await deps.database.transaction(async (em): Promise<Outcome<{ readonly id: string }>> => {
    const worker = await lockWorker(em, id, input.expectedVersion);
    if (worker.kind === 'CODE') return wrongKind(worker.kind, 'HTTP');
    await lockWorkerUses(em);
    const faults = await workerInUseFaults(em, id);
    if (faults.length > 0) return refused(...faults);
    em.assign(worker, { deletedAt: new Date() });
    await em.flush();
    await publish(em, [{ kind: 'worker-changed', workerId: id }]);
    await recordAudit(em, principal, {
      action: 'worker.deleted',
      subjectId: id,
      details: { name: worker.name },
    });
    return succeeded({ id });
  });
}

function merged(
  worker: Worker,
  before: WorkerVersion,
  settings: HttpSettings,
  input: UpdateHttpWorkerInput,
): HttpWorkerInput {
  return {
    name: input.name ?? worker.name,
    description: input.description === undefined ? worker.description : input.description,
    method: input.method ?? settings.method,
    url: input.url ?? settings.url,
    connectionId: input.connectionId === undefined ? settings.connectionId : input.connectionId,
    query: input.query === undefined ? settings.query : input.query,
    headers: input.headers ?? settings.headers,
    body: input.body === undefined ? settings.body : input.body,
    result: input.result === undefined ? settings.result : input.result,
    successWhen: input.successWhen === undefined ? settings.successWhen : input.successWhen,
    headersTimeoutMs: input.headersTimeoutMs === undefined ? settings.headersTimeoutMs : input.headersTimeoutMs,
    bodyTimeoutMs: input.bodyTimeoutMs === undefined ? settings.bodyTimeoutMs : input.bodyTimeoutMs,
    responseBytesMax: input.responseBytesMax === undefined ? settings.responseBytesMax : input.responseBytesMax,
    signingSecret: input.signingSecret,
    inputSchema: input.inputSchema === undefined ? before.inputSchema : input.inputSchema,
    timeoutMs: input.timeoutMs ?? before.timeoutMs,
    attemptsMax: input.attemptsMax ?? before.attemptsMax,
  };
}

function versionRow(
  keyring: Keyring,
  workerId: string,
  version: number,
  fields: HttpWorkerFields,
  signingSecret: string,
  createdAt: Date,
): WorkerVersion {
  const { name: _, description: __, inputSchema, timeoutMs, attemptsMax, ...settings } = fields;
  const definition = sealDefinition(keyring, workerId, version, { ...settings, templated: true, signingSecret });
  return {
    workerId,
    version,
    definition,
    inputSchema,
    outputSchema: null,
    timeoutMs,
    attemptsMax,
    createdAt,
  };
}

/** Also keeps the connection until the definition that names it is committed. */
async function connectionFaults(em: EntityManager, { connectionId }: HttpWorkerFields): Promise<readonly UserError[]> {
  const missing = await missingConnections(em, connectionId === null ? [] : [connectionId]);
  return missing.map((id) => ({
    field: ['connectionId'],
    message: `There is no connection ${id}.`,
    code: 'UNKNOWN_CONNECTION',
  }));
}

/** Stored header values can be credentials: they go to another place only when somebody gives them again. */
function movedFaults(
  before: HttpSettings,
  after: HttpWorkerFields,
  { headers }: UpdateHttpWorkerInput,
): readonly UserError[] {
  if (Object.keys(before.headers).length === 0 || headers !== undefined) return [];
  const [from, to] = [destinationOf(before), destinationOf(after)];
  if (from.origin === to.origin && from.connectionId === to.connectionId) return [];
  const message =
    'The requests go to another host now: give the headers anew, so that nothing is sent there by mistake.';
  return [{ field: ['headers'], message, code: 'REQUIRED' }];
}

/** Where requests go, as far as it may be told: of a URL the origin, because its path can hold a token. */
function destinationOf({ url, connectionId }: Pick<HttpSettings, 'url' | 'connectionId'>): {
  readonly origin?: string;
  readonly connectionId?: string;
} {
  if (connectionId !== null) return { connectionId };
  return { origin: new URL(splitUrlTemplate(url)?.origin ?? url).origin };
}

import type { EntityManager } from '@mikro-orm/postgresql';
import { type AuditEntry, recordAudit } from '../access/audit.js';
import { createOnce, type KeyedCreation } from '../access/creation-key.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Database } from '../db/database.js';
import { assertVersion } from '../db/expected-version.js';
import { AppError } from '../errors.js';
import { publish } from '../events/publish.js';
import type { Clock } from '../lib/clock.js';
import { formatId, newUuidV7, parseId } from '../lib/ids.js';
import { inUseFaults } from '../lib/in-use.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import type { Keyring } from '../secrets/seal.js';
import { secretHint } from '../secrets/secret-rules.js';
import { type Connection, ConnectionEntity } from './connection.entity.js';
import { type ConnectionFields, type ConnectionInput, parseConnectionInput } from './connection-input.js';
import { type ConnectionSecrets, openConnection, sealConnection } from './connection-secrets.js';
import { readConnectionUsers } from './connection-uses.js';
import { type ConnectionView, readConnectionsById } from './read-connections.js';

/** The end of a short secret, a password above all, would give too much of it away. */
const HINTED_CHARACTERS_MIN = 16;

export interface ManageConnectionsDeps {
  readonly database: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
}

/** What is left out stays as it is; `null` takes a description away. */
export interface UpdateConnectionInput extends Partial<ConnectionInput> {
  /** A UUID. */
  readonly id: string;
  /** The version that the user saw; another one is current by now: CONFLICT. */
  readonly expectedVersion?: number | undefined;
}

/** Makes a connection at version 1. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function createConnection(
  deps: ManageConnectionsDeps,
  principal: Principal | undefined,
  input: ConnectionInput & KeyedCreation,
): Promise<Outcome<ConnectionView>> {
  requirePermission(principal, 'connections:write');
  const parsed = parseConnectionInput(input);
  if (!parsed.ok) return parsed;
  const fields = parsed.value;
  const now = new Date(deps.clock.nowMs());
  const id = newUuidV7(now.getTime());
  const make = async (em: EntityManager): Promise<Outcome<string>> => {
    const row = rowOf(deps.keyring, id, 1, fields, now);
    em.persist(em.create(ConnectionEntity, { id, ...row, createdAt: now }));
    await em.flush();
    await recordAudit(em, principal, auditOf('connection.created', id, fields));
    return succeeded(id);
  };
  const { name, description, baseUrl } = fields;
  const made = await createOnce(deps.database, principal, {
    idempotencyKey: input.idempotencyKey,
    creation: { kind: 'connection', input: { name, description, baseUrl }, subjectId: formatId('connection', id) },
    make,
    find: (connectionId) => Promise.resolve(parseId('connection', connectionId)!),
  });
  return made.ok ? succeeded(await readConnection(deps, made.value)) : made;
}

/**
 * Changes a connection for all that use it, with their next request. A base URL of another origin needs the credential
 * anew: whoever may write connections must not be able to have a stored one sent to a place of their own.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function updateConnection(
  deps: ManageConnectionsDeps,
  principal: Principal | undefined,
  input: UpdateConnectionInput,
): Promise<Outcome<ConnectionView>> {
  requirePermission(principal, 'connections:write');
  const { id } = input;
  const outcome = await deps.database.transaction(async (em): Promise<Outcome<undefined>> => {
    const row = await lockConnection(em, id, input.expectedVersion);
    const secrets = openConnection(deps.keyring, id, row.version, row.sealed);
    const parsed = parseConnectionInput(merged(row, secrets, input));
    if (!parsed.ok) return parsed;
    const fields = parsed.value;
    const movedTo = new URL(fields.baseUrl).origin;
    if (movedTo !== new URL(row.baseUrl).origin) {
      const kept = [
        ...(row.authKind !== 'NONE' && input.authentication === undefined ? ['authentication'] : []),
        ...(row.headerNames.length > 0 && input.headers === undefined ? ['headers'] : []),
      ];
      if (kept.length > 0) return refused(...kept.map((field) => neededAnew(field, movedTo)));
    }
    em.assign(row, rowOf(deps.keyring, id, row.version + 1, fields, new Date(deps.clock.nowMs())));
    await em.flush();
    await publish(em, [{ kind: 'connection-changed', connectionId: id }]);
    const changed = input.authentication !== undefined || input.headers !== undefined;
    await recordAudit(em, principal, auditOf('connection.updated', id, fields, { newCredential: changed }));
    return succeeded(undefined);
  });
  return outcome.ok ? succeeded(await readConnection(deps, id)) : outcome;
}

/**
 * Deletes a connection that no worker uses, its credential with it. An execution that keeps an older version of a
 * worker fails then with CONNECTION_NOT_FOUND.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function deleteConnection(
  deps: ManageConnectionsDeps,
  principal: Principal | undefined,
  input: { readonly id: string; readonly expectedVersion?: number | undefined },
): Promise<Outcome<{ readonly id: string }>> {
  requirePermission(principal, 'connections:write');
  const { id } = input;
  return await deps.database.transaction(async (em): Promise<Outcome<{ readonly id: string }>> => {
    const row = await lockConnection(em, id, input.expectedVersion);
    const users = await readConnectionUsers(em, formatId('connection', id));
    if (users.length > 0) return refused(...inUseFaults(users, 'workers', 'this connection', 'CONNECTION_IN_USE'));
    const { name } = row;
    em.remove(row);
    await em.flush();
    await publish(em, [{ kind: 'connection-changed', connectionId: id }]);
    const subjectId = formatId('connection', id);
    await recordAudit(em, principal, { action: 'connection.deleted', subjectId, details: { name } });
    return succeeded({ id });
  });
}

/** FOR UPDATE waits for definitions that are just being given this connection, and holds off others. */
async function lockConnection(em: EntityManager, id: string, expectedVersion: number | undefined): Promise<Connection> {
  await em.execute('select 1 from connections where id = ? for update', [id]);
  const row = await em.findOne(ConnectionEntity, { id });
  if (row === null) throw new AppError('NOT_FOUND', 'There is no such connection.');
  assertVersion('The connection', row.version, expectedVersion);
  return row;
}

function merged(row: Connection, secrets: ConnectionSecrets, input: UpdateConnectionInput): ConnectionInput {
  return {
    name: input.name ?? row.name,
    description: input.description === undefined ? row.description : input.description,
    baseUrl: input.baseUrl ?? row.baseUrl,
    authentication: input.authentication ?? { kind: row.authKind, name: row.authName, secret: secrets.secret },
    headers: input.headers ?? secrets.headers,
  };
}

function rowOf(
  keyring: Keyring,
  id: string,
  version: number,
  { name, description, baseUrl, authentication, headers }: ConnectionFields,
  updatedAt: Date,
): Omit<Connection, 'id' | 'createdAt'> {
  const { kind, secret } = authentication;
  return {
    name,
    description,
    baseUrl,
    authKind: kind,
    authName: authentication.name === '' ? null : authentication.name,
    secretHint: secret.length < HINTED_CHARACTERS_MIN ? null : secretHint(secret),
    headerNames: Object.keys(headers),
    sealed: sealConnection(keyring, id, version, { secret, headers }),
    version,
    updatedAt,
  };
}

function neededAnew(field: string, origin: string): UserError {
  const message = `The base URL leads to ${origin} now: give this anew, so that nothing is sent there by mistake.`;
  return { field: [field], message, code: 'REQUIRED' };
}

function auditOf(
  action: string,
  id: string,
  { name, baseUrl, authentication }: ConnectionFields,
  more: Readonly<Record<string, boolean>> = {},
): AuditEntry {
  const details = { name, origin: new URL(baseUrl).origin, authentication: authentication.kind, ...more };
  return { action, subjectId: formatId('connection', id), details };
}

async function readConnection({ database }: ManageConnectionsDeps, id: string): Promise<ConnectionView> {
  const [connection] = await readConnectionsById(database.pool, [id]);
  if (connection === undefined) throw new AppError('NOT_FOUND', 'There is no such connection.');
  return connection;
}

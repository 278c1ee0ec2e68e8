import type { Sql } from '../db/database.js';
import type { Dispatch, ExecutionMode } from '../calls/call-modes.js';
import type { Keyring } from '../secrets/seal.js';
import { sealedFor } from '../secrets/secret-versions.js';
import { FLOW_COLUMNS, type FlowRow } from './flow/flow-settings.js';
import { type IngressFlow, toIngressFlow } from './flow/ingress-flow.js';
import { type CompiledRules, compileRules } from './rules/compiled-rules.js';
import type { IngressRules } from './rules/ingress-rules.js';
import { AUTHENTICATION_COLUMNS, type AuthenticationRow, toAuthentication } from './verify/stored-authentication.js';
import type { Authentication, ValidSecret } from './verify/verify-credential.js';

/** All that an accept needs to know of a webhook. Secrets are in plain text here: it never leaves the process. */
export interface IngressWebhook {
  readonly id: string;
  /** Every change raises it. */
  readonly version: number;
  readonly active: boolean;
  readonly ownerId: string;
  readonly executionMode: ExecutionMode;
  readonly dispatch: Dispatch;
  readonly syncTimeoutMs: number | undefined;
  readonly idempotencyWindowMs: number | undefined;
  /** RFC 6901: where a body has the id by which a repeat is known. */
  readonly idempotencyPointer: string | undefined;
  /** Which of its calls may run when; `undefined`: they run as they come. */
  readonly flow: IngressFlow | undefined;
  readonly authentication: Authentication;
  readonly secrets: readonly ValidSecret[];
  readonly workerIds: readonly string[];
  readonly rules: CompiledRules;
}

/** A webhook as it stands in the database, its secrets sealed. */
export interface IngressWebhookRow extends AuthenticationRow, FlowRow {
  readonly id: string;
  readonly version: number;
  readonly active: boolean;
  readonly owner_id: string;
  readonly execution_mode: ExecutionMode;
  readonly dispatch: Dispatch;
  readonly sync_timeout_ms: number | null;
  readonly idempotency_window_ms: number | null;
  readonly idempotency_pointer: string | null;
  readonly rules: IngressRules;
  readonly worker_ids: string[];
  readonly secrets: { id: string; version: number; sealed: string; expires_at_ms: number | null }[];
}

/** One statement, so that webhook, workers and secrets are of one moment. */
const READ = `
  select w.id, w.version, w.active, w.owner_id, w.execution_mode, w.dispatch, w.sync_timeout_ms,
    ${AUTHENTICATION_COLUMNS}, w.idempotency_window_ms, w.idempotency_pointer, w.rules,
    ${FLOW_COLUMNS},
    array(select worker_id from webhook_workers where webhook_id = w.id order by position) as worker_ids,
    (select coalesce(json_agg(json_build_object('id', s.id, 'version', s.version, 'sealed', encode(s.sealed, 'base64'),
        'expires_at_ms', floor(extract(epoch from s.expires_at) * 1000)) order by s.version desc), '[]')
      from webhook_secrets s
      where s.webhook_id = w.id and s.revoked_at is null and (s.expires_at is null or s.expires_at > now())) as secrets
  from webhooks w where w.id = any($1::uuid[]) and w.deleted_at is null`;

/** Reads webhooks by their UUIDs; deleted ones are as if they had never been. */
export async function readIngressWebhooks(
  sql: Sql,
  ids: readonly string[],
): Promise<ReadonlyMap<string, IngressWebhookRow>> {
  const { rows } = await sql.query<IngressWebhookRow>({ name: 'read-ingress-webhooks', text: READ, values: [ids] });
  return new Map(rows.map((row) => [row.id, row]));
}

const READ_VERSIONS = 'select id, version from webhooks where id = any($1::uuid[]) and deleted_at is null';

/** Reads which version is the newest of each of some webhooks. */
export async function readWebhookVersions(sql: Sql, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql.query<{ id: string; version: number }>({
    name: 'read-webhook-versions',
    text: READ_VERSIONS,
    values: [ids],
  });
  return new Map(rows.map(({ id, version }) => [id, version]));
}

/** Opens the secrets and compiles the rules: once for each version. */
export function toIngressWebhook(keyring: Keyring, row: IngressWebhookRow): IngressWebhook {
  return {
    id: row.id,
    version: row.version,
    active: row.active,
    ownerId: row.owner_id,
    executionMode: row.execution_mode,
    dispatch: row.dispatch,
    syncTimeoutMs: row.sync_timeout_ms ?? undefined,
    idempotencyWindowMs: row.idempotency_window_ms ?? undefined,
    idempotencyPointer: row.idempotency_pointer ?? undefined,
    flow: toIngressFlow(row),
    authentication: toAuthentication(row),
    secrets: row.secrets.map((secret) => ({
      id: secret.id,
      secret: keyring.open(Buffer.from(secret.sealed, 'base64'), sealedFor(secret)).toString('utf8'),
      expiresAtMs: secret.expires_at_ms ?? undefined,
    })),
    workerIds: row.worker_ids,
    rules: compileRules(row.rules),
  };
}

import type { EntityManager } from '@mikro-orm/postgresql';
import type { Dispatch, ExecutionMode } from '../../calls/call-modes.js';
import type { IngressRules } from '../rules/ingress-rules.js';
import { FLOW_COLUMNS, type FlowRow, type FlowView, toFlowView } from '../flow/flow-settings.js';
import { METHOD_DEFAULTS } from '../verify/method-defaults.js';
import { OWN_PROVIDER, type OwnProviderRow, senderOf } from '../providers/stored-provider.js';
import type { Provider } from '../verify/provider/provider.js';
import { headerOf } from '../verify/provider/providers.js';
import type { AuthenticationMethod } from '../webhook.entity.js';

/** A secret as lists show it: never its text. */
export interface SecretVersionView {
  /** A UUID. */
  readonly id: string;
  readonly version: number;
  /** The last characters. */
  readonly hint: string;
  readonly state: 'active' | 'retiring' | 'revoked';
  readonly createdAt: Date;
  /** When it ends or ended; `null` while it is active. */
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** How callers authenticate, defaults filled in. */
export interface AuthenticationView {
  readonly method: AuthenticationMethod;
  readonly headerName: string;
  readonly headerPrefix: string;
  /** The sender's id, for the method PROVIDER. */
  readonly provider: string | null;
  /** What that id stands for. */
  readonly sender?: Provider | undefined;
}

/** A webhook as the admin API shows it. Ids are UUIDs, but the workers'. */
export interface WebhookView {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly active: boolean;
  readonly executionMode: ExecutionMode;
  readonly dispatch: Dispatch;
  /** `null`: the setting of the installation. */
  readonly syncTimeoutMs: number | null;
  readonly authentication: AuthenticationView;
  /** `null`: the setting of the installation. */
  readonly idempotencyWindowMs: number | null;
  readonly idempotencyPointer: string | null;
  /** `null`: it has no callback. */
  readonly callback: { readonly url: string; readonly secretHint: string } | null;
  readonly rules: IngressRules;
  /** `null`: its calls run as they come. */
  readonly flow: FlowView | null;
  /** In the order of running. */
  readonly workerIds: readonly string[];
  /** The newest first; ended ones too, ten in all. */
  readonly secrets: readonly SecretVersionView[];
  readonly version: number;
  readonly ownerId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface WebhookRow extends FlowRow {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly active: boolean;
  readonly execution_mode: ExecutionMode;
  readonly dispatch: Dispatch;
  readonly sync_timeout_ms: number | null;
  readonly auth_method: AuthenticationMethod;
  readonly auth_header_name: string | null;
  readonly auth_header_prefix: string | null;
  readonly auth_provider: string | null;
  readonly own_provider: OwnProviderRow | null;
  readonly idempotency_window_ms: number | null;
  readonly idempotency_pointer: string | null;
  readonly callback: { readonly url: string; readonly secretHint: string } | null;
  readonly rules: IngressRules;
  readonly owner_id: string;
  readonly version: number;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly worker_ids: readonly string[];
  readonly secrets: readonly SecretRow[];
}

interface SecretRow {
  readonly id: string;
  readonly version: number;
  readonly hint: string;
  readonly created_ms: number;
  readonly ends_ms: number | null;
  readonly ended: boolean;
  readonly used_ms: number | null;
}

const ms = (column: string): string => `floor(extract(epoch from ${column}) * 1000)::float8`;

const SECRETS_SHOWN_MAX = 10;

/** What a statement selects `from webhooks w`, so that webhook, workers and secrets are of one moment. */
export const WEBHOOK_COLUMNS = `
  w.id, w.name, w.description, w.active, w.execution_mode, w.dispatch, w.sync_timeout_ms, w.auth_method,
  w.auth_header_name, w.auth_header_prefix, w.auth_provider, ${OWN_PROVIDER}, w.idempotency_window_ms, w.idempotency_pointer, w.rules, w.owner_id, w.version,
  ${FLOW_COLUMNS}, ${ms('w.created_at')} as created_ms, ${ms('w.updated_at')} as updated_ms,
  (select json_build_object('url', k.url, 'secretHint', k.hint) from webhook_callbacks k where k.webhook_id = w.id) as callback,
  array(select worker_id from webhook_workers where webhook_id = w.id order by position) as worker_ids,
  array(select json_build_object('id', s.id, 'version', s.version, 'hint', s.hint, 'created_ms', ${ms('s.created_at')},
      'ends_ms', ${ms('least(s.expires_at, s.revoked_at)')},
      'ended', s.revoked_at is not null or coalesce(s.expires_at <= clock_timestamp(), false),
      'used_ms', ${ms('s.last_used_at')})
    from webhook_secrets s where s.webhook_id = w.id order by s.version desc limit ${SECRETS_SHOWN_MAX}) as secrets`;

export function toWebhookView(row: WebhookRow): WebhookView {
  const defaults = METHOD_DEFAULTS[row.auth_method];
  const sender = senderOf(row.auth_provider, row.own_provider);
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    active: row.active,
    executionMode: row.execution_mode,
    dispatch: row.dispatch,
    syncTimeoutMs: row.sync_timeout_ms,
    authentication: {
      method: row.auth_method,
      headerName: sender === undefined ? (row.auth_header_name ?? defaults.headerName) : headerOf(sender),
      headerPrefix: row.auth_header_prefix ?? defaults.headerPrefix,
      provider: row.auth_provider,
      sender,
    },
    idempotencyWindowMs: row.idempotency_window_ms,
    idempotencyPointer: row.idempotency_pointer,
    callback: row.callback,
    rules: row.rules,
    flow: toFlowView(row),
    workerIds: row.worker_ids,
    secrets: row.secrets.map(toSecretVersionView),
    version: row.version,
    ownerId: row.owner_id,
    createdAt: new Date(row.created_ms),
    updatedAt: new Date(row.updated_ms),
  };
}

function toSecretVersionView(row: SecretRow): SecretVersionView {
  const { id, version, hint } = row;
  return {
    id,
    version,
    hint,
    state: row.ended ? 'revoked' : row.ends_ms === null ? 'active' : 'retiring',
    createdAt: new Date(row.created_ms),
    expiresAt: dateOf(row.ends_ms),
    lastUsedAt: dateOf(row.used_ms),
  };
}

function dateOf(unixMs: number | null): Date | null {
  return unixMs === null ? null : new Date(unixMs);
}

/** Reads one webhook as the transaction sees it: what was just changed, flushed and not yet committed. */
export async function readChangedWebhook(em: EntityManager, id: string): Promise<WebhookView> {
  const [row] = await em.execute<WebhookRow[]>(`select ${WEBHOOK_COLUMNS} from webhooks w where w.id = ?`, [id]);
  return toWebhookView(row!);
}

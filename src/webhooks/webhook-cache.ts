import { LRUCache } from 'lru-cache';
import type { Sql } from '../db/database.js';
import { topics } from '../events/event.js';
import type { EventHub } from '../events/event-hub.js';
import type { Clock } from '../lib/clock.js';
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
  /** The accept transaction proves that this is still the newest version. */
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

export interface WebhookCacheOptions {
  readonly sql: Sql;
  readonly hub: EventHub;
  readonly keyring: Keyring;
  readonly clock: Clock;
  /** Whether events arrive now. While they don't, nothing is taken from the cache. */
  readonly listening: () => boolean;
}

interface Entry {
  readonly loading: Promise<IngressWebhook | undefined>;
  /** Set once it is loaded. */
  read: { readonly webhook: IngressWebhook | undefined } | undefined;
}

const ENTRIES_MAX = 10_000;

/** Even with events, an entry is read again after this long. */
const TTL_MS = 60_000;

/**
 * The webhooks as the ingress needs them. Any change publishes `webhook-changed`, which drops the entry in every
 * process. Ids that don't exist are kept too, so that a flood of guesses costs PostgreSQL nothing.
 */
export class WebhookCache {
  readonly #options: WebhookCacheOptions;
  readonly #entries: LRUCache<string, Entry>;
  readonly #stop: () => void;

  constructor(options: WebhookCacheOptions) {
    this.#options = options;
    const perf = { now: () => options.clock.monotonicMs() };
    this.#entries = new LRUCache({ max: ENTRIES_MAX, ttl: TTL_MS, ttlResolution: 0, perf });
    this.#stop = options.hub.listen([topics.webhooks], (notification) => {
      if (notification.kind === 'webhook-changed') this.#entries.delete(notification.webhookId);
      else this.#entries.clear();
    });
  }

  /** @param id a UUID. Deleted webhooks are as if they had never been. */
  get(id: string): Promise<IngressWebhook | undefined> {
    const known = this.#options.listening() ? this.#entries.get(id) : undefined;
    if (known !== undefined) return known.loading;
    const loading = readIngressWebhook(this.#options.sql, this.#options.keyring, id);
    const entry: Entry = { loading, read: undefined };
    this.#entries.set(id, entry);
    loading.then(
      (webhook) => (entry.read = { webhook }),
      () => this.#entries.delete(id), // a failed read is not an answer to keep
    );
    return loading;
  }

  /**
   * What the cache has of a webhook, at once and however old it is: for what an accept proves anew.
   *
   * @returns `undefined` when nothing has been read.
   */
  peek(id: string): { readonly webhook: IngressWebhook | undefined } | undefined {
    return this.#entries.get(id)?.read;
  }

  /** Whether what `get` gives comes from the cache and was read longer ago than this, in milliseconds. */
  isOlderThan(id: string, ageMs: number): boolean {
    return this.#entries.has(id) && TTL_MS - this.#entries.getRemainingTTL(id) > ageMs;
  }

  /** Forgets one webhook: the accept transaction found that the entry is stale. */
  drop(id: string): void {
    this.#entries.delete(id);
  }

  close(): void {
    this.#stop();
    this.#entries.clear();
  }
}

interface WebhookRow extends AuthenticationRow, FlowRow {
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
  select w.version, w.active, w.owner_id, w.execution_mode, w.dispatch, w.sync_timeout_ms,
    ${AUTHENTICATION_COLUMNS}, w.idempotency_window_ms, w.idempotency_pointer, w.rules,
    ${FLOW_COLUMNS},
    array(select worker_id from webhook_workers where webhook_id = w.id order by position) as worker_ids,
    (select coalesce(json_agg(json_build_object('id', s.id, 'version', s.version, 'sealed', encode(s.sealed, 'base64'),
        'expires_at_ms', floor(extract(epoch from s.expires_at) * 1000)) order by s.version desc), '[]')
      from webhook_secrets s
      where s.webhook_id = w.id and s.revoked_at is null and (s.expires_at is null or s.expires_at > now())) as secrets
  from webhooks w where w.id = $1 and w.deleted_at is null`;

async function readIngressWebhook(sql: Sql, keyring: Keyring, id: string): Promise<IngressWebhook | undefined> {
  const { rows } = await sql.query<WebhookRow>({ name: 'read-ingress-webhook', text: READ, values: [id] });
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    id,
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

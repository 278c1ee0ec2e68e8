import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../../access/audit.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { callbackUrlFaults, putCallback } from '../../callbacks/callback-settings.js';
import { formatId } from '../../lib/ids.js';
import { descriptionFaults, nameFaults } from '../../lib/text-rules.js';
import { type Outcome, succeeded, type UserError } from '../../lib/user-error.js';
import { adjustDue } from '../../flow/adjust-due.js';
import { holdQueued } from '../../flow/hold-queued.js';
import { replaceSecrets } from '../../secrets/regenerate-secret.js';
import { inUse } from '../../secrets/rotate-secret.js';
import { isInUse, readSecretVersions } from '../../secrets/secret-versions.js';
import { debounceOf, flowColumns, flowFaults } from '../flow/flow-settings.js';
import { type Webhook, WebhookWorkerEntity } from '../webhook.entity.js';
import { lockForChange, writeChange } from './change-webhook.js';
import type { CreateWebhookInput, WebhookDeps } from './create-webhook.js';
import { changedRules, differingRules } from '../rules/ingress-rules.js';
import { rulesFaults } from '../rules/rules-faults.js';
import { providerForUse } from '../providers/provider-for-use.js';
import type { Provider } from '../verify/provider/provider.js';
import { idempotencyFaults } from './idempotency-rules.js';
import { putWorkers } from './put-workers.js';
import { authenticationFaults, DESCRIPTION_CHARACTERS_MAX, syncTimeoutFaults, workerFaults } from './webhook-rules.js';
import { readChangedWebhook, type WebhookView } from './webhook-view.js';

/**
 * What is not there stays as it is. `authentication` is replaced as a whole, but its secret: without one the present
 * secrets stay valid, with one it takes their place at once.
 */
export interface UpdateWebhookInput extends Partial<{
  [K in keyof CreateWebhookInput]: CreateWebhookInput[K] | undefined;
}> {
  /** A UUID. */
  readonly id: string;
  /** The version that the caller has seen. */
  readonly expectedVersion?: number | undefined;
}

export interface UpdatedWebhook {
  readonly webhook: WebhookView;
  /** What its callbacks are signed with, shown this once; only when it got its first callback URL. */
  readonly callbackSecret?: string | undefined;
}

/**
 * Changes a webhook. A change that changes nothing leaves its version as it is.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function updateWebhook(
  deps: WebhookDeps,
  principal: Principal | undefined,
  input: UpdateWebhookInput,
): Promise<Outcome<UpdatedWebhook>> {
  requirePermission(principal, 'webhooks:write');
  const secret = input.authentication?.secret ?? undefined;
  if (secret !== undefined) requirePermission(principal, 'webhooks:rotate-secret');
  return await deps.database.transaction(async (em) => {
    const provider = await providerForUse(em, input.authentication?.provider); // its lock comes before a webhook's
    const webhook = await lockForChange(em, input.id, input.expectedVersion);
    const userErrors = await faultsOf(em, deps, { webhook, provider }, input);
    if (userErrors.length > 0) return { ok: false, userErrors };

    const changed = applyFields(webhook, input);
    if (input.workerIds !== undefined && (await differs(em, webhook.id, input.workerIds))) {
      await putWorkers(em, webhook.id, input.workerIds);
      changed.push('workerIds');
    }
    if (input.flow && changed.some((field) => field.startsWith('flow'))) await holdQueued(em, webhook.id);
    if (changed.some((field) => field.startsWith('flowDebounce'))) await adjustDue(em, webhook.id, debounceOf(webhook));
    if (secret !== undefined) {
      const versions = await readSecretVersions(em, webhook.id);
      if (isInUse(deps, versions, secret)) return { ok: false, userErrors: [inUse(['authentication', 'secret'])] };
      replaceSecrets(em, deps, webhook.id, versions, secret);
      changed.push('secret');
    }
    let callbackSecret: string | undefined;
    if (input.callbackUrl !== undefined) {
      const callback = await putCallback(em, deps.keyring, webhook.id, input.callbackUrl);
      if (callback.changed) changed.push('callbackUrl');
      callbackSecret = callback.secret;
    }
    if (changed.length > 0) {
      await writeChange(em, deps.clock, webhook);
      await recordAudit(em, principal, {
        action: 'webhook.updated',
        subjectId: formatId('webhook', webhook.id),
        details: { changed },
      });
    }
    return succeeded({ webhook: await readChangedWebhook(em, webhook.id), callbackSecret });
  });
}

async function faultsOf(
  em: EntityManager,
  { bodyBytesCeiling }: WebhookDeps,
  { webhook, provider }: { readonly webhook: Webhook; readonly provider: Provider | undefined },
  input: UpdateWebhookInput,
): Promise<readonly UserError[]> {
  return [
    ...(input.name === undefined ? [] : nameFaults(['name'], input.name)),
    ...descriptionFaults(['description'], input.description ?? '', DESCRIPTION_CHARACTERS_MAX),
    ...syncTimeoutFaults(input.syncTimeoutMs ?? null),
    ...idempotencyFaults(input),
    ...callbackUrlFaults(input.callbackUrl),
    ...rulesFaults(input, bodyBytesCeiling),
    ...flowFaults(input.flow),
    ...(input.authentication === undefined
      ? []
      : authenticationFaults(input.authentication, provider, webhook.authProvider ?? null)),
    ...(input.workerIds === undefined ? [] : await workerFaults(em, input.workerIds)),
  ];
}

/** @returns the names of the fields that have another value now. */
function applyFields(webhook: Webhook, input: UpdateWebhookInput): string[] {
  const { authentication } = input;
  const wanted: Partial<Webhook> = {
    ...(input.name !== undefined && { name: input.name.trim() }),
    ...(input.description !== undefined && { description: input.description }),
    ...(input.active !== undefined && { active: input.active }),
    ...(input.executionMode !== undefined && { executionMode: input.executionMode }),
    ...(input.dispatch !== undefined && { dispatch: input.dispatch }),
    ...(input.syncTimeoutMs !== undefined && { syncTimeoutMs: input.syncTimeoutMs }),
    ...(input.idempotencyWindowMs !== undefined && { idempotencyWindowMs: input.idempotencyWindowMs }),
    ...(input.idempotencyPointer !== undefined && { idempotencyPointer: input.idempotencyPointer }),
    ...(input.flow !== undefined && flowColumns(input.flow)),
    ...(authentication !== undefined && {
      authMethod: authentication.method,
      authHeaderName: authentication.headerName ?? null,
      authHeaderPrefix: authentication.headerPrefix ?? null,
      authProvider: authentication.provider ?? null,
    }),
  };
  const changed = Object.keys(wanted).filter((key) => wanted[key as keyof Webhook] !== webhook[key as keyof Webhook]);
  const rules = changedRules(webhook.rules, input);
  changed.push(...differingRules(webhook.rules, rules));
  Object.assign(webhook, wanted, { rules });
  return changed;
}

async function differs(em: EntityManager, webhookId: string, workerIds: readonly string[]): Promise<boolean> {
  const rows = await em.find(WebhookWorkerEntity, { webhookId }, { orderBy: { position: 'asc' } });
  return rows.length !== workerIds.length || rows.some((row, i) => row.workerId !== workerIds[i]);
}

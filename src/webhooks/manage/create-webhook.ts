import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../../access/audit.js';
import { claimCreationKey, idempotencyKeyFaults } from '../../access/creation-key.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { Dispatch, ExecutionMode } from '../../calls/call-modes.js';
import { callbackUrlFaults, putCallback } from '../../callbacks/callback-settings.js';
import { AppError } from '../../errors.js';
import { publish } from '../../events/publish.js';
import { formatId, newRandomUuid, parseId } from '../../lib/ids.js';
import { descriptionFaults, nameFaults } from '../../lib/text-rules.js';
import { type Outcome, succeeded } from '../../lib/user-error.js';
import { newSecret } from '../../secrets/secret-rules.js';
import { addSecretVersion, type SecretDeps } from '../../secrets/secret-versions.js';
import { flowColumns, flowFaults, type FlowSettings } from '../flow/flow-settings.js';
import { WebhookEntity } from '../webhook.entity.js';
import { changedRules, type IngressRulesInput } from '../rules/ingress-rules.js';
import { rulesFaults } from '../rules/rules-faults.js';
import { providerForUse } from '../providers/provider-for-use.js';
import { idempotencyFaults } from './idempotency-rules.js';
import type { AuthenticationInput } from './authentication-input.js';
import { putWorkers } from './put-workers.js';
import { authenticationFaults, DESCRIPTION_CHARACTERS_MAX, syncTimeoutFaults, workerFaults } from './webhook-rules.js';
import { readChangedWebhook, type WebhookView } from './webhook-view.js';

export interface CreateWebhookInput extends IngressRulesInput {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** In the order of running. */
  readonly workerIds: readonly string[];
  readonly executionMode: ExecutionMode;
  readonly dispatch: Dispatch;
  readonly active: boolean;
  /** `null`: the setting of the installation. */
  readonly syncTimeoutMs?: number | null | undefined;
  readonly authentication: AuthenticationInput;
  /** How long a repeated call is known; `null`: the setting of the installation. */
  readonly idempotencyWindowMs?: number | null | undefined;
  /** RFC 6901: where a body has the id by which a repeat is known. */
  readonly idempotencyPointer?: string | null | undefined;
  /** Where the end of each call is told; `null`: nowhere. */
  readonly callbackUrl?: string | null | undefined;
  /** Which of its calls may run when; `null`: they run as they come. */
  readonly flow?: FlowSettings | null | undefined;
  /** Asked again with the same one within 24 hours, the same webhook is given. */
  readonly idempotencyKey?: string | null | undefined;
}

/** What changing a webhook needs. */
export interface WebhookDeps extends SecretDeps {
  /** The largest body that a webhook may ask for, in bytes. */
  readonly bodyBytesCeiling: number;
}

export interface CreatedWebhook {
  readonly webhook: WebhookView;
  /** Shown this once: not to a repeat, or a key would be a way to see a secret in use. */
  readonly secret?: string | undefined;
  /** What its callbacks are signed with, shown this once; only of a webhook with a callback URL. */
  readonly callbackSecret?: string | undefined;
}

/**
 * Creates a webhook with its first secret; it takes calls from the COMMIT on.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND when what its key has made is deleted.
 */
export async function createWebhook(
  deps: WebhookDeps,
  principal: Principal | undefined,
  input: CreateWebhookInput,
): Promise<Outcome<CreatedWebhook>> {
  requirePermission(principal, 'webhooks:write');
  const { authentication, idempotencyKey } = input;
  return await deps.database.transaction(async (em) => {
    const userErrors = [
      ...nameFaults(['name'], input.name),
      ...descriptionFaults(['description'], input.description ?? '', DESCRIPTION_CHARACTERS_MAX),
      ...syncTimeoutFaults(input.syncTimeoutMs ?? null),
      ...idempotencyFaults(input),
      ...callbackUrlFaults(input.callbackUrl),
      ...rulesFaults(input, deps.bodyBytesCeiling),
      ...flowFaults(input.flow),
      ...authenticationFaults(authentication, await providerForUse(em, authentication.provider)),
      ...(await workerFaults(em, input.workerIds)),
      ...idempotencyKeyFaults(idempotencyKey),
    ];
    if (userErrors.length > 0) return { ok: false, userErrors };

    const fields = {
      name: input.name.trim(),
      description: input.description ?? null,
      active: input.active,
      executionMode: input.executionMode,
      dispatch: input.dispatch,
      syncTimeoutMs: input.syncTimeoutMs ?? null,
      authMethod: authentication.method,
      authHeaderName: authentication.headerName ?? null,
      authHeaderPrefix: authentication.headerPrefix ?? null,
      authProvider: authentication.provider ?? null,
      idempotencyWindowMs: input.idempotencyWindowMs ?? null,
      idempotencyPointer: input.idempotencyPointer ?? null,
      rules: changedRules({}, input),
      ...flowColumns(input.flow),
    };
    const id = newRandomUuid(); // it stands in the URL, so it must not be guessed
    if (idempotencyKey !== undefined && idempotencyKey !== null) {
      const before = await claimCreationKey(em, principal, {
        key: idempotencyKey,
        kind: 'webhook',
        // What is to be stored: left out, null or as it is by default are the same.
        input: { ...fields, workerIds: input.workerIds, callbackUrl: input.callbackUrl ?? null },
        subjectId: formatId('webhook', id),
      });
      if (!before.ok) return before;
      if (before.value !== undefined) return succeeded({ webhook: await madeBefore(em, before.value) });
    }
    const now = new Date(deps.clock.nowMs());
    em.persist(
      em.create(WebhookEntity, {
        id,
        ...fields,
        paused: false,
        ownerId: principal.userId,
        version: 1,
        createdAt: now,
        updatedAt: now,
        deletedAt: null,
      }),
    );
    await em.flush(); // the other rows refer to this one
    const secret = authentication.secret ?? newSecret();
    addSecretVersion(em, deps, id, 1, secret);
    await em.flush();
    await putWorkers(em, id, input.workerIds);
    const { secret: callbackSecret } = await putCallback(em, deps.keyring, id, input.callbackUrl ?? null);
    const webhook = await readChangedWebhook(em, id);
    await publish(em, [{ kind: 'webhook-changed', webhookId: id }]);
    await recordAudit(em, principal, {
      action: 'webhook.created',
      subjectId: formatId('webhook', id),
      details: { name: webhook.name, workerIds: webhook.workerIds, method: authentication.method },
    });
    return succeeded({ webhook, secret, callbackSecret });
  });
}

async function madeBefore(em: EntityManager, webhookId: string): Promise<WebhookView> {
  const id = parseId('webhook', webhookId)!;
  const there = await em.execute<unknown[]>('select 1 from webhooks where id = ? and deleted_at is null', [id]);
  if (there.length === 0) throw new AppError('NOT_FOUND', 'The webhook that was made with this key is deleted.');
  return await readChangedWebhook(em, id);
}

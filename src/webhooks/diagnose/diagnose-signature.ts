import { LRUCache } from 'lru-cache';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { AppError } from '../../errors.js';
import type { Clock } from '../../lib/clock.js';
import { webhookPath } from '../webhook-path.js';
import { Budget } from './budget.js';
import { diagnose } from './diagnose.js';
import type { Diagnosis, KnownSecret } from './diagnosis.js';
import type { ExplainerDeps } from './explain-rejection.js';
import { readDiagnosedWebhook } from './read-diagnosed-webhook.js';

/** A person waits for it: up to some 50 ms. */
const TRIES_MAX = 3_000;
const BYTES_MAX = 32 * 1_048_576;

/** Enough to look for a mistake; not enough to try secrets. */
const PER_MINUTE_MAX = 30;
const MINUTE_MS = 60_000;

/** Users whose questions are remembered at once. */
const USERS_MAX = 1_000;

/** A request as it came, or would have come. */
export interface RequestToDiagnose {
  /** A UUID. */
  readonly webhookId: string;
  readonly method: string;
  /** What was called, as a whole; without it the webhook's own URL. */
  readonly url: string | undefined;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** When it came; now without it. */
  readonly at: Date | undefined;
}

export interface SignatureDiagnosis extends Diagnosis {
  /** The versions of the secret that were compared, the newest first. */
  readonly checkedSecrets: readonly Pick<KnownSecret, 'version' | 'hint' | 'status'>[];
}

/**
 * Says what is wrong with a request that somebody has at hand.
 *
 * It tells whether a secret or a signature is right, so it is for those who may replace the secret anyway, 30 times a
 * minute a user in each process: online guesses stay hopeless. It changes nothing and reveals nothing, so it is not
 * audited.
 */
export class SignatureDesk {
  readonly #deps: ExplainerDeps & { readonly clock: Clock; readonly publicUrl: () => string };
  /** When each user asked within the last minute, Unix milliseconds, the oldest first. */
  readonly #asked = new LRUCache<string, readonly number[]>({ max: USERS_MAX });

  constructor(deps: ExplainerDeps & { readonly clock: Clock; readonly publicUrl: () => string }) {
    this.#deps = deps;
  }

  /** @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, RATE_LIMITED, BAD_USER_INPUT for a URL that is none. */
  async diagnose(
    principal: Principal | undefined,
    { webhookId, method, url, rawHeaders, body, at }: RequestToDiagnose,
  ): Promise<SignatureDiagnosis> {
    requirePermission(principal, 'webhooks:write');
    const { clock } = this.#deps;
    this.#count(principal.userId, clock.nowMs());
    const nowMs = at?.getTime() ?? clock.nowMs();
    const called = url === undefined ? undefined : parseUrl(url);
    const webhook = await readDiagnosedWebhook(this.#deps, webhookId, nowMs);
    if (webhook === undefined) throw new AppError('NOT_FOUND', 'There is no such webhook.');
    const publicUrl = this.#deps.publicUrl();
    const target = called?.target ?? webhookPath(webhookId);
    const request = { method, publicUrl, target, rawHeaders, body };
    const budget = new Budget(TRIES_MAX, BYTES_MAX);
    const found = diagnose(webhook, request, { nowMs, budget, calledOrigin: called?.origin });
    return {
      ...found,
      checkedSecrets: webhook.secrets.map(({ version, hint, status }) => ({ version, hint, status })),
    };
  }

  #count(userId: string, nowMs: number): void {
    const recent = (this.#asked.get(userId) ?? []).filter((askedMs) => askedMs > nowMs - MINUTE_MS);
    if (recent.length >= PER_MINUTE_MAX) {
      throw new AppError('RATE_LIMITED', `At most ${PER_MINUTE_MAX} signatures are diagnosed a minute.`, {
        retryable: true,
        retryAfterMs: recent[0]! + MINUTE_MS - nowMs,
      });
    }
    this.#asked.set(userId, [...recent, nowMs]);
  }
}

function parseUrl(url: string): { readonly origin: string; readonly target: string } {
  const [, origin, target] = /^(https?:\/\/[^/?#\s]+)([/?][^#\s]*)?$/i.exec(url) ?? [];
  if (origin === undefined || !URL.canParse(url)) {
    throw new AppError('BAD_USER_INPUT', 'The URL must be whole: https://, a host, a path and its query.');
  }
  return { origin, target: target ?? '/' };
}

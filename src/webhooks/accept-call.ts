import { AppError } from '../errors.js';
import type { Repeat } from '../calls/idempotency.js';
import type { CallToStore, StoreResult } from '../calls/store-calls.js';
import type { Explain, RejectedCallRecorder } from '../calls/rejected-calls.js';
import type { ExecutionView } from '../executions/execution-view.js';
import type { CallWait } from '../executions/wait-for.js';
import type { FlowDesk } from '../flow/flow-desk.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { formatId, newUuidV7 } from '../lib/ids.js';
import type { CallLimiter } from '../rate-limits/limiter.js';
import type { SecretUsage } from '../secrets/secret-usage.js';
import type { InputFault } from '../workers/worker-run.js';
import type { AcceptedCall, AcceptOutcome, IncomingCall } from './accept-outcome.js';
import { readIdempotencyKey } from './idempotency-key.js';
import { type AcceptedForms, parseBody } from './parse-body.js';
import { parseWebhookId } from './parse-webhook-id.js';
import { type AnswerPlan, planAnswer } from './plan-answer.js';
import { modelLimitedMs } from './model-limited.js';
import { noteRejected, type Refusal, REJECTION_CODES } from './note-rejected.js';
import { barredBy } from './rules/barred-by.js';
import { recordedHeaders } from './verify/incoming-headers.js';
import { answerHandshake } from './verify/provider/handshake.js';
import { tokenHeaderOf } from './verify/provider/providers.js';
import type { ProviderRequest } from './verify/provider/provider.js';
import { verifyProvider } from './verify/provider/verify-provider.js';
import { type Verification, verifyCredential } from './verify/verify-credential.js';
import { DECOY_WEBHOOK } from './verify/decoy.js';
import type { IngressWebhook, WebhookCache } from './webhook-cache.js';

export interface AcceptCallOptions {
  readonly webhooks: WebhookCache;
  readonly limiter: CallLimiter;
  readonly rejectedCalls: RejectedCallRecorder;
  /** Prepares the precise reason of a call that was not authenticated, for the webhook (a UUID). */
  readonly explain: (webhookId: string, request: ProviderRequest, receivedAtMs: number) => Explain | undefined;
  readonly secretUsage: SecretUsage;
  /** Stores with others in one transaction; resolves after COMMIT. */
  readonly store: (call: CallToStore) => Promise<StoreResult>;
  /** Takes note of how long a call took from coming in to its COMMIT, in milliseconds. Never throws, never waits. */
  readonly noteTime: (webhookId: string, durationMs: number) => void;
  /** Lets calls under flow control go when it is their turn. */
  readonly flow: Pick<FlowDesk, 'enter' | 'positionOf'>;
  readonly validateInput: (workerIds: readonly string[], inputParams: unknown) => Promise<readonly InputFault[]>;
  /**
   * Subscribes to a call's end. Called before the commit, so that no end is missed; for one that is stored already,
   * `isStored` says so.
   */
  readonly beginWait: (callId: string, isStored: boolean) => CallWait;
  /** The base of our URLs as senders know them, without a trailing slash. */
  readonly publicUrl: () => string;
  /** Records that a call is answered 429 for want of room at a model, and forgets its idempotency key. */
  readonly releaseLimited: (callId: string, keyHash: Buffer | undefined) => Promise<void>;
  /** Records that a caller was answered before its call ended. Never throws, never waits. */
  readonly noteDeadline: (callId: string) => void;
  readonly syncTimeoutMs: number;
  /** The most that a caller can make a call wait (`Prefer: wait`), in milliseconds. */
  readonly preferWaitMsMax: number;
  /** How long a repeated call is known, in milliseconds, when its webhook does not say. */
  readonly idempotencyWindowMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** After how long a caller may try again when the database is away. */
const RETRY_AFTER_MS = 2_000;

/** A cached webhook that is older than this is read again before a call is refused because of it. */
const REFUSE_BY_MS_MAX = 1_000;

/** A webhook that changes while a call is on its way is looked up again this often before the call is refused. */
const STALE_RETRIES_MAX = 3;

/** Of a credential that came from where none may come. */
const NOT_LOOKED_AT: Verification = { verified: false, reason: 'the credential was not looked at' };

/** The ingress's use case: one POST in, one outcome out. Never throws for anything that a caller can send. */
export class AcceptCall {
  readonly #options: AcceptCallOptions;
  readonly #waits = new Set<CallWait>();
  #released = false;

  constructor(options: AcceptCallOptions) {
    this.#options = options;
  }

  /** Ends every wait for a result, now and from now on: callers get the answer that they would get at their deadline. */
  releaseWaits(): void {
    this.#released = true;
    for (const wait of this.#waits) wait.cancel();
  }

  async accept(incoming: IncomingCall): Promise<AcceptOutcome> {
    const id = parseWebhookId(incoming.webhookId);
    if (id === undefined) return { type: 'malformed-id' };
    const startedMs = this.#options.clock.monotonicMs();
    try {
      for (let retry = 0; retry < STALE_RETRIES_MAX; retry += 1) {
        const outcome = await this.#acceptFor(id, incoming, startedMs);
        if (outcome !== 'stale') return outcome;
        this.#options.webhooks.drop(id);
      }
      return { type: 'unavailable', retryAfterMs: RETRY_AFTER_MS };
    } catch (error) {
      if (error instanceof AppError && error.code === 'OVERLOADED') {
        return { type: 'overloaded', retryAfterMs: error.retryAfterMs ?? RETRY_AFTER_MS };
      }
      // Whatever broke, no commit was confirmed: never a 2xx, and the caller is told to come again.
      this.#options.log.error({ err: error }, 'a call could not be stored');
      return { type: 'unavailable', retryAfterMs: RETRY_AFTER_MS };
    }
  }

  async #acceptFor(webhookId: string, incoming: IncomingCall, startedMs: number): Promise<AcceptOutcome | 'stale'> {
    const { webhooks, limiter, clock } = this.#options;
    const known = await webhooks.get(webhookId);
    const webhook = known ?? DECOY_WEBHOOK;
    const receivedAtMs = clock.nowMs();
    const { provider } = webhook.authentication;
    if (incoming.method === 'GET' && provider?.handshake !== 'meta-subscribe') return { type: 'method-not-allowed' };
    const barred = known === undefined || incoming.isTest ? undefined : barredBy(webhook, incoming);
    const verification = barred ? NOT_LOOKED_AT : this.#verify(webhook, incoming, receivedAtMs);
    // A change is heard of a moment after its commit: what it has just let in must not be refused in that moment.
    const refused = known === undefined || !verification.verified || !webhook.active;
    if (refused && webhooks.isOlderThan(webhookId, REFUSE_BY_MS_MAX)) return 'stale';
    if (known === undefined) return { type: 'not-found' };

    const reject = (outcome: AcceptOutcome, refusal: Refusal): AcceptOutcome => {
      const code = REJECTION_CODES[outcome.type];
      noteRejected(this.#options.rejectedCalls, webhook, incoming, { code, ...refusal });
      return outcome;
    };
    if (barred !== undefined) return reject(barred.outcome, barred.refusal);
    const handshake = this.#answerHandshake(webhook, incoming, verification, receivedAtMs);
    if (handshake !== undefined) return handshake;
    if (!verification.verified || incoming.method === 'GET') {
      const unauthenticated = { outcome: 'REJECTED_AUTHENTICATION', httpStatus: 401 } as const;
      const refusal: Refusal =
        verification.verified || incoming.method === 'GET'
          ? { ...unauthenticated, reason: 'the verify token is wrong', code: 'VERIFY_TOKEN_WRONG' }
          : {
              ...unauthenticated,
              reason: verification.reason,
              explain: this.#explain(webhook, incoming, receivedAtMs),
            };
      return reject({ type: 'unauthenticated', webhookId }, refusal);
    }
    this.#options.secretUsage.note(verification.secretId);
    if (!webhook.active) {
      const reason = 'the webhook is not active';
      return reject({ type: 'inactive', webhookId }, { outcome: 'REJECTED_INACTIVE', httpStatus: 403, reason });
    }
    const taken = limiter.take({ webhookId, ownerId: webhook.ownerId });
    const decision = taken instanceof Promise ? await taken : taken; // no turn of the event loop when quota is left
    if (!decision.allowed) {
      const { refusal } = decision;
      const reason = `the ${refusal.policy} limit of ${refusal.perMinute} calls a minute is exhausted`;
      return reject({ type: 'rate-limited', webhookId, refusal }, { outcome: 'RATE_LIMITED', httpStatus: 429, reason });
    }
    const parsed = parseBody(incoming.rawHeaders, incoming.body, acceptedForms(webhook));
    const passes = !('fault' in parsed) && this.#passesFilter(webhook, incoming, parsed.inputParams);
    // No commit proves these two either: by rules that are a second old nothing is turned away, or lost by a filter.
    if (!passes && webhooks.isOlderThan(webhookId, REFUSE_BY_MS_MAX)) return 'stale';
    if ('fault' in parsed) {
      const { fault: type, detail } = parsed;
      const httpStatus = type === 'malformed-body' ? 400 : 415;
      return reject({ type, webhookId, detail }, { outcome: 'REJECTED_MALFORMED', httpStatus, reason: detail });
    }
    if (!passes) {
      const refusal: Refusal = { outcome: 'IGNORED', httpStatus: 200, reason: 'the filter does not take it' };
      return reject({ type: 'ignored', webhookId, executionMode: webhook.executionMode }, refusal);
    }
    const faults = await this.#options.validateInput(webhook.workerIds, parsed.inputParams);
    if (faults.length > 0) {
      const reason = faults.map((fault) => `${fault.workerId} ${fault.pointer || '/'}: ${fault.message}`).join('; ');
      return reject(
        { type: 'invalid-input', webhookId, faults },
        { outcome: 'REJECTED_INPUT', httpStatus: 400, reason },
      );
    }
    const idempotency = readIdempotencyKey({
      webhook,
      rawHeaders: incoming.rawHeaders,
      body: parsed.body,
      inputParams: parsed.inputParams,
      windowMs: this.#options.idempotencyWindowMs,
    });
    if (idempotency === 'malformed') {
      const reason = 'the Idempotency-Key header is not well-formed';
      const outcome = 'REJECTED_MALFORMED';
      return reject({ type: 'malformed-idempotency-key', webhookId }, { outcome, httpStatus: 400, reason });
    }
    const planned = planAnswer(webhook, incoming.rawHeaders, this.#options);
    // Nothing runs until somebody resumes the webhook, so nobody waits for it.
    const plan = webhook.flow?.paused === true ? { executionMode: planned.executionMode, waitMs: 0 } : planned;
    const kept = parsed.body === incoming.body ? incoming : { ...incoming, body: parsed.body };
    const flow = webhook.flow?.enter(parsed.body, parsed.inputParams);
    const call = callToStore(webhook, kept, receivedAtMs, plan, { idempotency, flow });
    const result = await this.#storeAndAwait(call, plan, startedMs);
    if (result === 'stale' || 'type' in result) return result;
    const firstCallId = formatId('call', result.callId);
    if (!result.sameBody) {
      const reason = `the idempotency key of ${firstCallId}, with another body`;
      return reject(
        { type: 'idempotency-mismatch', webhookId },
        { outcome: 'REJECTED_INPUT', httpStatus: 422, reason },
      );
    }
    // The answer is that of the first call, whatever it will be.
    const refusal: Refusal = { outcome: 'DUPLICATE', httpStatus: null, reason: `a repeat of ${firstCallId}` };
    noteRejected(this.#options.rejectedCalls, webhook, incoming, refusal);
    return await this.#answerRepeat(call, result, plan);
  }

  #verify({ authentication, secrets }: IngressWebhook, incoming: IncomingCall, nowMs: number): Verification {
    const { provider } = authentication;
    return provider === undefined
      ? verifyCredential(authentication, secrets, incoming.rawHeaders, incoming.body, nowMs)
      : verifyProvider(provider, secrets, { ...incoming, publicUrl: this.#options.publicUrl() }, nowMs);
  }

  #explain({ id }: IngressWebhook, incoming: IncomingCall, receivedAtMs: number): Explain | undefined {
    const { method, target, rawHeaders, body } = incoming;
    const request = { method, target, rawHeaders, body, publicUrl: this.#options.publicUrl() };
    return this.#options.explain(id, request, receivedAtMs);
  }

  #passesFilter(webhook: IngressWebhook, { rawHeaders }: IncomingCall, input: unknown): boolean {
    const { filter } = webhook.rules;
    if (filter === undefined) return true;
    return filter.passes({ input, rawHeaders, secretHeader: secretHeaderOf(webhook) }, (reason) =>
      this.#options.log.warn({ webhookId: webhook.id, reason }, 'a filter failed, so calls pass it'),
    );
  }

  #answerHandshake(
    webhook: IngressWebhook,
    incoming: IncomingCall,
    verification: Verification,
    nowMs: number,
  ): AcceptOutcome | undefined {
    const { provider } = webhook.authentication;
    if (provider?.handshake === undefined) return undefined;
    const secrets = webhook.secrets.filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs);
    const verifiedBy = verification.verified ? secrets.find(({ id }) => id === verification.secretId) : undefined;
    const request = { ...incoming, publicUrl: this.#options.publicUrl() };
    const answer = answerHandshake(provider, request, {
      webhookId: webhook.id,
      verifiedBy: verifiedBy?.secret,
      secrets: secrets.map(({ secret }) => secret),
    });
    if (answer === undefined) return undefined;
    const refusal: Refusal = { outcome: 'HANDSHAKE', httpStatus: answer.status, reason: provider.handshake };
    noteRejected(this.#options.rejectedCalls, webhook, incoming, refusal);
    return { type: 'handshake', webhookId: webhook.id, answer };
  }

  async #storeAndAwait(
    call: CallToStore,
    plan: AnswerPlan,
    startedMs: number,
  ): Promise<AcceptOutcome | 'stale' | Repeat> {
    const wait = this.#beginWait(call.callId, plan, false);
    try {
      const result = await this.#options.store(call);
      if (result !== 'stored') return result;
      this.#options.noteTime(call.webhookId, this.#options.clock.monotonicMs() - startedMs);
      const keyHash = call.idempotency?.keyHash;
      if (call.flow === undefined) return await this.#answer(call, plan, wait, keyHash);
      return await this.#answer(at(call, await this.#options.flow.enter(call)), plan, wait, keyHash);
    } finally {
      this.#endWait(wait);
    }
  }

  /** A sync caller waits for the first call's results, as if it were that call's. */
  async #answerRepeat(call: CallToStore, { callId, executions }: Repeat, plan: AnswerPlan): Promise<AcceptOutcome> {
    const { webhookId, executionMode } = call;
    const wait = this.#beginWait(callId, plan, true);
    try {
      const first: AcceptedCall = { callId, webhookId, executionMode, executions, isRepeat: true };
      if (call.flow === undefined) return await this.#answer(first, plan, wait);
      return await this.#answer(at(first, await this.#options.flow.positionOf(callId)), plan, wait);
    } finally {
      this.#endWait(wait);
    }
  }

  async #answer(
    call: AcceptedCall,
    plan: AnswerPlan,
    wait: CallWait | undefined,
    keyHash?: Buffer,
  ): Promise<AcceptOutcome> {
    const { preferenceApplied } = plan;
    const accepted = preferenceApplied === undefined ? call : { ...call, preferenceApplied };
    if (wait === undefined) return { type: 'accepted', call: accepted };
    const executions = await wait.finished(this.#released ? 0 : plan.waitMs);
    // To its sender a call whose place another one took is no failure: it would send it again.
    if (executions?.every(({ error }) => error?.code === 'SUPERSEDED')) return { type: 'accepted', call: accepted };
    if (executions !== undefined) return await this.#ended(accepted, executions, keyHash);
    // What a repeat was answered says nothing of the first call, whose caller may still wait.
    if (call.isRepeat === undefined) this.#options.noteDeadline(call.callId);
    if (accepted.queuePosition === undefined) return { type: 'deadline', call: accepted };
    return { type: 'deadline', call: at(accepted, await this.#options.flow.positionOf(call.callId)) };
  }

  async #ended(
    call: AcceptedCall,
    executions: readonly ExecutionView[],
    keyHash: Buffer | undefined,
  ): Promise<AcceptOutcome> {
    const retryAfterMs = modelLimitedMs(executions, this.#options.clock.nowMs());
    if (retryAfterMs === undefined) return { type: 'completed', call, executions };
    await this.#options
      .releaseLimited(call.callId, keyHash)
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'a limited call was not released'));
    return { type: 'model-limited', call, executions, retryAfterMs };
  }

  #beginWait(callId: string, { executionMode }: AnswerPlan, isStored: boolean): CallWait | undefined {
    if (executionMode !== 'SYNC') return undefined;
    const wait = this.#options.beginWait(callId, isStored);
    this.#waits.add(wait);
    return wait;
  }

  #endWait(wait: CallWait | undefined): void {
    if (wait === undefined) return;
    this.#waits.delete(wait);
    wait.cancel();
  }
}

/** What a webhook's bodies may be besides a JSON object. */
export function acceptedForms({ authentication, rules }: IngressWebhook): AcceptedForms | undefined {
  const { provider } = authentication;
  return rules.acceptAnyJson ? { ...provider, acceptAnyJson: true } : provider;
}

/** The header that carries the webhook's secret itself, in lower case; a signature is none. */
function secretHeaderOf({ authentication }: IngressWebhook): string | undefined {
  const { headerName, method, provider } = authentication;
  if (provider !== undefined) return tokenHeaderOf(provider);
  return method === 'HMAC_SIGNATURE' ? undefined : headerName;
}

/** A place that can't be said now is left out: the call is stored all the same. */
function at(call: AcceptedCall, queuePosition: number | undefined): AcceptedCall {
  return { ...call, queuePosition };
}

/** Makes what is stored of a call to a webhook: it begins the webhook's workers. */
export function callToStore(
  webhook: IngressWebhook,
  incoming: IncomingCall,
  receivedAtMs: number,
  { executionMode }: Pick<AnswerPlan, 'executionMode'>,
  more: Pick<CallToStore, 'idempotency' | 'flow'>,
): CallToStore {
  return {
    callId: newUuidV7(receivedAtMs),
    webhookId: webhook.id,
    webhookVersion: webhook.version,
    receivedAtMs,
    executionMode,
    dispatch: webhook.dispatch,
    isTest: incoming.isTest,
    sourceIp: incoming.sourceIp,
    headersJson: JSON.stringify(recordedHeaders(incoming.rawHeaders, secretHeaderOf(webhook))),
    body: incoming.body,
    executions: webhook.workerIds.map((workerId) => ({ executionId: newUuidV7(receivedAtMs), workerId })),
    ...more,
  };
}

import { AppError } from '../errors.js';
import type { IdempotencyKey, Repeat } from '../calls/idempotency.js';
import { formatId } from '../lib/ids.js';
import { SparseLog } from '../lib/sparse-log.js';
import type { LimitDecision, LimitRefusal } from '../rate-limits/limiter.js';
import type { AcceptCallOptions } from './accept-options.js';
import type { AcceptedCall, AcceptOutcome, IncomingCall } from './accept-outcome.js';
import { type AuthenticCall, authenticateCall } from './authenticate-call.js';
import { at, CallAnswers } from './call-answers.js';
import { callToStore } from './call-to-store.js';
import { noteRejected, noteTurnedAway, type TurnedAway } from './note-rejected.js';
import { parseWebhookId } from './parse-webhook-id.js';
import { type AnswerPlan, planAnswer } from './plan-answer.js';
import type { IngressWebhook } from './read-ingress-webhooks.js';
import { type CallInput, keyOfInput, keyOfRefused, readInput, schemaRefusal } from './read-input.js';

/** After how long a caller may try again when the database is away. */
const RETRY_AFTER_MS = 2_000;

/** A webhook that changes while a call is on its way is looked up again this often before the call is refused. */
const STALE_RETRIES_MAX = 3;

/** One call on its way, however often its webhook has to be looked up. */
interface Arrival {
  readonly webhookId: string;
  readonly incoming: IncomingCall;
  /** Monotonic milliseconds: whatever was committed before then holds for the call. */
  readonly startedMs: number;
  /** A call takes its share of the limits once. */
  quota: LimitDecision | undefined;
}

/**
 * The ingress's use case: one POST in, one outcome out. Never throws for anything that a caller can send.
 *
 * What is known of the webhook comes from a cache, so each outcome is proven before it is given: that of a stored call
 * by its commit, any other one by the webhook's newest version. A webhook that has changed begins the way anew.
 */
export class AcceptCall {
  readonly #options: AcceptCallOptions;
  readonly #answers: CallAnswers;
  readonly #failures: SparseLog;

  constructor(options: AcceptCallOptions) {
    this.#options = options;
    this.#answers = new CallAnswers(options);
    this.#failures = new SparseLog(options);
  }

  /** Ends every wait for a result, now and from now on: callers get the answer that they would get at their deadline. */
  releaseWaits(): void {
    this.#answers.releaseWaits();
  }

  async accept(incoming: IncomingCall): Promise<AcceptOutcome> {
    const { webhooks, clock } = this.#options;
    const webhookId = parseWebhookId(incoming.webhookId);
    if (webhookId === undefined) return { type: 'malformed-id' };
    const arrival: Arrival = { webhookId, incoming, startedMs: clock.monotonicMs(), quota: undefined };
    try {
      for (let retry = 0; retry < STALE_RETRIES_MAX; retry += 1) {
        const outcome = await this.#acceptFor(await webhooks.get(webhookId), arrival);
        if (outcome !== 'stale') return outcome;
      }
      return { type: 'unavailable', retryAfterMs: RETRY_AFTER_MS };
    } catch (error) {
      if (error instanceof AppError && error.code === 'OVERLOADED') {
        return { type: 'overloaded', retryAfterMs: error.retryAfterMs ?? RETRY_AFTER_MS };
      }
      // Whatever broke, nothing was proven: never a 2xx, and the caller is told to come again.
      this.#failures.error(error, 'a call could not be stored');
      return { type: 'unavailable', retryAfterMs: RETRY_AFTER_MS };
    }
  }

  async #acceptFor(known: IngressWebhook | undefined, arrival: Arrival): Promise<AcceptOutcome | 'stale'> {
    const { incoming, startedMs } = arrival;
    const receivedAtMs = this.#options.clock.nowMs();
    const authentic = authenticateCall(this.#options, known, incoming, receivedAtMs);
    if ('outcome' in authentic) return await this.#turnAway(arrival, known, authentic);
    const { webhook } = authentic;
    if (arrival.quota === undefined) {
      const taken = this.#options.limiter.take({ webhookId: webhook.id, ownerId: webhook.ownerId });
      arrival.quota = taken instanceof Promise ? await taken : taken; // no turn of the event loop when quota is left
    }
    if (!arrival.quota.allowed)
      return await this.#turnAway(arrival, webhook, limited(authentic, arrival.quota.refusal));
    const input = readInput(this.#options, webhook, incoming);
    if ('outcome' in input) return await this.#turnAwayNew(arrival, authentic, input);
    const faults = await this.#options.validateInput(webhook.workerIds, input.inputParams, startedMs);
    if (faults.length > 0) return await this.#turnAwayNew(arrival, authentic, schemaRefusal(webhook.id, faults));
    const key = keyOfInput(this.#options, webhook, incoming, input);
    if (key !== undefined && 'outcome' in key)
      return await this.#turnAway(arrival, webhook, { ...key, secretId: authentic.secretId });
    return await this.#storeAndAnswer(arrival, authentic, input, key, receivedAtMs);
  }

  async #storeAndAnswer(
    arrival: Arrival,
    { webhook, secretId }: AuthenticCall,
    input: CallInput,
    idempotency: IdempotencyKey | undefined,
    receivedAtMs: number,
  ): Promise<AcceptOutcome | 'stale'> {
    const { store, noteTime, clock, webhooks, secretUsage } = this.#options;
    const incoming =
      input.body === arrival.incoming.body ? arrival.incoming : { ...arrival.incoming, body: input.body };
    const planned = planAnswer(webhook, incoming.rawHeaders, this.#options);
    // Nothing runs until somebody resumes the webhook, so nobody waits for it.
    const plan = webhook.flow?.paused === true ? { executionMode: planned.executionMode, waitMs: 0 } : planned;
    const flow = webhook.flow?.enter(input.body, input.inputParams);
    const call = callToStore(webhook, incoming, receivedAtMs, plan, { idempotency, flow });
    const wait = this.#answers.begin(call.callId, plan, false);
    try {
      const result = await store(call);
      if (result === 'stale') {
        webhooks.drop(webhook);
        return 'stale';
      }
      secretUsage.note(secretId);
      if (result !== 'stored') {
        this.#answers.end(wait); // a repeat waits for the first call instead
        return await this.#answerRepeat(arrival, webhook, result, idempotency!);
      }
      noteTime(webhook.id, clock.monotonicMs() - arrival.startedMs);
      const keyHash = idempotency?.keyHash;
      if (flow === undefined) return await this.#answers.answer(call, plan, wait, keyHash);
      return await this.#answers.answer(at(call, await this.#options.flow.enter(call)), plan, wait, keyHash);
    } finally {
      this.#answers.end(wait);
    }
  }

  /**
   * The answer of the first call with the same key, whatever it will be: a sync caller waits for its results as if it
   * were that call's.
   */
  async #answerRepeat(
    arrival: Arrival,
    webhook: IngressWebhook,
    first: Repeat,
    { keyHash }: IdempotencyKey,
  ): Promise<AcceptOutcome> {
    const { incoming } = arrival;
    const firstCallId = formatId('call', first.callId);
    if (!first.sameBody) {
      const reason = `the idempotency key of ${firstCallId}, with another body`;
      const outcome: AcceptOutcome = { type: 'idempotency-mismatch', webhookId: webhook.id };
      const refusal = { outcome: 'REJECTED_INPUT', httpStatus: 422, reason } as const;
      noteTurnedAway(this.#options.rejectedCalls, webhook, incoming, { outcome, refusal });
      return outcome;
    }
    const refusal = { outcome: 'DUPLICATE', httpStatus: null, reason: `a repeat of ${firstCallId}` } as const;
    noteRejected(this.#options.rejectedCalls, webhook, incoming, refusal);
    const { callId, executions } = first;
    const planned = planAnswer(webhook, incoming.rawHeaders, this.#options);
    const wait = this.#answers.begin(callId, planned, true);
    try {
      const { executionMode } = planned;
      const call: AcceptedCall = { callId, webhookId: webhook.id, executionMode, executions, isRepeat: true };
      if (webhook.flow === undefined) return await this.#answers.answer(call, planned, wait, keyHash);
      const position = await this.#options.flow.positionOf(callId);
      // What a pause holds ends for nobody; what was let go before it ends as ever.
      const isHeld = webhook.flow.paused && position !== undefined && position > 0;
      const plan: AnswerPlan = isHeld ? { executionMode, waitMs: 0 } : planned;
      return await this.#answers.answer(at(call, position), plan, wait, keyHash);
    } finally {
      this.#answers.end(wait);
    }
  }

  /** Turns a call away for its input, unless it is the repeat of one that was taken: that gets the first one's answer. */
  async #turnAwayNew(
    arrival: Arrival,
    { webhook, secretId }: AuthenticCall,
    away: TurnedAway,
  ): Promise<AcceptOutcome | 'stale'> {
    const key = keyOfRefused(this.#options, webhook, arrival.incoming);
    if (key === undefined) return await this.#turnAway(arrival, webhook, { ...away, secretId });
    if (!(await this.#isNewest(arrival, webhook))) return 'stale';
    const first = await this.#options.findRepeat(key);
    if (first === undefined) return await this.#turnAway(arrival, webhook, { ...away, secretId });
    this.#options.secretUsage.note(secretId);
    return await this.#answerRepeat(arrival, webhook, first, key);
  }

  /** Gives an outcome that no commit proves, when it rests on the webhook as it is. */
  async #turnAway(
    arrival: Arrival,
    known: IngressWebhook | undefined,
    away: TurnedAway,
  ): Promise<AcceptOutcome | 'stale'> {
    if (!(await this.#isNewest(arrival, known))) return 'stale';
    if (away.secretId !== undefined) this.#options.secretUsage.note(away.secretId);
    if (known !== undefined) noteTurnedAway(this.#options.rejectedCalls, known, arrival.incoming, away);
    return away.outcome;
  }

  async #isNewest({ webhookId, startedMs }: Arrival, known: IngressWebhook | undefined): Promise<boolean> {
    return (await this.#options.webhooks.newest(webhookId, startedMs))?.version === known?.version;
  }
}

function limited({ webhook, secretId }: AuthenticCall, refusal: LimitRefusal): TurnedAway {
  const reason = `the ${refusal.policy} limit of ${refusal.perMinute} calls a minute is exhausted`;
  return {
    outcome: { type: 'rate-limited', webhookId: webhook.id, refusal },
    refusal: { outcome: 'RATE_LIMITED', httpStatus: 429, reason },
    secretId,
  };
}

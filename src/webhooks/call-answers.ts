import type { ExecutionView } from '../executions/execution-view.js';
import type { CallWait } from '../executions/wait-for.js';
import type { FlowDesk } from '../flow/flow-desk.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { AcceptedCall, AcceptOutcome } from './accept-outcome.js';
import { modelLimitedMs } from './model-limited.js';
import type { AnswerPlan } from './plan-answer.js';

export interface CallAnswersOptions {
  /** Where a call under flow control stands in its queue. */
  readonly flow: Pick<FlowDesk, 'positionOf'>;
  /**
   * Subscribes to a call's end. Called before the commit, so that no end is missed; for one that is stored already,
   * `isStored` says so.
   */
  readonly beginWait: (callId: string, isStored: boolean) => CallWait;
  /** Records that a call is answered 429 for want of room at a model, and forgets its idempotency key. */
  readonly releaseLimited: (callId: string, keyHash: Buffer | undefined) => Promise<void>;
  /** Records that a caller was answered before its call ended. Never throws, never waits. */
  readonly noteDeadline: (callId: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Answers calls that are stored: async ones at once, sync ones when they have ended or at their deadline. */
export class CallAnswers {
  readonly #options: CallAnswersOptions;
  readonly #waits = new Set<CallWait>();
  #released = false;

  constructor(options: CallAnswersOptions) {
    this.#options = options;
  }

  /** Ends every wait for a result, now and from now on: callers get the answer that they would get at their deadline. */
  releaseWaits(): void {
    this.#released = true;
    for (const wait of this.#waits) wait.cancel();
  }

  /** To be followed by `end`, whatever happens. @returns nothing when nobody waits. */
  begin(callId: string, { executionMode }: AnswerPlan, isStored: boolean): CallWait | undefined {
    if (executionMode !== 'SYNC') return undefined;
    const wait = this.#options.beginWait(callId, isStored);
    this.#waits.add(wait);
    return wait;
  }

  end(wait: CallWait | undefined): void {
    if (wait === undefined) return;
    this.#waits.delete(wait);
    wait.cancel();
  }

  /** @param keyHash of a call that holds an idempotency key. */
  async answer(
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
}

/** A place that can't be said now is left out: the call is stored all the same. */
export function at(call: AcceptedCall, queuePosition: number | undefined): AcceptedCall {
  return { ...call, queuePosition };
}

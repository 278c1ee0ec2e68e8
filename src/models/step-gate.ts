import { Postponed } from '../errors.js';
import type { Clock } from '../lib/clock.js';
import { newUuidV7 } from '../lib/ids.js';
import { costNanos } from './cost.js';
import { estimatePromptTokens } from './estimate-tokens.js';
import type { CountedAhead, MinuteLimits } from './minute-limits.js';
import type { CallableModel } from './model-cache.js';
import type { ModelStepRequest } from './model-desk.js';
import { capReached, type SpendCaps } from './spend-caps.js';
import type { StepLeases } from './step-leases.js';

export interface StepGateOptions {
  readonly caps: SpendCaps;
  readonly leases: StepLeases;
  readonly limits: MinuteLimits;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** A step that may be made now. */
export interface Admission {
  /** A UUID. */
  readonly stepId: string;
  readonly ahead: CountedAhead | undefined;
}

/** What a step is taken to give when it has no limit of its own. */
const COMPLETION_TOKENS_GUESS = 1_000;

/** Those who wait for the same moment come back within this time of it, in milliseconds. */
const SPREAD_MS = 2_000;

/** Nobody knows when a step under way ends; who waits for that looks again after a time between these. */
const LOOK_AGAIN_MS = { least: 250, most: 1_500 };

/**
 * Decides whether a step may be made now: the provider's own pause, the model's concurrency and the webhook's day, then
 * tokens and requests of the minute. What was taken for a step that may not is given back.
 */
export class StepGate {
  readonly #options: StepGateOptions;

  constructor(options: StepGateOptions) {
    this.#options = options;
  }

  /**
   * @param webhookId a UUID.
   * @throws Postponed when there is no room now; AppError SPEND_CAP_REACHED.
   */
  async admit(model: CallableModel, webhookId: string, request: ModelStepRequest): Promise<Admission> {
    const { caps, leases, limits, clock } = this.#options;
    const pausedMs = model.pausedUntilMs - clock.monotonicMs();
    if (pausedMs > 0) throw this.#postponed(pausedMs, `The provider of ${model.name} asks to wait.`);
    const stepId = newUuidV7();
    const tokens = { promptTokens: estimatePromptTokens(request), completionTokens: completionGuess(request) };
    if (model.concurrencyMax > 0 || (await caps.limitsSteps(webhookId))) {
      const costs = costNanos(model.prices, { ...tokens, cachedTokens: 0 });
      await this.#takeLease(model, { stepId, modelId: model.id, webhookId, tokens, costNanos: costs });
    }
    const ahead = await limits.takeTokens(model, tokens.promptTokens + tokens.completionTokens);
    if (typeof ahead === 'number') {
      await leases.release(stepId);
      throw this.#postponed(ahead, `The tokens a minute of ${model.name} are used up.`);
    }
    const fullMs = await limits.takeRequest(model);
    if (fullMs === 0) return { stepId, ahead };
    await Promise.all([leases.release(stepId), limits.correctTokens(model.id, ahead, 0)]);
    throw this.#postponed(fullMs, `The requests a minute of ${model.name} are used up.`);
  }

  /** The provider refused a step and named a time. */
  pausedFor(model: CallableModel, pauseMs: number): Postponed {
    return this.#postponed(pauseMs, `The provider of ${model.name} asks to wait.`);
  }

  async #takeLease(model: CallableModel, wanted: Parameters<StepLeases['take']>[0]): Promise<void> {
    const answer = await this.#options.leases.take(wanted);
    switch (answer) {
      case 'admitted':
        return;
      case 'busy':
        throw this.#lookAgain(`As many steps of ${model.name} as it takes at once are under way.`);
      case 'wait':
        throw this.#lookAgain('What the webhook may still spend today is held by steps under way.');
      case 'tokens':
      case 'cost':
        throw capReached(answer);
    }
  }

  #postponed(untilMs: number, reason: string): Postponed {
    const random = this.#options.random ?? Math.random;
    return new Postponed(Math.ceil(untilMs + random() * SPREAD_MS), reason, 'MODEL_RATE_LIMITED');
  }

  #lookAgain(reason: string): Postponed {
    const random = this.#options.random ?? Math.random;
    const { least, most } = LOOK_AGAIN_MS;
    return new Postponed(Math.ceil(least + random() * (most - least)), reason, 'MODEL_RATE_LIMITED');
  }
}

function completionGuess({ outputTokensMax }: ModelStepRequest): number {
  return Math.min(outputTokensMax ?? COMPLETION_TOKENS_GUESS, COMPLETION_TOKENS_GUESS);
}

import { AppError } from '../errors.js';
import type { Sql } from '../db/database.js';
import { parseId } from '../lib/ids.js';
import type { JsonSchema } from '../lib/json-schema.js';
import type { Logger } from '../lib/logger.js';
import type { OutboundClient } from '../outbound/outbound-client.js';
import { costNanos, type StepTokens } from './cost.js';
import { estimatePromptTokens, estimateTokens } from './estimate-tokens.js';
import { accessTo } from './model-access.js';
import type { CallableModel, ModelCache } from './model-cache.js';
import type { ModelDesk, ModelStep, ModelStepRequest } from './model-desk.js';
import type { MinuteLimits } from './minute-limits.js';
import { pauseModel } from './pause-model.js';
import type { StreamedStep } from './sdk/stream-step.js';
import { settleStep } from './settle-step.js';
import type { Admission, StepGate } from './step-gate.js';
import type { StepLeases } from './step-leases.js';

export interface LimitedModelDeskOptions {
  readonly models: ModelCache;
  readonly gate: StepGate;
  readonly leases: StepLeases;
  readonly limits: MinuteLimits;
  readonly sql: Sql;
  readonly outbound: Pick<OutboundClient, 'fetchWith'>;
  /** Says what in a tool's input does not fit its schema; `undefined` when all does. */
  readonly toolInputFault: (schema: JsonSchema, input: unknown) => string | undefined;
  /** This process's shard of the statistics' counters. */
  readonly shard: number;
  readonly log: Logger;
  /** How long a provider may send nothing, in milliseconds; two minutes by default. */
  readonly silentMsMax?: number;
}

const SILENT_MS_MAX = 120_000;

/** The desk of a process: a step passes the model's limits and the webhook's cap, is made, and is counted. */
export class LimitedModelDesk implements ModelDesk {
  readonly #options: LimitedModelDeskOptions;
  /** The newest settlement of each execution that has one under way, by the execution's UUID. Never rejects. */
  readonly #settling = new Map<string, Promise<void>>();

  constructor(options: LimitedModelDeskOptions) {
    this.#options = options;
  }

  async step(request: ModelStepRequest): Promise<ModelStep> {
    const { gate } = this.#options;
    request.signal.throwIfAborted();
    const model = await this.#find(request.modelId);
    const admission = await gate.admit(model, parseId('webhook', request.webhookId)!, request);
    const streamed = await this.#stream(model, request).catch(async (error: unknown) => {
      await this.#options.leases.release(admission.stepId);
      throw error;
    });
    const usage = await this.#settle(model, admission, request, streamed);
    const pauseMs = pauseAskedFor(streamed.fault);
    if (pauseMs !== undefined) {
      await this.#pause(model, pauseMs);
      throw gate.pausedFor(model, pauseMs);
    }
    if (streamed.fault !== undefined) throw streamed.fault as Error;
    const { message, text, toolCalls, finishReason } = streamed;
    return { message: message!, text, toolCalls, finishReason, usage };
  }

  async #pause(model: CallableModel, pauseMs: number): Promise<void> {
    const { models, sql, log } = this.#options;
    log.warn({ modelId: model.id, pauseMs }, 'a provider asks to wait; its model is paused');
    await pauseModel(sql, model.id, pauseMs).catch((error: unknown) =>
      log.warn({ err: error, modelId: model.id }, 'a model could not be paused'),
    );
    models.clear();
  }

  async #find(modelId: string | undefined): Promise<CallableModel> {
    const id = modelId === undefined ? undefined : parseId('model', modelId);
    const isKnownForm = modelId === undefined || id !== undefined;
    const model = isKnownForm ? await this.#options.models.get(id) : undefined;
    if (model !== undefined) return model;
    throw new AppError(
      'MODEL_NOT_CONFIGURED',
      modelId === undefined
        ? 'There is no default model. Create one with `createModel`, or set OPENAI_API_KEY, OPENAI_BASE_URL, ANTHROPIC_API_KEY or GOOGLE_GENERATIVE_AI_API_KEY and start again.'
        : 'There is no such model any more. Give the worker another one, or none for the default model.',
    );
  }

  async #stream(model: CallableModel, request: ModelStepRequest): Promise<StreamedStep> {
    const { streamStep } = await import('./sdk/stream-step.js');
    const { silentMsMax = SILENT_MS_MAX, toolInputFault, outbound } = this.#options;
    return await streamStep(accessTo(model, outbound), request, { silentMsMax, toolInputFault });
  }

  /** Counts what was paid: whatever was answered, also when it ended badly. */
  async #settle(
    model: CallableModel,
    { stepId, ahead }: Admission,
    request: ModelStepRequest,
    streamed: StreamedStep,
  ): Promise<StepTokens & { readonly costNanos: bigint }> {
    const { sql, shard, leases, limits, log } = this.#options;
    const tokens = tokensOf(request, streamed);
    const usage = { ...tokens, costNanos: costNanos(model.prices, tokens) };
    const total = tokens.promptTokens + tokens.completionTokens;
    await limits.correctTokens(model.id, ahead, total);
    if (total === 0) {
      await leases.release(stepId);
      return usage;
    }
    const executionId = parseId('execution', request.executionId)!;
    const webhookId = parseId('webhook', request.webhookId)!;
    await this.#inTurn(executionId, () =>
      settleStep(sql, shard, { stepId, executionId, webhookId, modelId: model.id, ...usage }).catch(
        // To fail the step would have it paid again.
        (error: unknown) => log.error({ err: error, executionId, ...tokens }, 'a paid step could not be counted'),
      ),
    );
    leases.settled(stepId);
    return usage;
  }

  /**
   * Settles the steps of an execution one after the other. Its row remembers the last one, so that a settlement whose
   * answer was lost counts once when it is tried again: another one in between would make it forget.
   */
  async #inTurn(executionId: string, settle: () => Promise<void>): Promise<void> {
    const mine = (this.#settling.get(executionId) ?? Promise.resolve()).then(settle);
    this.#settling.set(executionId, mine);
    await mine;
    if (this.#settling.get(executionId) === mine) this.#settling.delete(executionId);
  }
}

/** How long a provider wants not to be asked, if it says so. */
function pauseAskedFor(fault: unknown): number | undefined {
  const asks = fault instanceof AppError && (fault.code === 'MODEL_RATE_LIMITED' || fault.code === 'MODEL_OVERLOADED');
  return asks ? fault.retryAfterMs : undefined;
}

/** What the provider counted; where it did not, an estimate of what went over the line. */
function tokensOf(request: ModelStepRequest, { tokens, text, toolCalls, fault }: StreamedStep): StepTokens {
  const answered = text !== '' || toolCalls.length > 0 || tokens.prompt !== undefined || fault === undefined;
  if (!answered) return { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };
  const inputs = toolCalls.map(({ input }) => JSON.stringify(input) ?? '').join('');
  return {
    promptTokens: tokens.prompt ?? estimatePromptTokens(request),
    completionTokens: tokens.completion ?? estimateTokens(text + inputs),
    cachedTokens: Math.min(tokens.cached ?? 0, tokens.prompt ?? 0),
  };
}

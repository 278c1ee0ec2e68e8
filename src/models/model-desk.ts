import type { ModelMessage } from 'ai';
import type { JsonSchema } from '../lib/json-schema.js';

/** A message of a conversation as the AI SDK has it. Those that come here are plain JSON, so that they can be stored. */
export type { ModelMessage };

/** A tool that a model may ask for. Whoever asks the model runs it. */
export interface ModelTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
}

/** One step of a model: everything that it has to know, and who pays. */
export interface ModelStepRequest {
  /** `model-…`; `undefined` is the default model. */
  readonly modelId: string | undefined;
  /** In the public form, as are the next two: whom the step is counted for. */
  readonly webhookId: string;
  readonly callId: string;
  readonly executionId: string;
  /** The system text. Messages never carry the role `system`. */
  readonly instructions: string | undefined;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ModelTool[];
  /** `none`: the model must answer in words although tools are listed. `auto` by default. */
  readonly toolChoice?: 'auto' | 'none';
  /** What the answer should fit. Asked of the provider when it can; checking the answer is the caller's. */
  readonly output?: { readonly name: string; readonly schema: JsonSchema };
  readonly temperature?: number;
  readonly outputTokensMax?: number;
  readonly signal: AbortSignal;
  /** Called at once for each chunk of text. The chunks together are the step's text. */
  readonly onText: (delta: string) => void;
}

/** A tool that the model asked for. */
export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  /** Why it cannot be run: there is no such tool, or its input is no JSON or does not fit the tool's schema. */
  readonly invalid?: string;
}

/** What a step was charged. */
export interface ModelUsage {
  /** All tokens that went in, the cached ones included. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Those of the prompt that came from the provider's cache. */
  readonly cachedTokens: number;
  /** In billionths of a dollar. */
  readonly costNanos: bigint;
}

/** How a step ended. */
export interface ModelStep {
  /** The assistant's message, to append to the conversation and to store. */
  readonly message: ModelMessage;
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  /** The AI SDK's word: `stop`, `length`, `tool-calls`, `content-filter`, `error`, `other`. */
  readonly finishReason: string;
  readonly usage: ModelUsage;
}

/**
 * The one way to a model. A worker makes one step at a time; the tool loop is the worker's. Limits, pauses, accounting
 * and the spend guard are here, and so is the only place that knows a provider's key.
 */
export interface ModelDesk {
  /**
   * Makes one step. It is counted for the execution, its webhook and the day when it ends, also when the execution
   * fails later; a step that is made again was paid again and is counted again.
   *
   * @throws AppError MODEL_NOT_CONFIGURED, SPEND_CAP_REACHED; MODEL_RATE_LIMITED, MODEL_OVERLOADED, MODEL_CUT_OFF,
   *   MODEL_OUTPUT_INVALID, which may pass; MODEL_ASKED_FOR_TOOL, when it must answer; MODEL_FAILED, which says whether it may.
   *   `Postponed` when the model has no room now: the attempt is to be given back undone.
   *   The signal's reason when it aborted.
   */
  step(request: ModelStepRequest): Promise<ModelStep>;
}

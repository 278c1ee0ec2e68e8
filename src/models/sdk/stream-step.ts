import {
  InvalidResponseDataError,
  jsonSchema,
  type LanguageModel,
  Output,
  streamText,
  type TextStreamPart,
  tool,
  type ToolSet,
} from 'ai';
import type { Fetch } from '../../outbound/guarded-fetch.js';
import type { ModelMessage, ModelStepRequest, ModelToolCall } from '../model-desk.js';
import type { ModelProvider } from '../model.entity.js';
import { cutOff, type FaultContext, modelFault, silent } from './model-faults.js';

/** Where and how a provider is asked. The key is in plain text here: it never leaves the process. */
export interface ProviderAccess {
  readonly provider: ModelProvider;
  /** The API's base, without a slash at its end. */
  readonly baseUrl: string;
  /** The provider's name for the model. */
  readonly modelName: string;
  /** Local servers often want none. */
  readonly apiKey: string | undefined;
  /** Whether the provider takes a JSON Schema for its answer. */
  readonly structuredOutputs: boolean;
  readonly fetch: Fetch;
}

/** What is asked, whoever pays for it. */
export type Prompt = Omit<ModelStepRequest, 'modelId' | 'webhookId' | 'callId' | 'executionId'>;

export interface StreamOptions {
  /** How long the provider may send nothing, in milliseconds. */
  readonly silentMsMax: number;
  /** Says what in a tool's input does not fit its schema; `undefined` when all does. */
  readonly toolInputFault: (schema: Prompt['tools'][number]['inputSchema'], input: unknown) => string | undefined;
}

/** Tokens as the provider counted them; `undefined` where it did not. */
export interface CountedTokens {
  readonly prompt: number | undefined;
  readonly completion: number | undefined;
  readonly cached: number | undefined;
}

/** What came of a step. With a fault, it is what came before it: that has been paid, too. */
export interface StreamedStep {
  readonly message: ModelMessage | undefined;
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: string;
  readonly tokens: CountedTokens;
  /** An AppError, or the reason of the signal that aborted. */
  readonly fault: unknown;
}

/**
 * Makes one step of a model through the Vercel AI SDK. This folder alone knows the SDK, and it is imported when the first
 * model is asked, through this file.
 *
 * What the SDK would do by itself is turned off: its retries (ours know the other processes), its telemetry and its log
 * of warnings (they carry prompts), its reading of the environment, its downloads of addresses that messages name, and
 * its running of tools.
 */
export async function streamStep(
  access: ProviderAccess,
  prompt: Prompt,
  options: StreamOptions,
): Promise<StreamedStep> {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(prompt.signal.reason);
  if (prompt.signal.aborted) onAbort();
  prompt.signal.addEventListener('abort', onAbort);
  const watch = setTimeout(() => controller.abort(silent(options.silentMsMax)), options.silentMsMax);
  try {
    return await collect(access, prompt, options, controller.signal, watch);
  } finally {
    clearTimeout(watch);
    prompt.signal.removeEventListener('abort', onAbort);
  }
}

async function collect(
  access: ProviderAccess,
  prompt: Prompt,
  options: StreamOptions,
  signal: AbortSignal,
  watch: NodeJS.Timeout,
): Promise<StreamedStep> {
  const faults: FaultContext = { apiKey: access.apiKey, prompt, answered: false };
  const toolCalls: ModelToolCall[] = [];
  let text = '';
  let thrown: { readonly error: unknown } | undefined;
  let end: FinishStep | undefined;
  let message: ModelMessage | undefined;
  try {
    const result = streamText(await streamOptions(access, prompt, options, signal));
    for await (const part of result.stream) {
      watch.refresh();
      if (part.type === 'text-delta') {
        text += part.text;
        prompt.onText(part.text);
      } else if (part.type === 'tool-call') toolCalls.push(toolCallOf(part));
      else if (part.type === 'error') thrown ??= part;
      else if (part.type === 'finish-step') end = part;
      if (ANSWERS.has(part.type)) faults.answered = true;
    }
    if (thrown === undefined && end !== undefined) {
      const ofAssistant = (await result.responseMessages).find(({ role }) => role === 'assistant');
      message = ofAssistant === undefined ? EMPTY : (JSON.parse(JSON.stringify(ofAssistant)) as ModelMessage);
    }
  } catch (error) {
    thrown ??= { error };
  }
  return {
    message,
    text,
    toolCalls,
    finishReason: finishReasonOf(end, toolCalls),
    tokens: {
      prompt: counted(end?.usage.inputTokens),
      completion: counted(end?.usage.outputTokens),
      cached: counted(end?.usage.inputTokenDetails.cacheReadTokens),
    },
    fault: signal.aborted ? signal.reason : faultOf(thrown, end, faults),
  };
}

/** More than any step has, and little enough for the sums of many. */
const TOKENS_MAX = 100_000_000;

/** A count that can be added up: servers also say fractions, and one below zero would give back what was spent. */
function counted(tokens: number | undefined): number | undefined {
  if (tokens === undefined || !Number.isFinite(tokens)) return undefined;
  return Math.min(Math.max(0, Math.ceil(tokens)), TOKENS_MAX);
}

type FinishStep = Extract<TextStreamPart<ToolSet>, { type: 'finish-step' }>;

/** Some providers have no word for an end that asks for tools. */
function finishReasonOf(end: FinishStep | undefined, toolCalls: readonly ModelToolCall[]): string {
  const reason = end?.finishReason ?? 'error';
  return toolCalls.length > 0 && (reason === 'stop' || reason === 'other') ? 'tool-calls' : reason;
}

/** A model may end without a word. */
const EMPTY: ModelMessage = { role: 'assistant', content: [] };

/** Parts that show that the provider has begun to answer. */
const ANSWERS: ReadonlySet<string> = new Set([
  'text-start',
  'text-delta',
  'reasoning-start',
  'tool-input-start',
  'tool-call',
]);

/** A stream that ends without the provider's reason for ending was cut, even if the connection closed in peace. */
function faultOf(
  thrown: { readonly error: unknown } | undefined,
  end: FinishStep | undefined,
  context: FaultContext,
): unknown {
  if (thrown !== undefined) {
    return InvalidResponseDataError.isInstance(thrown.error) && thrown.error.data === undefined
      ? cutOff()
      : modelFault(thrown.error, context);
  }
  return end?.rawFinishReason === undefined ? cutOff() : undefined;
}

async function streamOptions(
  access: ProviderAccess,
  prompt: Prompt,
  options: StreamOptions,
  abortSignal: AbortSignal,
): Promise<Parameters<typeof streamText<ToolSet>>[0]> {
  const { instructions, messages, tools, toolChoice = 'auto', output, temperature, outputTokensMax } = prompt;
  return {
    model: await languageModel(access),
    messages: [...messages],
    abortSignal,
    maxRetries: 0,
    telemetry: { isEnabled: false, recordInputs: false, recordOutputs: false },
    onError: () => undefined, // it prints them by default; they come as parts, too
    experimental_download: async (requests) => requests.map(() => null), // the provider may fetch them; we don't
    // A schema of the user's own may lack what the providers' strict modes demand; the answer is checked by the caller.
    providerOptions: { openai: { strictJsonSchema: false }, model: { strictJsonSchema: false } },
    ...(instructions !== undefined && { instructions }),
    ...(temperature !== undefined && { temperature }),
    ...(outputTokensMax !== undefined && { maxOutputTokens: outputTokensMax }),
    ...(tools.length > 0 && { tools: toolSet(tools, options), toolChoice }),
    ...(output !== undefined &&
      access.structuredOutputs && {
        output: Output.object({ schema: jsonSchema(output.schema as JsonSchema7), name: output.name }),
      }),
  };
}

type JsonSchema7 = Parameters<typeof jsonSchema>[0];

function toolSet(tools: Prompt['tools'], { toolInputFault }: StreamOptions): ToolSet {
  return Object.fromEntries(
    tools.map(({ name, description, inputSchema }) => {
      const schema = jsonSchema(inputSchema as JsonSchema7, {
        validate: (value) => {
          const fault = toolInputFault(inputSchema, value);
          return fault === undefined ? { success: true, value } : { success: false, error: new ToolInputFault(fault) };
        },
      });
      return [name, tool({ description, inputSchema: schema })];
    }),
  );
}

/** Carries what is wrong through the SDK, whose own messages repeat the whole input. */
class ToolInputFault extends Error {}

function toolCallOf(part: Extract<TextStreamPart<ToolSet>, { type: 'tool-call' }>): ModelToolCall {
  const call = { id: part.toolCallId, name: part.toolName, input: part.input as unknown };
  return part.invalid === true ? { ...call, invalid: invalidity(part.error) } : call;
}

function invalidity(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof ToolInputFault) return at.message;
    if (at.name === 'AI_NoSuchToolError') return 'There is no such tool.';
  }
  return 'The input is not JSON.';
}

async function languageModel({
  provider,
  baseUrl,
  modelName,
  apiKey,
  fetch,
  ...access
}: ProviderAccess): Promise<LanguageModel> {
  // A key that is left out would be looked for in the environment, where another one may be.
  const common = { baseURL: baseUrl, apiKey: apiKey ?? '', fetch };
  switch (provider) {
    case 'OPENAI_COMPATIBLE': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      const { structuredOutputs: supportsStructuredOutputs } = access;
      const settings = { name: 'model', includeUsage: true, supportsStructuredOutputs, baseURL: baseUrl, fetch };
      return createOpenAICompatible({ ...settings, ...(apiKey !== undefined && { apiKey }) }).chatModel(modelName);
    }
    case 'OPENAI': {
      const { createOpenAI } = await import('@ai-sdk/openai');
      // Chat completions: a stored conversation is then the same for every provider, and nothing of it is kept there.
      return createOpenAI(common).chat(modelName);
    }
    case 'ANTHROPIC': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return createAnthropic(common)(modelName);
    }
    case 'GOOGLE': {
      const { createGoogleGenerativeAI } = await import('@ai-sdk/google');
      return createGoogleGenerativeAI(common)(modelName);
    }
  }
}

globalThis.AI_SDK_LOG_WARNINGS = false;

import { AppError } from '../../errors.js';
import { compileSchema, type SchemaValidator } from '../schema-validator.js';
import type { JsonSchema } from '../worker.entities.js';
import type { ModelToolCall } from '../../models/model-desk.js';
import type { Tool } from './tools/tool.js';

/** What a tool call gave, as the model reads it and as its step stores it. */
export interface ToolResult {
  readonly text: string;
  readonly isError: boolean;
  /** The call never reached a tool: its name or its arguments are wrong. */
  readonly misused?: boolean;
  /** The text was longer. */
  readonly truncated?: boolean;
}

/** What a model reads of one result; a page of it costs as much in each later step. In characters. */
const RESULT_CHARACTERS_MAX = 50_000;

const MESSAGE_CHARACTERS_MAX = 1_000;

/** The tools of one attempt, by the names that the model knows. */
export class ToolBox {
  readonly #tools: ReadonlyMap<string, { readonly tool: Tool; readonly validate: SchemaValidator }>;

  constructor(tools: readonly Tool[]) {
    this.#tools = new Map(tools.map((tool) => [tool.name, { tool, validate: validatorOf(tool.inputSchema) }] as const));
  }

  get tools(): readonly Tool[] {
    return [...this.#tools.values()].map(({ tool }) => tool);
  }

  /**
   * Does one call. What goes wrong with it is a result, for the model to make something of.
   *
   * @throws the signal's reason when the attempt ends; what is no AppError: LeaseLost, Postponed, a fault of ours.
   */
  async call(call: ModelToolCall, path: string, signal: AbortSignal): Promise<ToolResult> {
    const found = this.#tools.get(call.name);
    if (found === undefined) return misused(`There is no tool "${call.name}".`);
    if (call.invalid !== undefined) return misused(`The arguments are not valid: ${call.invalid}`);
    const { tool, validate } = found;
    const { input } = call;
    if (!isObject(input)) return misused('The arguments must be a JSON object.');
    const faults = validate(input);
    if (faults.length > 0) {
      const listed = faults.slice(0, 5).map(({ pointer, message }) => `${pointer || '/'}: ${message}`);
      return misused(`The arguments do not fit the schema of "${call.name}": ${listed.join('; ')}`);
    }
    const timeout = AbortSignal.timeout(tool.timeoutMs);
    try {
      const outcome = await withinSignal(AbortSignal.any([signal, timeout]), (either) =>
        tool.call(input, { signal: either, path }),
      );
      return shortened(outcome.text, outcome.isError ?? false);
    } catch (error) {
      signal.throwIfAborted();
      if (timeout.aborted) return shortened(`The tool did not answer within ${tool.timeoutMs} ms.`, true);
      if (!(error instanceof AppError)) throw error;
      return shortened(`${error.code}: ${error.message.slice(0, MESSAGE_CHARACTERS_MAX)}`, true);
    }
  }
}

/** A schema of somebody else may use what ours cannot: then whoever offers the tool checks by itself. */
function validatorOf(schema: JsonSchema): SchemaValidator {
  try {
    // Many servers name an older draft and use nothing that has changed since.
    const draftless = typeof schema === 'object' ? { ...schema, $schema: undefined } : schema;
    return compileSchema(JSON.parse(JSON.stringify(draftless)) as JsonSchema, { trusted: false });
  } catch (error) {
    if (error instanceof AppError) return () => [];
    throw error;
  }
}

/** Waits no longer than the signal, whether or not the work listens to it. */
async function withinSignal<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(signal), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function misused(text: string): ToolResult {
  return { ...shortened(text, true), misused: true };
}

function shortened(text: string, isError: boolean): ToolResult {
  if (text.length <= RESULT_CHARACTERS_MAX) return { text: text.toWellFormed(), isError };
  const left = text.length - RESULT_CHARACTERS_MAX;
  const cut = text.slice(0, RESULT_CHARACTERS_MAX).toWellFormed();
  return { text: `${cut}\n[truncated: ${left} more characters]`, isError, truncated: true };
}

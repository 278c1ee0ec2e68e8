import type { JsonSchema } from '../../worker.entities.js';

/** Something that a model can have done. */
export interface Tool {
  /** Unique among an agent's tools; letters, digits, `_` and `-`, 64 characters at most. */
  readonly name: string;
  readonly description: string;
  /** A JSON Schema of an object. */
  readonly inputSchema: JsonSchema;
  /** Milliseconds for one call. */
  readonly timeoutMs: number;
  /**
   * Does it.
   *
   * @param input fits `inputSchema`.
   * @throws AppError whose code and message the model reads.
   */
  call(input: Readonly<Record<string, unknown>>, context: ToolContext): Promise<ToolOutcome>;
}

export interface ToolContext {
  /** Aborts at the tool's timeout and when the attempt ends. */
  readonly signal: AbortSignal;
  /** The path of the call's step: durable parts of the call go below it. */
  readonly path: string;
}

export interface ToolOutcome {
  readonly text: string;
  /** The tool itself says that it failed. */
  readonly isError?: boolean;
}

/** How long a call may take when nothing says otherwise. */
export const TOOL_TIMEOUT_MS = 60_000;

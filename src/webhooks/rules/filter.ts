import { AppError } from '../../errors.js';
import { type Condition, compileCondition } from '../../templates/template.js';
import { recordedHeaders, type WebhookCredentials } from '../verify/incoming-headers.js';

/** A webhook's filter, parsed once for each version of the webhook. */
export interface CallFilter {
  /**
   * Whether a call is to run. A filter that fails (its limits were reached, a value had the wrong kind) lets the call
   * pass: what is lost can't be got back, and what ran too much can be seen.
   *
   * @param onFailure hears why it failed: the first time only, for a filter that fails often fails always.
   */
  passes(call: FilteredCall, onFailure: (reason: string) => void): boolean;
}

export interface FilteredCall {
  /** The parsed body. */
  readonly input: unknown;
  readonly rawHeaders: readonly string[];
  /** What a filter does not see of the headers. */
  readonly credentials: WebhookCredentials;
}

/** Parses a filter that was checked when it was saved. */
export function compileFilter(text: string): CallFilter {
  let condition: Condition | undefined;
  let failure: string | undefined;
  try {
    condition = compileCondition(text);
  } catch (error) {
    failure = reasonOf(error); // what an earlier version took
  }
  const readsHeaders = /\bheaders\b/.test(text);
  let told = false;
  const failed = (reason: string, onFailure: (reason: string) => void): true => {
    if (!told) onFailure(reason);
    told = true;
    return true;
  };
  return {
    passes: ({ input, rawHeaders, credentials }, onFailure) => {
      if (condition === undefined) return failed(failure!, onFailure);
      const headers = readsHeaders ? recordedHeaders(rawHeaders, credentials, 'left-out') : {};
      try {
        return condition.holds({ input, headers });
      } catch (error) {
        return failed(reasonOf(error), onFailure);
      }
    },
  };
}

/** LiquidJS's message names the variable or the limit, never a value; what is not ours to quote is not quoted. */
function reasonOf(error: unknown): string {
  if (error instanceof AppError) return error.message;
  throw error;
}

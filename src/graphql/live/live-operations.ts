import {
  execute,
  type ExecutionArgs,
  type ExecutionResult,
  type FormattedExecutionResult,
  type GraphQLError,
  type GraphQLFormattedError,
} from 'graphql';
import type { Principal } from '../../access/principal.js';
import type { GraphqlContext } from '../context.js';
import { codedError, presentError } from '../errors.js';
import { prepareOperation } from '../limits/prepare-operation.js';
import type { LiveOptions } from './live-options.js';
import { type Results, subscribeLive } from './live-results.js';

/** An operation as a client sends it. */
export interface OperationPayload {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

/** An operation that may run. */
export type LiveArgs = ExecutionArgs & { readonly contextValue: GraphqlContext; readonly cost: number };

/** A result as graphql-ws and graphql-sse hand it over. */
interface RawResult {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly GraphQLError[] | undefined;
  readonly extensions?: Record<string, unknown> | undefined;
}

/**
 * What runs on one live connection, with the same limits over every transport. When the connection closes, every
 * iterator that it started is ended, whether the protocol's library still knows of it or not.
 */
export class LiveOperations {
  readonly #options: LiveOptions & { readonly requestId: string };
  readonly #subscriptions = new Set<Results>();
  #running = 0;
  #closed = false;

  constructor(options: LiveOptions & { readonly requestId: string }) {
    this.#options = options;
  }

  /** Parses, validates and weighs an operation. One that may run counts as running from here on. */
  prepare(payload: OperationPayload, principal: Principal | undefined): LiveArgs | readonly GraphQLError[] {
    const { schema, introspection, operations, limits, contextOf, requestId } = this.#options;
    if (this.#running >= limits.operationsPerSocketMax) {
      const message = `A connection runs ${limits.operationsPerSocketMax} operations at a time.`;
      return [codedError('COST_LIMIT_EXCEEDED', message)];
    }
    const prepared = prepareOperation(payload, { schema, introspection, limits: operations });
    if (!prepared.ok) return prepared.errors;
    this.#running += 1;
    return {
      schema,
      document: prepared.document,
      operationName: payload.operationName ?? null,
      variableValues: payload.variables ?? null,
      contextValue: contextOf(principal, requestId),
      cost: prepared.cost,
    };
  }

  async execute(args: LiveArgs): Promise<ExecutionResult> {
    try {
      const cost = { requested: args.cost, maximum: this.#options.operations.costMax };
      return { ...(await execute(args)), extensions: { cost } };
    } finally {
      this.#running -= 1;
    }
  }

  async subscribe(args: LiveArgs): Promise<Results | ExecutionResult> {
    let live = false;
    try {
      const fresh = ({ principal, requestId }: GraphqlContext): GraphqlContext =>
        this.#options.contextOf(principal, requestId);
      const results = await subscribeLive(args, {
        contextOf: fresh,
        isClosed: () => this.#closed,
        onEnd: (ended) => {
          if (this.#subscriptions.delete(ended)) this.#running -= 1;
        },
      });
      if (!('next' in results)) return results;
      live = true;
      this.#subscriptions.add(results);
      if (this.#closed) this.#end(results); // the connection closed while the stream was being opened
      return results;
    } finally {
      if (!live) this.#running -= 1;
    }
  }

  /** Ends all that runs, and whatever is still being opened. */
  close(): void {
    this.#closed = true;
    for (const results of this.#subscriptions) this.#end(results);
  }

  /** Errors as they are shown. */
  present(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    const { requestId, log, introspection } = this.#options;
    return errors.map((error) => presentError(error, { requestId, log, suggestions: introspection }));
  }

  /** A result as it is shown; `undefined` when it is that already. */
  presentResult({ errors, data = null, extensions }: RawResult): FormattedExecutionResult | undefined {
    if (errors === undefined) return undefined;
    return { data, errors: this.present(errors), ...(extensions !== undefined && { extensions }) };
  }

  #end(results: Results): void {
    results
      .return()
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'a subscription did not end well'));
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { createSourceEventStream, execute, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { isDatabaseAway } from '../../db/database-away.js';
import type { GraphqlContext } from '../context.js';
import { outagePauseMs } from '../../db/patient-sql.js';

/** A subscription's results, as graphql-ws and graphql-sse want them. */
export type Results = AsyncGenerator<ExecutionResult, void, void>;

export interface SubscribeLiveOptions {
  /** Makes the context of one event from the operation's. */
  readonly contextOf: (context: GraphqlContext) => GraphqlContext;
  /** Whether the connection is gone, so that nothing is waited for any more. */
  readonly isClosed: () => boolean;
  /** Called once, when there will be no more results, for whatever reason. */
  readonly onEnd: (results: Results) => void;
}

/**
 * Runs a subscription as graphql-js's `subscribe` does, but each event in a context of its own: what a loader
 * remembered for one event must not answer the next.
 *
 * One that cannot begin because the database is away begins when it is back: clients take an error for the end of it.
 */
export async function subscribeLive(
  args: ExecutionArgs & { readonly contextValue: GraphqlContext },
  { contextOf, isClosed, onEnd }: SubscribeLiveOptions,
): Promise<Results | ExecutionResult> {
  let source = await createSourceEventStream(args);
  while (isOutage(source) && !isClosed()) {
    await sleep(outagePauseMs());
    source = await createSourceEventStream({ ...args, contextValue: contextOf(args.contextValue) });
  }
  if (!isAsyncIterable(source)) return source;
  const events = source[Symbol.asyncIterator]();
  let ended = false;
  const end = async (): Promise<IteratorReturnResult<void>> => {
    if (!ended) {
      ended = true;
      onEnd(results);
      await events.return?.();
    }
    return { done: true, value: undefined };
  };
  const results: Results = {
    next: async () => {
      if (ended) return { done: true, value: undefined };
      try {
        const event = await events.next();
        if (event.done === true) return await end();
        const contextValue = contextOf(args.contextValue);
        return { done: false, value: await execute({ ...args, rootValue: event.value, contextValue }) };
      } catch (error) {
        await end();
        throw error;
      }
    },
    return: end,
    throw: async (error) => {
      await end();
      throw error;
    },
    [Symbol.asyncIterator]: () => results,
    [Symbol.asyncDispose]: async () => void (await end()),
  };
  return results;
}

function isOutage(source: AsyncIterable<unknown> | ExecutionResult): boolean {
  return 'errors' in source && (source.errors ?? []).some(({ originalError }) => isDatabaseAway(originalError));
}

function isAsyncIterable(value: AsyncIterable<unknown> | ExecutionResult): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value;
}

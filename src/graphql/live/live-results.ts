import { createSourceEventStream, execute, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { GraphqlContext } from '../context.js';

/** A subscription's results, as graphql-ws and graphql-sse want them. */
export type Results = AsyncGenerator<ExecutionResult, void, void>;

/**
 * Runs a subscription as graphql-js's `subscribe` does, but each event in a context of its own: what a loader
 * remembered for one event must not answer the next.
 *
 * @param contextOf makes the context of one event from the operation's.
 * @param onEnd is called once, when there will be no more results, for whatever reason.
 */
export async function subscribeLive(
  args: ExecutionArgs & { readonly contextValue: GraphqlContext },
  contextOf: (context: GraphqlContext) => GraphqlContext,
  onEnd: (results: Results) => void,
): Promise<Results | ExecutionResult> {
  const source = await createSourceEventStream(args);
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

function isAsyncIterable(value: AsyncIterable<unknown> | ExecutionResult): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value;
}

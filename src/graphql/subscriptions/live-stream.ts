/** What a subscription yields, and what ends it from outside. */
export interface LiveStream<T> extends AsyncIterableIterator<T, void, void> {
  return(): Promise<IteratorResult<T, void>>;
}

/**
 * Binds a generator to the source that it waits for. An async generator can't be returned while it waits: `return`
 * stands in line behind the event that may never come. So the source is closed first, which ends the waiting.
 *
 * @param source is closed once the stream ends, however it does.
 */
export function liveStream<T>(source: { close(): void }, generator: AsyncGenerator<T, void, void>): LiveStream<T> {
  return {
    next: async () => {
      try {
        const result = await generator.next();
        if (result.done === true) source.close();
        return result;
      } catch (error) {
        source.close();
        throw error;
      }
    },
    return: async () => {
      source.close();
      return await generator.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

import type { GraphqlProcess } from './graphql-process.js';

/** Counts the streams that a process's hub has open, from now on. */
export function subscribers({ hub }: GraphqlProcess): {
  readonly now: () => number;
  /** Resolves when there are just so many. */
  readonly reach: (count: number) => Promise<void>;
} {
  const open = new Set<object>();
  let changed = Promise.withResolvers<void>();
  const change = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const subscribe = hub.subscribe.bind(hub);
  hub.subscribe = (...args) => {
    const stream = subscribe(...args);
    const close = stream.close.bind(stream);
    open.add(stream);
    change();
    stream.close = () => {
      close();
      if (open.delete(stream)) change();
    };
    return stream;
  };
  return {
    now: () => open.size,
    reach: async (count) => {
      while (open.size !== count) await changed.promise;
    },
  };
}

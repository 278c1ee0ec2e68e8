import type pg from 'pg';

/** A pool that notes the text of every statement that it is asked itself; what runs in transactions passes it by. */
export function notingPool(pool: pg.Pool, note: (text: string) => void): pg.Pool {
  return new Proxy(pool, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key !== 'query') return value.bind(target);
      return (...args: unknown[]) => {
        const [first] = args;
        note(typeof first === 'string' ? first : (first as pg.QueryConfig).text);
        return value.apply(target, args);
      };
    },
  });
}

import { setMaxListeners } from 'node:events';
import { Postponed } from '../../worker-run.js';

/** Why what runs beside a part that failed is ended. */
class SiblingFailed extends Error {
  override readonly name = 'SiblingFailed';
}

/**
 * Runs parts side by side, begun in their order. A part that waits keeps its place, so that no more than `atOnce` are
 * ever begun and not ended; the others go on for as long as they can.
 *
 * When one fails, those beside it are aborted and no other begins.
 *
 * @throws what the first one that failed threw; else Postponed until the earliest moment for which one waits.
 */
export async function runTogether<T>(
  count: number,
  atOnce: number,
  outer: AbortSignal,
  run: (index: number, signal: AbortSignal) => Promise<T>,
): Promise<readonly T[]> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const onAbort = (): void => controller.abort(outer.reason);
  outer.throwIfAborted();
  outer.addEventListener('abort', onAbort);
  const results: T[] = [];
  const failures: unknown[] = [];
  let earliest: Postponed | undefined;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count && !controller.signal.aborted) {
      const index = next;
      next += 1;
      try {
        results[index] = await run(index, controller.signal);
      } catch (error) {
        if (error instanceof Postponed) {
          if (earliest === undefined || error.delayMs < earliest.delayMs) earliest = error;
          return;
        }
        failures.push(error);
        controller.abort(new SiblingFailed());
        return;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(count, atOnce) }, lane));
  } finally {
    outer.removeEventListener('abort', onAbort);
  }
  outer.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  if (earliest !== undefined) throw earliest;
  return results;
}

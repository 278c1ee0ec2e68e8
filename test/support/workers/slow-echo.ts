import { setTimeout as delay } from 'node:timers/promises';
import { defineWorker } from 'workhook/worker';

/** Takes as long as `delayMs` in its input says, 20 ms without: work that a kill can fall into. */
export default defineWorker({
  id: 'slow-echo',
  name: 'Slow echo',
  run: async ({ inputParams, signal }) => {
    const { delayMs } = inputParams as { delayMs?: number };
    await delay(delayMs ?? 20, undefined, { signal });
    return inputParams;
  },
});

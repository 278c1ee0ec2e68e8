import { defineWorker } from 'workhook/worker';

/** The smallest worker: its result is its input. Good for trying a webhook out. */
export default defineWorker({
  id: 'echo',
  name: 'Echo',
  description: 'Returns the body that it was given, unchanged in meaning.',
  timeoutMs: 5_000,
  run: ({ inputParams }) => inputParams,
});

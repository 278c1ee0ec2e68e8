import { defineWorker } from 'workhook/worker';

/** Ends when the test says so: with the answer of the server that `gateUrl` in its input names. */
export default defineWorker({
  id: 'gated',
  name: 'Gated',
  run: async ({ inputParams, signal }) => {
    const { gateUrl } = inputParams as { gateUrl: string };
    const response = await fetch(gateUrl, { signal });
    return { gate: await response.text() };
  },
});

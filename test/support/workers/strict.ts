import { defineWorker } from 'workhook/worker';
import { z } from 'zod';

export default defineWorker({
  id: 'strict',
  name: 'Strict',
  input: z.object({ amount: z.number().positive() }),
  run: ({ inputParams }) => ({ doubled: inputParams.amount * 2 }),
});

import { defineWorker, PermanentError } from 'workhook/worker';

export default defineWorker({
  id: 'failing',
  name: 'Failing',
  run: () => {
    throw new PermanentError('It always fails.');
  },
});

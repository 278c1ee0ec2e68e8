import { defineWorker } from 'workhook/worker';

export default defineWorker({ id: 'echo', name: 'Echo', run: ({ inputParams }) => inputParams });

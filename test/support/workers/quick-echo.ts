import { defineWorker } from 'workhook/worker';

export default defineWorker({ id: 'quick-echo', name: 'Echo, again', run: ({ inputParams }) => inputParams });

import { toJsonText } from '../../src/lib/json-text.js';
import { createLogger } from '../../src/lib/logger.js';
import type { WorkerRun } from '../../src/workers/worker-run.js';

const unused = (name: string) => (): never => {
  throw new Error(`this worker was not expected to use ${name}`);
};

/** A first attempt at nothing durable, for a kind's runner that is tried alone. */
export function workerRun(inputParams: unknown, given: Partial<WorkerRun> = {}): WorkerRun {
  const steps = {
    finished: unused('finished'),
    start: unused('start'),
    finish: unused('finish'),
    fail: unused('fail'),
    noted: unused('noted'),
    note: unused('note'),
    abandon: unused('abandon'),
  };
  return {
    executionId: 'exec-1',
    path: '',
    callId: 'call-1',
    webhookId: 'wh_1',
    attempt: 1,
    inputParams,
    inputText: toJsonText(inputParams),
    signal: new AbortController().signal,
    log: createLogger('silent'),
    steps,
    emitText: unused('emitText'),
    callWorker: unused('callWorker'),
    ...given,
  };
}

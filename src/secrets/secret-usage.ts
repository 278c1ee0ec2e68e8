import { UsageRecorder, type UsageRecorderOptions } from '../db/usage-recorder.js';

/** Often enough to tell whether a retiring secret is still used, seldom enough to cost nothing. */
const FLUSH_MS = 10_000;

/** Records which secrets authenticated calls. */
export class SecretUsage extends UsageRecorder {
  constructor(options: UsageRecorderOptions) {
    super(options, { table: 'webhook_secrets', flushMs: FLUSH_MS });
  }
}

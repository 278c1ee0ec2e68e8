import { UsageRecorder, type UsageRecorderOptions } from '../db/usage-recorder.js';

/** A token's last use is known to the minute. */
const FLUSH_MS = 60_000;

/** Records which API tokens were used. */
export class CredentialUsage extends UsageRecorder {
  constructor(options: UsageRecorderOptions) {
    super(options, { table: 'api_tokens', flushMs: FLUSH_MS });
  }
}

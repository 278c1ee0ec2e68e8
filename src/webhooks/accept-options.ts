import type { IdempotencyKey, Repeat } from '../calls/idempotency.js';
import type { RejectedCallRecorder } from '../calls/rejected-calls.js';
import type { CallToStore, StoreResult } from '../calls/store-calls.js';
import type { FlowDesk } from '../flow/flow-desk.js';
import type { Clock } from '../lib/clock.js';
import type { CallLimiter } from '../rate-limits/limiter.js';
import type { SecretUsage } from '../secrets/secret-usage.js';
import type { InputFault } from '../workers/worker-run.js';
import type { AuthenticateOptions } from './authenticate-call.js';
import type { CallAnswersOptions } from './call-answers.js';
import type { AnswerPlanOptions } from './plan-answer.js';
import type { InputOptions } from './read-input.js';
import type { WebhookCache } from './webhook-cache.js';

/** What an accept works with, besides what each of its stages asks for. */
export interface AcceptCallOptions extends AuthenticateOptions, InputOptions, AnswerPlanOptions, CallAnswersOptions {
  readonly webhooks: Pick<WebhookCache, 'get' | 'newest' | 'drop'>;
  readonly limiter: Pick<CallLimiter, 'take'>;
  readonly rejectedCalls: Pick<RejectedCallRecorder, 'record'>;
  readonly secretUsage: Pick<SecretUsage, 'note'>;
  /** Stores with others in one transaction; resolves after COMMIT. */
  readonly store: (call: CallToStore) => Promise<StoreResult>;
  /** Finds the call that came before under a key, without claiming it. */
  readonly findRepeat: (key: IdempotencyKey) => Promise<Repeat | undefined>;
  /** Takes note of how long a call took from coming in to its COMMIT, in milliseconds. Never throws, never waits. */
  readonly noteTime: (webhookId: string, durationMs: number) => void;
  /** Lets calls under flow control go when it is their turn. */
  readonly flow: Pick<FlowDesk, 'enter' | 'positionOf'>;
  /** @param sinceMs faults are found by schemas with all that was committed before then, monotonic milliseconds. */
  readonly validateInput: (
    workerIds: readonly string[],
    inputParams: unknown,
    sinceMs: number,
  ) => Promise<readonly InputFault[]>;
  readonly clock: Clock;
}

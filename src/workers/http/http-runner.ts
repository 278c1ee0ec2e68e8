import { Webhook } from 'standardwebhooks';
import { AppError } from '../../errors.js';
import type { Clock } from '../../lib/clock.js';
import { lowerCased } from '../../outbound/outbound-headers.js';
import type { OutboundClient, OutboundResponse } from '../../outbound/outbound-client.js';
import type { Keyring } from '../../secrets/seal.js';
import { RESULT_BYTES_MAX } from '../result-text.js';
import type { LoadedWorker, WorkerKindRunner, WorkerOutput, WorkerRun } from '../worker-run.js';
import { openDefinition } from './http-definition.js';
import { responseResult } from './response-result.js';
import { parseRetryAfter } from '../../lib/retry-after.js';

export interface HttpWorkerRunnerOptions {
  readonly outbound: OutboundClient;
  readonly keyring: Keyring;
  readonly clock: Clock;
  /** The largest result, in bytes of JSON; longer bodies are cut. 1 MiB by default. */
  readonly resultBytesMax?: number;
}

/** The one step of an HTTP worker, as `Idempotency-Key: <executionId>:<step>` names it. */
const STEP = 'main';

/** Statuses below 500 that ask for another try: request timeout, too early, too many requests. */
const RETRYABLE_STATUSES = new Set([408, 425, 429]);

/**
 * Calls an existing endpoint with the body as it came, signed as Standard Webhooks has it
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). Message id and
 * idempotency key are the same for every attempt, so that an endpoint can tell a repetition.
 */
export class HttpWorkerRunner implements WorkerKindRunner {
  readonly kind = 'HTTP';
  readonly #options: HttpWorkerRunnerOptions;

  constructor(options: HttpWorkerRunnerOptions) {
    this.#options = options;
  }

  /**
   * @throws AppError HTTP_WORKER_STATUS for any status but 2xx, HTTP_WORKER_UNREACHABLE, OUTBOUND_REFUSED; the
   *   signal's reason when it aborted.
   */
  async run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> {
    const { outbound, keyring, clock } = this.#options;
    const resultBytesMax = this.#options.resultBytesMax ?? RESULT_BYTES_MAX;
    const settings = openDefinition(keyring, worker.id, worker.version, worker.definition);
    const body = settings.method === 'GET' ? undefined : run.inputText;
    const response = await outbound.request({
      method: settings.method,
      url: settings.url,
      headers: {
        accept: 'application/json, */*;q=0.5',
        'accept-encoding': 'identity',
        'user-agent': 'Workhook',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...lowerCased(settings.headers),
        'idempotency-key': `${run.executionId}:${STEP}`,
        ...signatureHeaders(settings.signingSecret, run.executionId, new Date(clock.nowMs()), body ?? ''),
      },
      ...(body !== undefined && { body }),
      signal: run.signal,
      timeoutMs: worker.timeoutMs,
      responseBytesMax: resultBytesMax,
    });
    if (response.status < 200 || response.status > 299) throw statusError(response, clock.nowMs());
    return { result: responseResult(response, resultBytesMax) };
  }
}

function signatureHeaders(secret: string, messageId: string, at: Date, body: string): Record<string, string> {
  return {
    'webhook-id': messageId,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(messageId, at, body),
  };
}

function statusError({ status, headers }: OutboundResponse, nowMs: number): AppError {
  const redirect = status >= 300 && status <= 399 ? ' Redirects are not followed.' : '';
  const retryable = status >= 500 || RETRYABLE_STATUSES.has(status);
  const retryAfter = headers['retry-after'];
  const retryAfterMs = retryable && typeof retryAfter === 'string' ? parseRetryAfter(retryAfter, nowMs) : undefined;
  return new AppError('HTTP_WORKER_STATUS', `The endpoint answered with status ${status}.${redirect}`, {
    retryable,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

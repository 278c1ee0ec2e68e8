import type { ConnectionClient } from '../../../connections/connection-client.js';
import type { Clock } from '../../../lib/clock.js';
import type { JsonText } from '../../../lib/json-text.js';
import { lowerCased } from '../../../outbound/outbound-headers.js';
import { idempotencyKeyOf } from '../../http/idempotency-key-of.js';
import { responseFailure } from '../../http/response-failure.js';
import { responseResult } from '../../http/response-result.js';
import { RESULT_BYTES_MAX } from '../../result-text.js';
import type { HttpStep } from '../workflow.js';
import type { StepScope } from './step-scope.js';

/** How long the request of a step may take when the step does not say, in milliseconds. */
const TIMEOUT_MS = 60_000;

export interface StepRequest {
  readonly connections: Pick<ConnectionClient, 'request'>;
  readonly clock: Clock;
  /** Public. */
  readonly executionId: string;
  /** The whole path of the step in its execution. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/**
 * Sends the request of a step. Its `Idempotency-Key` is the same for every try.
 *
 * @returns the response as the result of an HTTP worker.
 * @throws AppError what the templates, the connection and the client throw; HTTP_WORKER_STATUS for any status but 2xx.
 */
export async function sendRequest(step: HttpStep, scope: StepScope, request: StepRequest): Promise<JsonText> {
  const { connections, clock, executionId, path, signal } = request;
  const rendered = (templates: HttpStep['query']): Record<string, string> =>
    Object.fromEntries(Object.entries(templates).map(([name, template]) => [name, template.render(scope.values)]));
  const body = step.body === undefined ? undefined : JSON.stringify(step.body.evaluate(scope.values));
  const response = await connections.request({
    connectionId: step.connectionId,
    method: step.method,
    path: step.path.render(scope.values),
    query: rendered(step.query),
    headers: {
      accept: 'application/json, */*;q=0.5',
      'accept-encoding': 'identity',
      'user-agent': 'Workhook',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...lowerCased(rendered(step.headers)),
      'idempotency-key': `${executionId}:${idempotencyKeyOf(path)}`,
    },
    ...(body !== undefined && { body }),
    signal,
    timeoutMs: step.timeoutMs ?? TIMEOUT_MS,
    responseBytesMax: RESULT_BYTES_MAX,
  });
  if (response.status < 200 || response.status > 299) throw responseFailure(response, clock.nowMs());
  return responseResult(response, RESULT_BYTES_MAX);
}

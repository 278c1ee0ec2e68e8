import { Webhook } from 'standardwebhooks';
import type { Clock } from '../../lib/clock.js';
import type { ConnectionClient } from '../../connections/connection-client.js';
import type { OutboundClient, OutboundRequest, OutboundResponse } from '../../outbound/outbound-client.js';
import type { Keyring } from '../../secrets/seal.js';
import type { TemplateScope } from '../../templates/template.js';
import { idempotencyKeyOf } from './idempotency-key-of.js';
import { RESULT_BYTES_MAX, toResultText } from '../result-text.js';
import type { LoadedWorker, WorkerKindRunner, WorkerOutput, WorkerRun } from '../worker-run.js';
import { type HttpSettings, openDefinition } from './http-definition.js';
import { type CompiledHttpWorker, compileHttpWorker, type HttpBody, type HttpTarget, within } from './http-request.js';
import { responseFailure } from './response-failure.js';
import { responseResult, responseScope } from './response-result.js';

export interface HttpWorkerRunnerOptions {
  readonly outbound: OutboundClient;
  readonly connections: ConnectionClient;
  readonly keyring: Keyring;
  readonly clock: Clock;
  /** The largest result, in bytes of JSON; longer bodies are cut. 1 MiB by default. */
  readonly resultBytesMax?: number;
}

/** The execution's own request, as `Idempotency-Key: <executionId>:<step>` names it. */
const OWN_STEP = 'main';

/**
 * Calls an existing endpoint with the body as it came or as a template makes it, signed as Standard Webhooks has it
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). Message id and
 * idempotency key are the same for every attempt, so that an endpoint can tell a repetition.
 */
export class HttpWorkerRunner implements WorkerKindRunner {
  readonly kind = 'HTTP';
  readonly #options: HttpWorkerRunnerOptions;
  readonly #versions = new WeakMap<LoadedWorker, Prepared>();

  constructor(options: HttpWorkerRunnerOptions) {
    this.#options = options;
  }

  /**
   * @throws AppError HTTP_WORKER_STATUS for any status but 2xx, HTTP_WORKER_UNSUCCESSFUL when the worker's own condition
   *   does not hold, HTTP_WORKER_UNREACHABLE, OUTBOUND_REFUSED, what the templates throw ({@link compileHttpWorker});
   *   the signal's reason when it aborted.
   */
  async run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> {
    const { clock } = this.#options;
    const resultBytesMax = this.#options.resultBytesMax ?? RESULT_BYTES_MAX;
    const { settings, templates } = this.#prepared(worker);
    const scope = scopeOf(worker, run);
    const step = stepOf(run);
    const messageId = run.path === '' ? run.executionId : `${run.executionId}:${step}`;
    const body = bodyOf(settings.method, templates, scope, run);
    const response = await this.#send(templates.target(scope), {
      method: settings.method,
      headers: {
        accept: 'application/json, */*;q=0.5',
        'accept-encoding': 'identity',
        'user-agent': 'Workhook',
        ...(body !== undefined && { 'content-type': body.contentType }),
        ...templates.headers(scope),
        'idempotency-key': `${run.executionId}:${step}`,
        ...signatureHeaders(settings.signingSecret, messageId, new Date(clock.nowMs()), body?.text ?? ''),
      },
      ...(body !== undefined && { body: body.text }),
      signal: run.signal,
      timeoutMs: worker.timeoutMs,
      ...(settings.headersTimeoutMs !== null && { headersTimeoutMs: settings.headersTimeoutMs }),
      ...(settings.bodyTimeoutMs !== null && { bodyTimeoutMs: settings.bodyTimeoutMs }),
      responseBytesMax: settings.responseBytesMax ?? resultBytesMax,
    });
    const { successWhen, result } = templates;
    const answered = successWhen || result ? { ...scope, response: responseScope(response) } : scope;
    const ok = response.status >= 200 && response.status <= 299;
    if (!(successWhen?.holds(answered) ?? ok)) throw responseFailure(response, clock.nowMs());
    if (result === undefined) return { result: responseResult(response, resultBytesMax) };
    return { result: toResultText(within('result', () => result.evaluate(answered))) };
  }

  async #send(target: HttpTarget, request: Omit<OutboundRequest, 'url'>): Promise<OutboundResponse> {
    const { outbound, connections } = this.#options;
    return 'url' in target
      ? await outbound.request({ ...request, ...target })
      : await connections.request({ ...request, ...target });
  }

  /** A version never changes: it is opened and parsed once in a process, as long as the registry keeps it. */
  #prepared(worker: LoadedWorker): Prepared {
    const known = this.#versions.get(worker);
    if (known !== undefined) return known;
    const settings = openDefinition(this.#options.keyring, worker.id, worker.version, worker.definition);
    const prepared = { settings, templates: compileHttpWorker(settings) };
    this.#versions.set(worker, prepared);
    return prepared;
  }
}

interface Prepared {
  readonly settings: HttpSettings;
  readonly templates: CompiledHttpWorker;
}

/** An execution can send several requests, each from a step of its own. */
function stepOf({ path }: WorkerRun): string {
  return path === '' ? OWN_STEP : idempotencyKeyOf(path);
}

/** What the templates of a request can name; those that read the response have `response`, too. */
function scopeOf(worker: LoadedWorker, run: WorkerRun): TemplateScope {
  const { inputParams, executionId, callId, webhookId, attempt } = run;
  return { input: inputParams, executionId, callId, webhookId, workerId: worker.id, attempt };
}

function bodyOf(
  method: HttpSettings['method'],
  templates: CompiledHttpWorker,
  scope: TemplateScope,
  run: WorkerRun,
): HttpBody | undefined {
  if (method === 'GET') return undefined;
  return templates.body?.(scope) ?? { text: run.inputText, contentType: 'application/json' };
}

function signatureHeaders(secret: string, messageId: string, at: Date, body: string): Record<string, string> {
  return {
    'webhook-id': messageId,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(messageId, at, body),
  };
}

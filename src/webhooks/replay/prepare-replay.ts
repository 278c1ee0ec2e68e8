import type { CallOutcome } from '../../calls/call.entity.js';
import type { CallToStore } from '../../calls/store-calls.js';
import type { WorkerVersionChoice } from '../../executions/retry.js';
import { scanJson } from '../../lib/json-scan.js';
import type { Clock } from '../../lib/clock.js';
import { newUuidV7 } from '../../lib/ids.js';
import { type Outcome, refused, succeeded, type UserError } from '../../lib/user-error.js';
import type { InputFault } from '../../workers/worker-run.js';
import type { AcceptCallOptions } from '../accept-options.js';
import { acceptedForms, callToStore } from '../call-to-store.js';
import { parseBody, type ParsedBody } from '../parse-body.js';
import type { IngressWebhook } from '../read-ingress-webhooks.js';
import type { WebhookCache } from '../webhook-cache.js';
import type { ReplaySource } from './replay-source.js';

export interface PrepareReplayDeps {
  readonly webhooks: Pick<WebhookCache, 'newest'>;
  readonly validateInput: AcceptCallOptions['validateInput'];
  readonly clock: Clock;
}

/** A replay, ready to be stored. */
export interface PreparedReplay {
  readonly call: CallToStore;
  /** The call that it replays. */
  readonly replayOf: string;
  /** The workers' versions, in the order of the call's executions; `null` for the one that is current then. */
  readonly workerVersions: readonly (number | null)[];
}

/** Calls that were stored; the body of such a one was looked at before. */
const ACCEPTED: ReadonlySet<CallOutcome> = new Set(['ACCEPTED', 'SUCCEEDED', 'FAILED', 'SUPERSEDED']);

/**
 * Makes a new call of an old one: the same body and headers, for the webhook as it is now. Authentication, rate limits
 * and the filter were for its sender, so they are not asked again; what the workers take is.
 */
export async function prepareReplay(
  { webhooks, validateInput, clock }: PrepareReplayDeps,
  source: ReplaySource,
  workerVersion: WorkerVersionChoice,
): Promise<Outcome<PreparedReplay>> {
  const startedMs = clock.monotonicMs();
  const webhook = await webhooks.newest(source.webhookId, startedMs);
  if (webhook === undefined) return refused(fault('WEBHOOK_DELETED', 'Its webhook is deleted.'));
  if (!webhook.active) return refused(fault('WEBHOOK_INACTIVE', 'Its webhook is not active.'));
  const original = workerVersion === 'ORIGINAL';
  if (original && source.workers.length === 0) {
    return refused(fault('NEVER_STARTED', 'It never started any workers: replay it with those of the present.'));
  }
  const workers = original ? source.workers : webhook.workerIds.map((workerId) => ({ workerId, workerVersion: null }));
  const parsed = readBody(webhook, source);
  if ('fault' in parsed) return refused(fault('BODY_NOT_ACCEPTABLE', `Its body cannot be replayed: ${parsed.detail}`));
  if (!original) {
    const faults = await validateInput(webhook.workerIds, parsed.inputParams, startedMs);
    if (faults.length > 0) return refused(...faults.map(toUserError));
  }
  const receivedAtMs = clock.nowMs();
  const incoming = {
    webhookId: source.webhookId,
    method: 'POST',
    target: '',
    rawHeaders: Object.entries(source.headers).flat(),
    body: parsed.body,
    sourceIp: '',
    isTest: source.isTest,
  } as const;
  const flow = webhook.flow?.enter(parsed.body, parsed.inputParams);
  const call = callToStore(webhook, incoming, receivedAtMs, { executionMode: 'ASYNC' }, { flow });
  const executions = workers.map(({ workerId }) => ({ executionId: newUuidV7(receivedAtMs), workerId }));
  return succeeded({
    call: { ...call, executions },
    replayOf: source.id,
    workerVersions: workers.map((worker) => worker.workerVersion),
  });
}

/** What was accepted is JSON already, whatever its headers say; what was rejected is looked at anew. */
function readBody(webhook: IngressWebhook, { outcome, headers, body }: ReplaySource): ParsedBody {
  if (body.length === 0 && !ACCEPTED.has(outcome)) return { fault: 'malformed-body', detail: 'it was not kept.' };
  if (!ACCEPTED.has(outcome)) return parseBody(Object.entries(headers).flat(), body, acceptedForms(webhook));
  const scanned = scanJson(body, 'any');
  if ('fault' in scanned) return { fault: 'malformed-body', detail: 'it is not JSON.' };
  return { inputParams: scanned.value, body };
}

function fault(code: string, message: string): UserError {
  return { field: ['id'], message, code };
}

function toUserError({ workerId, pointer, message }: InputFault): UserError {
  return fault('INPUT_REFUSED', `${workerId} does not take it at ${pointer || '/'}: ${message}`);
}

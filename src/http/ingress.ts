import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { declaredLength, readBody, type UploadRoom } from '../lib/read-body.js';
import { SparseLog } from '../lib/sparse-log.js';
import type { AcceptOutcome, IncomingCall } from '../webhooks/accept-outcome.js';
import type { BodyLimit } from '../webhooks/rules/body-limit.js';
import { refuseUpload, sendAnswer, type HttpAnswer } from './answer.js';
import type { RouteMeter } from './metrics.js';
import { answerOutcome, refusal, tooLarge } from './outcome-response.js';
import type { RequestFacts } from './request-facts.js';

export interface IngressOptions {
  readonly acceptCall: (incoming: IncomingCall) => Promise<AcceptOutcome>;
  /** The usual limit, in bytes, and that of each webhook. */
  readonly bodyBytesMax: number;
  readonly bodyLimit: BodyLimit;
  readonly uploadRoom: UploadRoom;
  /** Whether a caller waits to be asked for its body (`Expect: 100-continue`), and what asks it. */
  readonly waitsToBeAsked: (req: IncomingMessage) => boolean;
  readonly letSend: (req: IncomingMessage, res: ServerResponse) => void;
  readonly signLink: (path: string) => string;
  /** Whether a request may come in the clear ({@link insecureRule}). */
  readonly isAllowed: (facts: RequestFacts) => boolean;
  readonly meter: RouteMeter;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Handling extends IngressOptions {
  readonly failures: SparseLog;
}

export type IngressHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  webhookId: string,
  facts: RequestFacts,
) => void;

/** POST /api/v1/webhooks/{id}, straight on `node:http`. */
export function ingressHandler(ingressOptions: IngressOptions): IngressHandler {
  const options: Handling = { ...ingressOptions, failures: new SparseLog(ingressOptions) };
  return (req, res, webhookId, facts) => {
    const startedMs = options.clock.monotonicMs();
    handle(options, req, res, { webhookId, facts, startedMs }).then(
      (status) => options.meter.observe(status, options.clock.monotonicMs() - startedMs),
      (error: unknown) => {
        const { requestId } = facts;
        options.log.error({ err: error, requestId }, 'a call could not be answered');
        sendAnswer(
          res,
          refusal('INTERNAL_SERVER_ERROR', { webhookId, requestId, nowMs: options.clock.nowMs() }),
          requestId,
        );
        options.meter.observe(500, options.clock.monotonicMs() - startedMs);
      },
    );
  };
}

/** The status that nginx logs when the caller hangs up before it can be answered. */
const CLIENT_CLOSED_REQUEST = 499;

/** After how long a caller may try again who could not be refused, for the database was away. */
const RETRY_AFTER_SECONDS = '2';

interface Ingoing {
  readonly webhookId: string;
  readonly facts: RequestFacts;
  /** Monotonic milliseconds. */
  readonly startedMs: number;
}

/** @returns the status, for the metrics. */
async function handle(
  options: Handling,
  req: IncomingMessage,
  res: ServerResponse,
  { webhookId, facts, startedMs }: Ingoing,
): Promise<number> {
  const { requestId, sourceIp, clientCertificate } = facts;
  const { clock, bodyLimit } = options;
  const refuse = (answer: HttpAnswer): number => {
    refuseUpload(req, res, answer, requestId);
    return answer.status;
  };
  const context = { webhookId, requestId, nowMs: clock.nowMs() };
  const { method } = req;
  if (method !== 'POST' && !isHandshakeGet(req))
    return refuse(refusal('METHOD_NOT_ALLOWED', context, { headers: ['Allow', 'POST'] }));
  if (!options.isAllowed(facts)) return refuse(refusal('HTTPS_REQUIRED', context));
  const limit = bodyLimit(webhookId);
  const declared = declaredLength(req) ?? 0;
  const mustKnow = declared > options.bodyBytesMax || options.waitsToBeAsked(req);
  let bytesMax = typeof limit === 'number' ? limit : mustKnow ? await limit : options.bodyBytesMax;
  const bytesMaxLater = typeof limit === 'number' || mustKnow ? undefined : limit;
  // What a process has not heard of yet must not turn anybody away.
  let unproven: unknown;
  const confirmBytesMax = async (): Promise<number> => {
    try {
      return (bytesMax = await bodyLimit(webhookId, startedMs));
    } catch (error) {
      unproven = error;
      return 0;
    }
  };
  const refuseSize = (): number => {
    if (unproven === undefined) return refuse(tooLarge(context, bytesMax));
    options.failures.error(unproven, 'the limit of a body could not be read');
    return refuse(refusal('STORAGE_UNAVAILABLE', context, { headers: ['Retry-After', RETRY_AFTER_SECONDS] }));
  };
  if (declared > bytesMax && declared > (await confirmBytesMax())) return refuseSize();
  options.letSend(req, res);
  const body = await readBody(req, bytesMax, { room: options.uploadRoom, bytesMaxLater, confirmBytesMax });
  if (body === 'aborted') return CLIENT_CLOSED_REQUEST;
  if (body === 'too-large') return refuseSize();
  if (body === 'no-room') return refuse(refusal('OVERLOADED', context, { headers: ['Retry-After', '1'] }));

  const outcome = await options.acceptCall({
    webhookId,
    method: method === 'GET' ? method : 'POST',
    target: req.url!,
    rawHeaders: req.rawHeaders,
    body,
    sourceIp,
    clientCertificate,
    isTest: false,
  });
  const answer = answerOutcome(outcome, {
    webhookId,
    requestId,
    nowMs: clock.nowMs(),
    signLink: options.signLink,
  });
  sendAnswer(res, answer, requestId);
  return answer.status;
}

/** Meta tries an address with a GET; which webhooks take it, the use case knows. */
function isHandshakeGet({ method, url }: IncomingMessage): boolean {
  return method === 'GET' && url!.includes('hub.mode=');
}

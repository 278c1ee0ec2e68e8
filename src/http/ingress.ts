import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { declaredLength, readBody } from '../lib/read-body.js';
import type { AcceptOutcome, IncomingCall } from '../webhooks/accept-outcome.js';
import { refuseUpload, sendAnswer, type HttpAnswer } from './answer.js';
import type { RouteMeter } from './metrics.js';
import { answerOutcome, refusal } from './outcome-response.js';
import type { RequestFacts } from './request-facts.js';

export interface IngressOptions {
  readonly acceptCall: (incoming: IncomingCall) => Promise<AcceptOutcome>;
  readonly bodyBytesMax: number;
  readonly signLink: (path: string) => string;
  /** Whether a request may come in the clear ({@link insecureRule}). */
  readonly isAllowed: (facts: RequestFacts) => boolean;
  readonly meter: RouteMeter;
  readonly clock: Clock;
  readonly log: Logger;
}

export type IngressHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  webhookId: string,
  facts: RequestFacts,
) => void;

/** POST /api/v1/webhooks/{id}, straight on `node:http`. */
export function ingressHandler(options: IngressOptions): IngressHandler {
  return (req, res, webhookId, facts) => {
    const startedMs = options.clock.monotonicMs();
    handle(options, req, res, webhookId, facts).then(
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

/** @returns the status, for the metrics. */
async function handle(
  options: IngressOptions,
  req: IncomingMessage,
  res: ServerResponse,
  webhookId: string,
  facts: RequestFacts,
): Promise<number> {
  const { requestId, sourceIp } = facts;
  const { clock, bodyBytesMax } = options;
  const refuse = (answer: HttpAnswer): number => {
    refuseUpload(req, res, answer, requestId);
    return answer.status;
  };
  const context = { webhookId, requestId, nowMs: clock.nowMs() };
  const { method } = req;
  if (method !== 'POST' && !isHandshakeGet(req))
    return refuse(refusal('METHOD_NOT_ALLOWED', context, { headers: ['Allow', 'POST'] }));
  if (!options.isAllowed(facts)) return refuse(refusal('HTTPS_REQUIRED', context));
  if ((declaredLength(req) ?? 0) > bodyBytesMax) return refuse(tooLarge(context, bodyBytesMax));

  const body = await readBody(req, bodyBytesMax);
  if (body === 'aborted') return CLIENT_CLOSED_REQUEST;
  if (body === 'too-large') return refuse(tooLarge(context, bodyBytesMax));

  const outcome = await options.acceptCall({
    webhookId,
    method: method === 'GET' ? method : 'POST',
    target: req.url!,
    rawHeaders: req.rawHeaders,
    body,
    sourceIp,
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

function tooLarge(context: Parameters<typeof refusal>[1], bodyBytesMax: number): HttpAnswer {
  return refusal('PAYLOAD_TOO_LARGE', context, { detail: `The body is larger than ${bodyBytesMax} bytes.` });
}

import type { GraphQLFormattedError } from 'graphql';
import type Koa from 'koa';
import type { Principal } from '../../access/principal.js';
import { AppError } from '../../errors.js';
import { answerOutage } from '../answer-outage.js';
import { codedError, type GraphqlErrorCode, presentError } from '../errors.js';
import type { OperationPayload } from '../live/live-operations.js';
import type { LiveOptions } from '../live/live-options.js';
import type { LiveSessions } from '../live/live-sessions.js';
import { readJsonBody, statusOfBodyFault } from '../read-json-body.js';
import type { RequestFacts } from '../request-facts.js';
import { SseSession } from './sse-session.js';

export interface SseTransportOptions extends LiveOptions {
  readonly sessions: LiveSessions;
}

/** When a client that found no room may come again, in seconds. */
const RETRY_AFTER_S = 2;

/**
 * GraphQL over server-sent events: what is POSTed as JSON with `Accept: text/event-stream`. Not by GET: browsers send
 * that, with the cookie, for whatever page asks.
 *
 * @returns whether the request was one of these, and is answered.
 */
export function createSseTransport(
  options: SseTransportOptions,
): (ctx: Koa.ParameterizedContext<RequestFacts>) => Promise<boolean> {
  const { authenticator, sessions, introspection, log } = options;
  return async (ctx) => {
    if (ctx.accepts('application/json', 'text/event-stream') !== 'text/event-stream') return false;
    const { requestId } = ctx.state;
    const present = (error: unknown): GraphQLFormattedError =>
      presentError(error, { requestId, log, suggestions: introspection });
    const refuse = (status: number, code: GraphqlErrorCode, message?: string): true => {
      ctx.status = status;
      ctx.body = { errors: [present(codedError(code, message))] };
      return true;
    };
    ctx.vary('Accept');
    ctx.set('Cache-Control', 'no-store');
    if (ctx.method !== 'POST') {
      ctx.set('Allow', 'POST');
      return refuse(405, 'BAD_USER_INPUT', 'Streams of events are asked for by POST.');
    }
    let body: unknown;
    try {
      body = await readJsonBody(ctx.req);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      ctx.set('Connection', 'close'); // the rest of the body would be taken for the next request
      return refuse(statusOfBodyFault(error), 'BAD_USER_INPUT', error.message);
    }
    if (body === undefined) {
      ctx.set('Connection', 'close');
      return refuse(415, 'BAD_USER_INPUT', 'The operation has to be JSON (Content-Type: application/json).');
    }
    if (!isOperation(body)) {
      return refuse(400, 'BAD_USER_INPUT', 'The body needs a query; variables are an object.');
    }
    const { authorization, cookie } = ctx.headers;
    let principal: Principal | undefined;
    try {
      principal = await authenticator.authenticate({ authorization, cookie });
    } catch (error) {
      answerOutage(ctx, error, present);
      return true;
    }
    if (principal === undefined) {
      ctx.set('WWW-Authenticate', 'Bearer realm="workhook"');
      return refuse(401, 'UNAUTHENTICATED');
    }
    if (sessions.isFull || !sessions.admits(principal)) {
      ctx.set('Retry-After', String(RETRY_AFTER_S));
      return refuse(sessions.isFull ? 503 : 429, 'RATE_LIMITED', 'There are too many connections.');
    }
    const caller = { principal, credentials: { authorization, cookie } };
    const session = new SseSession({ ...options, req: ctx.req, res: ctx.res, requestId, caller });
    sessions.add(session);
    ctx.res.once('close', () => sessions.remove(session));
    ctx.respond = false;
    await session.run(body);
    return true;
  };
}

function isOperation(body: unknown): body is OperationPayload {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const { query, operationName, variables } = body as Readonly<Record<string, unknown>>;
  if (typeof query !== 'string') return false;
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') return false;
  return variables === undefined || variables === null || (typeof variables === 'object' && !Array.isArray(variables));
}

import { AppError, codeOf } from '../../errors.js';
import type { Logger } from '../../lib/logger.js';
import { applyAnswer } from '../koa-answer.js';
import { problemAnswer, retryAfterSeconds } from '../problem.js';
import type { HttpMiddleware } from '../state.js';

/** After how long a caller may ask again when the database is away. */
const RETRY_AFTER_MS = 2_000;

/** Turns whatever a route throws, and what no route took, into a problem response. */
export function problems(log: Logger): HttpMiddleware {
  return async (ctx, next) => {
    const { requestId } = ctx.state;
    try {
      await next();
      if (ctx.body !== undefined && ctx.body !== null) return;
      if (ctx.status === 404)
        applyAnswer(ctx, problemAnswer({ code: 'NOT_FOUND', detail: 'There is nothing at this path.', requestId }));
      else if (ctx.status === 405 || ctx.status === 501)
        applyAnswer(ctx, problemAnswer({ code: 'METHOD_NOT_ALLOWED', requestId }));
    } catch (error) {
      const known = publicError(error);
      if (known.code === 'INTERNAL_SERVER_ERROR') log.error({ err: error, requestId }, 'a request failed');
      applyAnswer(
        ctx,
        problemAnswer({
          code: known.code,
          detail: known.message,
          requestId,
          headers: [
            ...(known.retryAfterMs === undefined ? [] : ['Retry-After', retryAfterSeconds(known.retryAfterMs)]),
            ...(known.code === 'UNAUTHENTICATED' ? ['WWW-Authenticate', 'Bearer realm="workhook"'] : []),
          ],
        }),
      );
    }
  };
}

function publicError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isDatabaseAway(error)) {
    return new AppError('STORAGE_UNAVAILABLE', 'The database can not be reached at the moment.', {
      retryAfterMs: RETRY_AFTER_MS,
      cause: error,
    });
  }
  return new AppError('INTERNAL_SERVER_ERROR');
}

/** What Node says when nobody answers, and what PostgreSQL says when it starts, stops or is full (classes 08, 53, 57). */
const AWAY = /^(?:ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|08\w{3}|53\w{3}|57P\d\d)$/;

function isDatabaseAway(error: unknown): boolean {
  if (AWAY.test(codeOf(error) ?? '')) return true;
  // pg has no code for an exhausted pool nor for a connection that broke; the code of a database that is closed is
  // also that of other faults (55000).
  return (
    error instanceof Error &&
    /^(?:timeout exceeded when trying to connect|Connection terminated)|is not currently accepting connections$/.test(
      error.message,
    )
  );
}

import { DATABASE_RETRY_AFTER_MS, isDatabaseAway } from '../../db/database-away.js';
import { AppError } from '../../errors.js';
import type { Logger } from '../../lib/logger.js';
import { applyAnswer } from '../koa-answer.js';
import { problemAnswer, retryAfterSeconds } from '../problem.js';
import type { HttpMiddleware } from '../state.js';

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
      retryAfterMs: DATABASE_RETRY_AFTER_MS,
      cause: error,
    });
  }
  return new AppError('INTERNAL_SERVER_ERROR');
}

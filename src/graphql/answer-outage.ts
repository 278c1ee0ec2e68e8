import type { GraphQLFormattedError } from 'graphql';
import type Koa from 'koa';
import { DATABASE_RETRY_AFTER_MS, isDatabaseAway } from '../db/database-away.js';

/**
 * Answers a request of which nobody could say whose it is because the database is away: 503, in the form of GraphQL.
 *
 * @throws the error when it is another one.
 */
export function answerOutage(
  ctx: Koa.ParameterizedContext,
  error: unknown,
  present: (error: unknown) => GraphQLFormattedError,
): void {
  if (!isDatabaseAway(error)) throw error;
  ctx.status = 503;
  ctx.set('Retry-After', String(Math.ceil(DATABASE_RETRY_AFTER_MS / 1_000)));
  ctx.body = { errors: [present(error)] };
}

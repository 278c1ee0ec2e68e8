import { AppError } from '../../errors.js';
import { PATHS } from '../paths.js';
import { isLoopback, type RequestFacts } from '../request-facts.js';
import type { HttpMiddleware } from '../state.js';

/** Whether a request may carry secrets: it came over HTTPS, or, where that is allowed, from this machine. */
export type TransportRule = (facts: RequestFacts) => boolean;

/** @param allowInsecureLoopback for development: plain HTTP from this machine. */
export function transportRule(allowInsecureLoopback: boolean): TransportRule {
  return (facts) => facts.secure || (allowInsecureLoopback && isLoopback(facts.sourceIp));
}

/** Paths that carry no secret and that probes and tools ask for in plain HTTP. */
const OPEN_PATHS = new Set<string>(['/', '/healthz', '/readyz', '/metrics', PATHS.openapi]);

/** Refuses plain HTTP. Never a redirect: the secret has leaked already, and the sender should notice. */
export function requireHttps(isAllowed: TransportRule): HttpMiddleware {
  return async (ctx, next) => {
    if (!OPEN_PATHS.has(ctx.path) && !isAllowed(ctx.state)) throw new AppError('HTTPS_REQUIRED');
    await next();
  };
}

import type { Clock } from '../../lib/clock.js';
import type { HttpMetrics } from '../metrics.js';
import type { HttpMiddleware } from '../state.js';

/** Measures each request under the pattern of the route that took it. */
export function observe(metrics: HttpMetrics, clock: Clock): HttpMiddleware {
  return async (ctx, next) => {
    const startedMs = clock.monotonicMs();
    await next();
    const { routerPath } = ctx as { readonly routerPath?: unknown };
    metrics
      .meter(typeof routerPath === 'string' ? routerPath : 'unmatched')
      .observe(ctx.status, clock.monotonicMs() - startedMs);
  };
}

import type { Router } from '@koa/router';
import type { Registry } from 'prom-client';
import type { HttpState } from '../state.js';

export interface OperationsOptions {
  /** Why this process should get no traffic now; empty when it should. A throw counts as a reason. */
  readonly readiness: () => Promise<readonly string[]>;
  readonly registry: Registry;
}

/** /healthz (the process lives), /readyz (it should get traffic), /metrics (Prometheus). */
export function operationsRoutes(router: Router<HttpState>, options: OperationsOptions): void {
  router.get('/healthz', (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { status: 'alive' };
  });

  router.get('/readyz', async (ctx) => {
    const reasons = await options.readiness().catch(() => ['The readiness check failed.']);
    ctx.set('Cache-Control', 'no-store');
    ctx.status = reasons.length === 0 ? 200 : 503;
    ctx.body = { status: reasons.length === 0 ? 'ready' : 'not ready', reasons };
  });

  router.get('/metrics', async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.body = await options.registry.metrics();
    ctx.type = options.registry.contentType;
  });
}

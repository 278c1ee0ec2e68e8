import { createHash } from 'node:crypto';
import type { Router } from '@koa/router';
import { openApiDocument } from '../openapi/document.js';
import type { DocumentFacts } from '../openapi/form.js';
import { PATHS } from '../paths.js';
import { matchesEntityTag } from '../result-bodies.js';
import type { HttpState } from '../state.js';

/** Tools ask again and again; a new version is noticed within this many seconds. */
const MAX_AGE_S = 300;

/** GET /openapi.json, for whoever asks: it is in the source anyway. */
export function openapiRoute(router: Router<HttpState>, facts: DocumentFacts): void {
  const body = JSON.stringify(openApiDocument(facts));
  const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  router.get(PATHS.openapi, (ctx) => {
    ctx.set('ETag', tag);
    ctx.set('Cache-Control', `public, max-age=${MAX_AGE_S}`);
    if (matchesEntityTag(ctx.get('If-None-Match'), tag)) {
      ctx.status = 304;
      return;
    }
    ctx.type = 'application/json';
    ctx.body = body;
  });
}

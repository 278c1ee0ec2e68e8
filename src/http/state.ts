import type Koa from 'koa';
import type { RequestFacts } from './request-facts.js';

/** What every Koa middleware finds in `ctx.state`. */
export type HttpState = RequestFacts;
export type HttpContext = Koa.ParameterizedContext<HttpState>;
export type HttpMiddleware = Koa.Middleware<HttpState>;

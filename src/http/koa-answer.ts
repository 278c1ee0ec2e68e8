import type { HttpAnswer } from './answer.js';
import type { HttpContext } from './state.js';

/** Puts an answer into Koa's response. */
export function applyAnswer(ctx: HttpContext, answer: HttpAnswer): void {
  ctx.status = answer.status;
  ctx.body = answer.body;
  for (let i = 0; i + 1 < answer.headers.length; i += 2) ctx.set(answer.headers[i]!, answer.headers[i + 1]!);
}

import { PAGE_POLICY } from './pages.js';
import type { HttpContext } from './state.js';

/** Answers with a page of ours. */
export function showPage(ctx: HttpContext, status: number, html: string): void {
  ctx.status = status;
  ctx.type = 'html';
  ctx.set('Content-Security-Policy', PAGE_POLICY);
  ctx.set('Referrer-Policy', 'same-origin'); // with none at all, browsers send the forms with `Origin: null`
  ctx.set('Cache-Control', 'no-store');
  ctx.body = html;
}

/**
 * 303: the browser asks for it with GET, whatever it has just sent.
 *
 * @param url a path of ours or an absolute URL.
 */
export function redirect(ctx: HttpContext, url: string): void {
  ctx.redirect(url);
  ctx.status = 303;
  ctx.set('Cache-Control', 'no-store');
}

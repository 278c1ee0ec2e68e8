import { AppError } from '../../errors.js';
import { outboundUrl } from '../../outbound/outbound-url.js';
import { urlBelow } from '../../outbound/url-below.js';
import { compileUrlTemplate, isTemplate } from '../../templates/template.js';

/** A URL template in two: values are filled in behind the origin only, so none of them can choose the host. */
export interface TemplatedUrl {
  readonly origin: string;
  /** A template; it begins with `/` or `?`, or is empty. */
  readonly path: string;
}

const ORIGIN = /^(https?:\/\/[^/?#\\{}%\s@]+)((?:[/?].*)?)$/is;

/** Splits a URL with templates in it; `undefined` when its origin is not plain text. */
export function splitUrlTemplate(text: string): TemplatedUrl | undefined {
  const [, origin = '', path = ''] = ORIGIN.exec(text) ?? [];
  return outboundUrl.safeParse(origin).success ? { origin, path } : undefined;
}

/** An absolute URL as it is stored: in its normal form, unless templates are in it. */
export function normalUrl(text: string): string {
  return isTemplate(text) ? text : new URL(text).href;
}

/**
 * Checks the URL of an HTTP worker.
 *
 * @param connected whether it is a path below a connection's base URL.
 * @returns what is wrong with it.
 */
export function urlFault(text: string, connected: boolean): string | undefined {
  try {
    if (connected) return pathFault(text);
    if (!isTemplate(text)) return outboundUrl.safeParse(text).error?.issues[0]?.message;
    const split = splitUrlTemplate(text);
    if (split === undefined) return 'must begin with http:// or https:// and a host without templates';
    compileUrlTemplate(split.path);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

function pathFault(text: string): undefined {
  // What leads out before anything is filled in would fail with every request.
  if (!isTemplate(text) || /^(?:[a-z][a-z0-9+.-]*:|[/\\]{2})/i.test(text)) urlBelow('https://connection.invalid', text);
  compileUrlTemplate(text);
}

import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Principal } from '../access/principal.js';
import type { GraphqlMiddleware } from './http-transport.js';

/** What the editor opens with. */
export const FIRST_QUERY = `# Ask, change and watch: Ctrl+Space completes, Ctrl+Enter runs.
query Webhooks {
  viewer { name role }
  webhooks(first: 10) { nodes { id name url active callCount lastCalledAt } }
}

subscription Calls {
  callReceived { id outcome receivedAt webhook { name } executions { id status } }
}
`;

interface ExplorerPage {
  readonly gzipped: Buffer;
  readonly etag: string;
  readonly policy: string;
}

export interface ExplorerOptions {
  /** Then only for who has signed in: nobody else needs to know what runs here. */
  readonly production: boolean;
  readonly principalOf: (headers: { readonly cookie?: string | undefined }) => Promise<Principal | undefined>;
}

/**
 * GraphiQL for a person who opens /graphql in a browser, all of it from this process: nothing is fetched from elsewhere,
 * and its content security policy allows only the one script that it is. It works through the same API as any client,
 * by the session's cookie.
 *
 * @returns whether the request was a person's and has been answered.
 */
export function createExplorer(options: ExplorerOptions): (ctx: Parameters<GraphqlMiddleware>[0]) => Promise<boolean> {
  let page: Promise<ExplorerPage> | undefined;
  return async (ctx) => {
    if (ctx.method !== 'GET' || ctx.accepts('application/json', 'text/html') !== 'text/html') return false;
    ctx.vary('Accept');
    ctx.vary('Accept-Encoding');
    ctx.set('Cache-Control', 'private, no-cache'); // kept, and asked for again each time: 304
    if (options.production && (await options.principalOf(ctx.headers)) === undefined) {
      ctx.status = 401;
      ctx.body = 'Sign in first. Programs send an API token: Authorization: Bearer …\n';
      return true;
    }
    page ??= renderPage();
    const { gzipped, etag, policy } = await page;
    ctx.set('Content-Security-Policy', policy);
    ctx.type = 'html';
    ctx.status = 200;
    ctx.etag = etag;
    if (ctx.fresh) {
      ctx.status = 304;
    } else if (ctx.acceptsEncodings('gzip', 'identity') === 'gzip') {
      ctx.set('Content-Encoding', 'gzip');
      ctx.body = gzipped;
    } else {
      ctx.body = await promisify(gunzip)(gzipped);
    }
    return true;
  };
}

/** Loaded only when somebody opens it, and kept compressed: it is 9 MB of text. */
async function renderPage(): Promise<ExplorerPage> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'Workhook',
    endpoint: '/graphql',
    subscriptionsProtocol: 'WS',
    credentials: 'same-origin',
    defaultQuery: FIRST_QUERY,
  });
  const start = html.indexOf('<script>') + '<script>'.length;
  const script = html.slice(start, html.lastIndexOf('</script>'));
  return {
    gzipped: await promisify(gzip)(html),
    etag: sha256(html),
    policy: [
      "default-src 'none'",
      `script-src 'sha256-${sha256(script)}'`,
      'worker-src blob:', // the editor's language services
      "style-src 'unsafe-inline'", // the editor writes its styles as it goes
      "connect-src 'self'",
      'img-src data:',
      'font-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

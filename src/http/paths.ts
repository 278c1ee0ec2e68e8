/** The paths that outside systems know. */
export const PATHS = {
  webhooks: '/api/v1/webhooks/',
  executions: '/api/v1/executions/',
  calls: '/api/v1/calls/',
  executionResult: '/api/v1/execution-result',
  executionLogs: '/api/v1/execution-logs',
  openapi: '/openapi.json',
  graphql: '/graphql',
  login: '/login',
  oidc: '/login/oidc',
  oidcCallback: '/login/oidc/callback',
  logout: '/logout',
} as const;

/** A request target without its query. */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** The id in a webhook's URL as it stands there, unchecked; `undefined` for any other path. */
export function webhookIdIn(url: string): string | undefined {
  if (!url.startsWith(PATHS.webhooks)) return undefined;
  const id = pathOf(url).slice(PATHS.webhooks.length);
  return id === '' || id.includes('/') ? undefined : id;
}

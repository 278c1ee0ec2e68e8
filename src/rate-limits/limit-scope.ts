/** Whose calls a limit counts together: all of them, those of one user's webhooks, those of one webhook. */
export const LIMIT_SCOPES = ['GLOBAL', 'USER', 'WEBHOOK'] as const;
export type LimitScope = (typeof LIMIT_SCOPES)[number];

/** Calls a minute for everybody for whom the database says nothing else; 0 is no limit. */
export interface LimitDefaults {
  readonly globalPerMinute: number;
  readonly userPerMinute: number;
  readonly webhookPerMinute: number;
}

/** The configured number of a scope. */
export function defaultPerMinute(defaults: LimitDefaults, scope: LimitScope): number {
  switch (scope) {
    case 'GLOBAL':
      return defaults.globalPerMinute;
    case 'USER':
      return defaults.userPerMinute;
    case 'WEBHOOK':
      return defaults.webhookPerMinute;
  }
}

import type { AuthenticationMethod } from '../webhook.entity.js';

/** Where a method looks for the credential, and what stands before it there, when the webhook does not say. */
export interface MethodDefaults {
  /** As it is shown to people; compared without regard to case. Empty: the webhook must name one. */
  readonly headerName: string;
  readonly headerPrefix: string;
}

/** The one table of defaults. Senders are set up by it: it may grow and not change. */
export const METHOD_DEFAULTS: Readonly<Record<AuthenticationMethod, MethodDefaults>> = {
  SECRET_HEADER: { headerName: 'X-Webhook-Secret', headerPrefix: '' },
  HMAC_SIGNATURE: { headerName: 'X-Webhook-Signature', headerPrefix: 'sha256=' },
  BEARER_TOKEN: { headerName: 'Authorization', headerPrefix: 'Bearer ' },
  API_KEY: { headerName: 'X-API-Key', headerPrefix: '' },
  CUSTOM_HEADER: { headerName: '', headerPrefix: '' },
  PROVIDER: { headerName: '', headerPrefix: '' },
};

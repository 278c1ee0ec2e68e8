import type { IngressWebhook } from '../read-ingress-webhooks.js';

/**
 * What a request to an unknown id is verified against: the work, and so the time, is that of a real webhook, and
 * then the answer is 404.
 */
export const DECOY_WEBHOOK: IngressWebhook = {
  id: '00000000-0000-0000-0000-000000000000',
  version: 0,
  active: false,
  ownerId: '00000000-0000-0000-0000-000000000000',
  executionMode: 'ASYNC',
  dispatch: 'PARALLEL',
  syncTimeoutMs: undefined,
  idempotencyWindowMs: undefined,
  idempotencyPointer: undefined,
  flow: undefined,
  authentication: { method: 'HMAC_SIGNATURE', headerName: 'x-webhook-signature', headerPrefix: 'sha256=' },
  secrets: [{ id: '00000000-0000-0000-0000-000000000000', secret: 'decoy', expiresAtMs: 0 }],
  workerIds: [],
  rules: {},
};

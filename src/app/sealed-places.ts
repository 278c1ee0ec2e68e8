import { SEALED_CALLBACK_SECRETS } from '../callbacks/callback-settings.js';
import { SEALED_CONNECTIONS } from '../connections/connection-secrets.js';
import { SEALED_MODEL_KEYS } from '../models/model-key.js';
import { SEALED_ROOT, SEALED_WEBHOOK_SECRETS, type SealedPlace } from '../secrets/sealed-place.js';
import { SEALED_HTTP_DEFINITIONS } from '../workers/http/sealed-definitions.js';

/** Everywhere that something is sealed, but for the proofs of the keys themselves. */
export const SEALED_PLACES: readonly SealedPlace[] = [
  SEALED_CALLBACK_SECRETS,
  SEALED_CONNECTIONS,
  SEALED_HTTP_DEFINITIONS,
  SEALED_MODEL_KEYS,
  SEALED_ROOT,
  SEALED_WEBHOOK_SECRETS,
];

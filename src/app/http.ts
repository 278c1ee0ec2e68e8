import type { Registry } from 'prom-client';
import { pendingMigrations } from '../db/migrator.js';
import { retentionHorizonMs } from '../db/partitions.js';
import { createHttp } from '../http/http.js';
import type { HttpServer } from '../http/server.js';
import type { LinkSigner } from '../http/signed-link.js';
import type { TlsMaterial } from '../http/tls-files.js';
import { missingKeys } from '../secrets/assert-keyring.js';
import { bodyLimit } from '../webhooks/rules/body-limit.js';
import { verifyReader } from '../webhooks/verify-reader.js';
import type { Admin } from './admin.js';
import type { Ingress } from './ingress.js';
import type { Parts } from './parts.js';

export interface BuildHttpOptions {
  readonly ingress: Ingress;
  /** Absent without the role `admin`. */
  readonly admin: Admin | undefined;
  readonly links: LinkSigner;
  readonly tls: TlsMaterial | undefined;
  readonly metrics: Registry;
  /** Whether the process is on its way down. */
  readonly draining: () => boolean;
}

/** Puts the one HTTP server of the process together, with the routes of its roles. */
export function buildHttp(
  parts: Parts,
  { ingress, admin, links, tls, metrics, draining }: BuildHttpOptions,
): HttpServer {
  const { config, log, clock, database, hub, keyring, listener, authenticator } = parts;
  const { webhooks, accept } = ingress;
  const { bodyBytesMax, bodyBytesCeiling } = config;
  const readiness = async (): Promise<readonly string[]> => {
    if (draining()) return ['The process is stopping.'];
    const pending = await pendingMigrations(database);
    return [
      ...(pending.length > 0 ? [`Migrations have not run: ${pending.join(', ')}.`] : []),
      ...(listener.listening ? [] : ['The event connection is down.']),
      ...(await missingKeys(database.pool, keyring)).map((id) => `The encryption key "${id}" is not set here.`),
    ];
  };
  return createHttp({
    trustedProxies: config.trustedProxies,
    certificateHeaders: config.certificateHeaders,
    tls,
    allowInsecureLoopback: !config.production,
    bodyBytesMax,
    links,
    authenticate: (presented) => authenticator.authenticate(presented),
    operations: { readiness, registry: metrics },
    ingress: config.roles.has('ingress')
      ? {
          acceptCall: (incoming) => accept.accept(incoming),
          bodyLimit: bodyLimit({ webhooks, bodyBytesMax, bodyBytesCeiling }),
        }
      : undefined,
    description: config,
    results: {
      sql: database.pool,
      hub,
      preferWaitMsMax: config.preferWaitMsMax,
      waitersMax: config.resultWaitersMax,
      retentionHorizonMs: () => retentionHorizonMs(clock.nowMs(), config.retentionDays),
      verifyWebhookCredential: (webhookId, request) => verifyReader({ webhooks, clock }, webhookId, request),
    },
    admin: admin?.routes,
    clock,
    log,
  });
}

import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { Authenticator } from '../access/authenticate.js';
import { type EnsuredOwner, ensureOwner } from '../access/owner.js';
import { createOwnerLink } from '../access/login-links.js';
import { DurationRecorder } from '../calls/duration-recorder.js';
import { chooseStatisticsShard } from '../calls/statistics-shard.js';
import type { Config } from '../config.js';
import { EventHub } from '../events/event-hub.js';
import { EventListener } from '../events/event-listener.js';
import { FlowDesk } from '../flow/flow-desk.js';
import { LinkSigner } from '../http/signed-link.js';
import { readTlsFiles } from '../http/tls-files.js';
import { TlsRenewal } from '../http/tls-renewal.js';
import { systemClock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { buildAdmin } from './admin.js';
import { buildBackground } from './background.js';
import { createExampleWebhook, findExampleCommand } from './first-start.js';
import { buildHttp } from './http.js';
import { buildIngress } from './ingress.js';
import { buildMaintenance } from './maintenance.js';
import { buildMcp } from './mcp.js';
import { buildModels } from './models.js';
import { buildOutbound } from './outbound.js';
import type { Parts } from './parts.js';
import { buildRunner } from './runner.js';
import { openStored } from './stored.js';
import { welcomeText } from './welcome.js';
import { buildWorkers } from './workers.js';

export interface StartAppOptions {
  readonly config: Config;
  readonly log: Logger;
  /** The process can't go on: its embedded database is gone. */
  readonly onFatal?: () => void;
}

/** A running gateway process. */
export interface App {
  /** Where it listens. */
  readonly url: string;
  /** What to print for a person once. */
  readonly welcome: string;
  /** Drains and closes everything, last-in-first-out. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Builds every part of a process once, in the order in which they rest on one another, and closes them in the opposite
 * order. When a part can't be built, those before it are closed again.
 */
export async function startApp(options: StartAppOptions): Promise<App> {
  const stack = new AsyncDisposableStack();
  try {
    return await build(stack, options);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function build(stack: AsyncDisposableStack, { config, log, onFatal }: StartAppOptions): Promise<App> {
  const tlsFiles = config.tls;
  const tls = tlsFiles && (await readTlsFiles(tlsFiles)); // before anything is started for nothing
  const clock = systemClock;
  const { database, keyring, embedded } = await openStored(stack, {
    config,
    log,
    ...(onFatal !== undefined && { onDatabaseLost: onFatal }),
  });
  const owner = await ensureOwner({ database, clock }, config.adminToken);
  if (owner.adminToken === 'ignored') {
    log.warn('ADMIN_TOKEN is not a token here: it counts only at the very first start. Use `workhook token`.');
  }

  const hub = stack.adopt(new EventHub(), (it) => it.close());
  const listener = stack.adopt(new EventListener({ url: database.url, hub, log }), (it) => it.close());
  await listener.start();
  const listening = (): boolean => listener.listening;
  const authenticator = stack.adopt(new Authenticator({ sql: database.pool, hub, clock, log, listening }), (it) =>
    it.close(),
  );
  const shard = chooseStatisticsShard();
  const durations = stack.adopt(new DurationRecorder({ sql: database.pool, clock, log, shard }), (it) => it.close());
  const flow = stack.adopt(new FlowDesk({ pool: database.pool, hub, shard, clock, log }), (it) => it.close());
  flow.start();
  const stored = { config, log, clock, database, keyring, hub, listener, authenticator, flow, shard, durations };
  const ground = { ...stored, ...buildOutbound(stack, stored, owner.ownerId) };
  const base = {
    ...ground,
    ...(await buildModels(stack, ground, owner.ownerId)),
    mcp: await buildMcp(stack, ground),
  };
  const parts: Parts = { ...base, registry: await buildWorkers(stack, base) };

  buildMaintenance(stack, parts);
  // The port may be chosen by the system: our URLs are known once the server listens, and not used before.
  let publicUrl = config.publicUrl ?? '';
  const ingress = buildIngress(stack, parts, () => publicUrl);
  const runners = config.roles.has('runner')
    ? [await buildBackground(stack, parts, ingress.replay), await buildRunner(stack, parts)]
    : [];
  const links = new LinkSigner(keyring.deriveKey('signed-links'), clock);
  const admin = config.roles.has('admin')
    ? buildAdmin(stack, parts, {
        accept: ingress.accept,
        replay: ingress.replay,
        byHand: ingress.byHand,
        links,
        publicUrl: () => publicUrl,
      })
    : undefined;
  let draining = false;
  const http = buildHttp(parts, { ingress, admin, links, tls, metrics: new Registry(), draining: () => draining });
  const address = await http.listen(config.port, config.host);
  if (tlsFiles !== undefined && tls !== undefined) {
    const read = (): ReturnType<typeof readTlsFiles> => readTlsFiles(tlsFiles);
    stack.adopt(new TlsRenewal({ present: tls, read, renew: (it) => http.renewTls(it), log }), (it) => it.close());
  }
  stack.defer(async () => {
    draining = true;
    ingress.accept.releaseWaits();
    // They take nothing more from here on.
    const runnersStopped = Promise.all(runners.map((runner) => runner.stop(config.shutdownTimeoutMs)));
    await admin?.drain();
    await http.close(config.shutdownTimeoutMs);
    await runnersStopped;
  });
  const url = urlOf(tls === undefined ? 'http' : 'https', address);
  publicUrl ||= url;
  log.info({ url, roles: [...config.roles], embedded }, 'ready');

  return {
    url,
    welcome: welcomeText({
      url: publicUrl,
      needsHttps: config.production && publicUrl.startsWith('http:'),
      ...(await invitation(parts, owner, publicUrl, embedded)),
    }),
    close: () => stack.disposeAsync(),
  };
}

/** What lets the person at the terminal in: a login link, and a command to try. */
async function invitation(
  parts: Parts,
  owner: EnsuredOwner,
  publicUrl: string,
  embedded: boolean,
): Promise<{ readonly loginUrl: string | undefined; readonly curl: string | undefined }> {
  const { config, database } = parts;
  if (!config.roles.has('admin')) return { loginUrl: undefined, curl: undefined };
  const atTerminal = embedded && !config.production;
  const curl = owner.created
    ? await createExampleWebhook(parts, owner.ownerId, publicUrl)
    : atTerminal
      ? await findExampleCommand(parts, owner.ownerId, publicUrl)
      : undefined;
  const loginUrl = embedded
    ? `${publicUrl}/login?token=${await createOwnerLink(database, owner.ownerId, 'startup')}`
    : undefined;
  return { loginUrl, curl };
}

function urlOf(scheme: 'http' | 'https', { address, family, port }: AddressInfo): string {
  const wildcard = address === '0.0.0.0' || address === '::';
  const host = wildcard ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `${scheme}://${host}:${port}`;
}

import { randomUUID } from 'node:crypto';
import { IdentityProvider } from '../access/oidc/identity-provider.js';
import { signInWithIdentity } from '../access/oidc/sign-in.js';
import { endSession, exchangeLoginToken } from '../access/sessions.js';
import { createGraphql } from '../graphql/create-graphql.js';
import { OPERATION_BYTES_MAX } from '../graphql/read-json-body.js';
import type { TestCallAnswer } from '../graphql/context.js';
import type { AdminOptions } from '../http/http.js';
import { responseOfCall } from '../http/response-of-call.js';
import { answerOutcome } from '../http/outcome-response.js';
import type { LinkSigner } from '../http/signed-link.js';
import type { RunWorkerDeps } from '../webhooks/by-hand/run-worker.js';
import type { ReplayDeps } from '../webhooks/replay/replay-call.js';
import type { AcceptCall } from '../webhooks/accept-call.js';
import type { IncomingCall } from '../webhooks/accept-outcome.js';
import { SignatureDesk } from '../webhooks/diagnose/diagnose-signature.js';
import type { Parts } from './parts.js';

export interface BuildAdminOptions {
  readonly accept: AcceptCall;
  readonly replay: ReplayDeps;
  readonly byHand: RunWorkerDeps;
  readonly links: LinkSigner;
  readonly publicUrl: () => string;
}

export interface Admin {
  readonly routes: AdminOptions;
  /** Closes the WebSockets: the HTTP server waits for all its connections. */
  readonly drain: () => Promise<void>;
}

/** Puts together what the HTTP server mounts for the role `admin`: GraphQL and signing in. */
export function buildAdmin(stack: AsyncDisposableStack, parts: Parts, options: BuildAdminOptions): Admin {
  const { config, log, clock, database, hub, keyring, authenticator } = parts;
  const { pool } = database;
  const graphql = createGraphql({
    services: {
      database,
      hub,
      keyring,
      clock,
      log,
      publicUrl: options.publicUrl,
      outbound: parts.outbound,
      sendTestCall: (incoming) => sendTestCall(parts, options, incoming),
      responseOfCall,
      signatures: new SignatureDesk({ sql: pool, keyring, clock, publicUrl: options.publicUrl }),
      replay: options.replay,
      byHand: options.byHand,
      rateLimitDefaults: config.rateLimits,
      mcpServers: parts.mcp.names,
      bodyBytesCeiling: config.bodyBytesCeiling,
      version: config.version,
    },
    authenticator,
    introspection: config.graphqlIntrospection,
    production: config.production,
  });
  stack.adopt(graphql, (it) => it.close());
  return {
    routes: {
      graphql: graphql.middleware,
      operationBytesMax: OPERATION_BYTES_MAX,
      upgrade: graphql.upgrade,
      signIn: {
        exchangeLoginToken: (token) => exchangeLoginToken(pool, token),
        endSession: (token) => endSession(pool, token),
        homePath: '/graphql',
        identityProvider: buildIdentitySignIn(parts, options.publicUrl),
      },
    },
    drain: () => graphql.drain(),
  };
}

/** Signing in at the identity provider that the settings name. */
function buildIdentitySignIn(parts: Parts, publicUrl: () => string): AdminOptions['signIn']['identityProvider'] {
  const { config, database, clock, log } = parts;
  if (config.oidc === undefined) return undefined;
  const { newUsersRole, ...client } = config.oidc;
  const provider = new IdentityProvider({ ...client, redirectUri: () => `${publicUrl()}/login/oidc/callback` });
  return {
    begin: () => provider.begin(),
    finish: (query, pending) => provider.finish(query, pending),
    signIn: (identity) => signInWithIdentity({ database, clock, newUsersRole }, identity),
    log,
  };
}

/** The ingress's use case and the HTTP route's answer to it, without a socket in between. */
async function sendTestCall(parts: Parts, options: BuildAdminOptions, incoming: IncomingCall): Promise<TestCallAnswer> {
  const outcome = await options.accept.accept(incoming);
  const { status, body } = answerOutcome(outcome, {
    webhookId: incoming.webhookId,
    requestId: randomUUID(),
    nowMs: parts.clock.nowMs(),
    signLink: (path) => options.links.sign(path),
  });
  return { status, body: body.toString(), callId: 'call' in outcome ? outcome.call.callId : undefined };
}

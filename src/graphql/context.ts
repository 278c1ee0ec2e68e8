import type { Principal } from '../access/principal.js';
import type { CallSummary } from '../calls/call-summary.js';
import type { ExecutionView } from '../executions/execution-view.js';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../db/database.js';
import type { EventHub } from '../events/event-hub.js';
import type { Logger } from '../lib/logger.js';
import type { OutboundClient } from '../outbound/outbound-client.js';
import type { Keyring } from '../secrets/seal.js';
import type { RunWorkerDeps } from '../webhooks/by-hand/run-worker.js';
import type { ReplayDeps } from '../webhooks/replay/replay-call.js';
import type { IncomingCall } from '../webhooks/accept-outcome.js';
import type { SignatureDesk } from '../webhooks/diagnose/diagnose-signature.js';
import type { OperationRules } from './limits/prepare-operation.js';
import type { Loaders } from './loaders.js';

/** What the ingress answered to a test call. */
export interface TestCallAnswer {
  readonly status: number;
  readonly body: string;
  /** A UUID, when a call was stored. */
  readonly callId: string | undefined;
}

/** What resolvers work with: the same for every request of a process. */
export interface GraphqlServices {
  readonly database: Database;
  readonly hub: EventHub;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly log: Logger;
  /** The base of the URLs shown, without a trailing slash; known once the server listens. */
  readonly publicUrl: () => string;
  /** The one way out to addresses that users name: `testModel` asks models through it. */
  readonly outbound: Pick<OutboundClient, 'fetch' | 'fetchWith'>;
  /** Sends a call through the real ingress path, as the HTTP route does. */
  readonly sendTestCall: (incoming: IncomingCall) => Promise<TestCallAnswer>;
  /** What the caller of a stored call was answered, as text; `undefined` when that is not known. */
  readonly responseOfCall: (call: CallSummary, executions: readonly ExecutionView[]) => string | undefined;
  /** Says why requests are not authentic. */
  readonly signatures: SignatureDesk;
  /** What workers are run by hand with. */
  readonly byHand: RunWorkerDeps;
  /** What replays of calls are made with. */
  readonly replay: ReplayDeps;
  readonly rateLimitDefaults: {
    readonly globalPerMinute: number;
    readonly userPerMinute: number;
    readonly webhookPerMinute: number;
  };
  /** The names of the operator's MCP servers. */
  readonly mcpServers: ReadonlySet<string>;
  /** The largest body that a webhook may ask for, in bytes. */
  readonly bodyBytesCeiling: number;
  readonly version: string;
}

/** One operation's context, over HTTP and over WebSocket. */
export interface GraphqlContext {
  readonly services: GraphqlServices;
  readonly principal: Principal | undefined;
  readonly requestId: string;
  /** What an operation must keep to; `queryCost` tells how another one would fare. */
  readonly rules: OperationRules;
  /** Fresh for every operation, so that nothing is remembered longer. For a subscription, fresh for every event. */
  readonly loaders: Loaders;
}

import type { Authenticator } from '../access/authenticate.js';
import type { DurationRecorder } from '../calls/duration-recorder.js';
import type { Config } from '../config.js';
import type { ConnectionClient } from '../connections/connection-client.js';
import type { Database } from '../db/database.js';
import type { EventHub } from '../events/event-hub.js';
import type { EventListener } from '../events/event-listener.js';
import type { FlowDesk } from '../flow/flow-desk.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { ModelDesk } from '../models/model-desk.js';
import type { SpendCaps } from '../models/spend-caps.js';
import type { OutboundClient } from '../outbound/outbound-client.js';
import type { Keyring } from '../secrets/seal.js';
import type { McpServers } from '../workers/agent/mcp/mcp-servers.js';
import type { WorkerRegistry } from '../workers/registry.js';

/** What every role of a process is built from. */
export interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly database: Database;
  readonly keyring: Keyring;
  readonly hub: EventHub;
  readonly listener: EventListener;
  readonly authenticator: Authenticator;
  /** The one way out of the process. */
  readonly outbound: OutboundClient;
  readonly connections: ConnectionClient;
  /** The one way to a model. */
  readonly models: ModelDesk;
  /** What webhooks may spend. */
  readonly spendCaps: SpendCaps;
  /** The MCP servers that agents use. */
  readonly mcp: McpServers;
  readonly registry: WorkerRegistry;
  readonly flow: FlowDesk;
  /** Counts how long accepts and executions take. */
  readonly durations: DurationRecorder;
  /** This process's shard of the statistics' counters. */
  readonly shard: number;
}

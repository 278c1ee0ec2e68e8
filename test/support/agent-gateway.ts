import {
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from './gateway-process.js';
import { type CallAnswer, postCall } from './post-call.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

/** A gateway in a process of its own, with agents on it; the models' providers are servers of the test. */
export interface AgentGateway extends GatewayProcess {
  readonly database: TestDatabase;
  /** Makes an agent and gives its id. */
  addAgent(input: Record<string, unknown>): Promise<string>;
  /** Makes a webhook that runs workers, and gives what posts to it. */
  addWebhook(workerIds: readonly string[], input?: WebhookInput): Promise<Post>;
  /** Ends the process and drops its database. */
  close(): Promise<void>;
  /** An execution as a reader sees it. */
  read(executionId: string): Promise<ExecutionSeen>;
}

export type Post = (body: unknown, headers?: Record<string, string>) => Promise<CallAnswer<CallBody>>;

export interface CallBody {
  readonly callId: string;
  readonly webhookId: string;
  readonly status: string;
  readonly executionMode: string;
  readonly results: readonly {
    readonly workerId: string;
    readonly executionId: string;
    readonly success: boolean;
    readonly result?: AgentResult;
    readonly error?: string;
    readonly code?: string;
    readonly promptTokens?: number;
    readonly completionTokens?: number;
  }[];
}

export interface AgentResult {
  readonly role: string;
  readonly content: string;
  readonly object?: unknown;
  readonly truncated?: boolean;
}

export interface ExecutionSeen {
  readonly status: string;
  readonly attempt: number;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly result: AgentResult | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly steps: readonly {
    readonly path: string;
    readonly status: string;
    readonly attempt: number;
    readonly usage: { readonly promptTokens: number | null; readonly completionTokens: number | null } | null;
    readonly output: unknown;
  }[];
}

/**
 * @param env settings besides those of the database.
 * @param given a database that another gateway had before.
 */
export async function startAgentGateway(
  env: Readonly<Record<string, string>>,
  given?: TestDatabase,
): Promise<AgentGateway> {
  const database = given ?? (await createTestDatabase());
  const gateway = await startGatewayProcess({
    env: { ...databaseEnv(database.url), OUTBOUND_ALLOWED_CIDRS: '127.0.0.0/8', ...env },
  });
  return {
    ...gateway,
    database,
    close: async () => {
      await gateway.end('SIGTERM');
      await database.drop();
    },
    addAgent: async (input) => {
      const { createAgentWorker: payload } = await gateway.graphql<{
        createAgentWorker: { worker: { id: string } | null; userErrors: unknown[] };
      }>(
        `mutation ($input: CreateAgentWorkerInput!) {
          createAgentWorker(input: $input) { worker { id } userErrors { field message code } }
        }`,
        { input: { name: 'Agent', instructions: 'Be of use.', ...input } },
      );
      if (payload.worker === null) throw new Error(JSON.stringify(payload.userErrors));
      return payload.worker.id;
    },
    addWebhook: async (workerIds, input = {}) => {
      const webhook = await createWebhook(gateway, {
        workerIds,
        executionMode: 'SYNC',
        authentication: { method: 'SECRET_HEADER' },
        ...input,
      });
      return (body, headers) => postCall<CallBody>(webhook, JSON.stringify(body), headers);
    },
    read: async (executionId) => {
      const { execution } = await gateway.graphql<{
        execution: Omit<ExecutionSeen, 'steps'> & { steps: { nodes: ExecutionSeen['steps'] } };
      }>(
        `query ($id: ID!) { execution(id: $id) {
          status attempt promptTokens completionTokens result error { code message }
          steps(first: 100) { nodes { path status attempt usage { promptTokens completionTokens } output } }
        } }`,
        { id: executionId },
      );
      return { ...execution, steps: execution.steps.nodes };
    },
  };
}

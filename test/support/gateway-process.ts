import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const READY_MS_MAX = 30_000;

/** The owner's API token of gateways that tests and the bench start. */
export const ADMIN_TOKEN = 'owner-token-for-tests-0123456789-0123456789';

/** A key for databases of tests; 32 bytes in base64. */
const ENCRYPTION_KEYS = `test:${Buffer.alloc(32, 7).toString('base64')}`;

/** A gateway in a process of its own, as an operator runs it. */
export interface GatewayProcess {
  /** Where it listens. */
  readonly url: string;
  readonly pid: number;
  /** All that it printed on standard output so far. */
  printed(): string;
  /** All that it logged so far: JSON lines of standard error. */
  logged(): string;
  /** Posts a GraphQL document as the owner; throws on errors. */
  graphql<Data>(document: string, variables?: object): Promise<Data>;
  /** Sends a signal and resolves with the exit code when the process is gone; `null` after a SIGKILL. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface GatewayOptions {
  /** Settings; nothing of the test's own environment reaches the process but PATH. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts the built gateway and resolves when it says that it is ready. */
export async function startGatewayProcess({ env }: GatewayOptions): Promise<GatewayProcess> {
  const child = spawnGateway(['start'], env);
  let printed = '';
  let logged = '';
  child.stderr!.on('data', (chunk: Buffer) => (logged += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (reason: string): void => reject(new Error(`${reason}\n${printed}\n${logged}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('The gateway was not ready in time.');
    }, READY_MS_MAX);
    void exited.then((code) => {
      clearTimeout(timer);
      fail(`The gateway ended with ${String(code)} before it was ready.`);
    });
    child.stdout!.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      const found = /^Workhook is ready: (\S+)$/m.exec(printed)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
  });
  return {
    url,
    pid: child.pid!,
    printed: () => printed,
    logged: () => logged,
    graphql: (document, variables) => postGraphql(url, document, variables),
    end: async (signal) => {
      child.kill(signal);
      return await exited;
    },
  };
}

/** The settings of a gateway on a test's database. */
export function databaseEnv(databaseUrl: string): Record<string, string> {
  return { DATABASE_URL: databaseUrl, ENCRYPTION_KEYS, ADMIN_TOKEN, PORT: '0', LOG_LEVEL: 'warn' };
}

/** Runs the gateway's command line to its end. */
export async function runGatewayCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawnGateway(args, env);
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const timer = setTimeout(() => child.kill('SIGKILL'), READY_MS_MAX);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, stdout, stderr };
}

function spawnGateway(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, ['dist/src/main.js', ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function postGraphql<Data>(url: string, query: string, variables?: object): Promise<Data> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as { data?: Data; errors?: unknown };
  if (answer.data === undefined || answer.data === null || answer.errors !== undefined) {
    throw new Error(`GraphQL answered ${response.status}: ${JSON.stringify(answer.errors)}`);
  }
  return answer.data;
}

export interface WebhookInput {
  readonly name?: string;
  readonly workerIds?: readonly string[];
  readonly executionMode?: 'SYNC' | 'ASYNC';
  readonly dispatch?: 'PARALLEL' | 'SEQUENTIAL';
  readonly syncTimeout?: string;
  readonly active?: boolean;
  readonly idempotencyWindow?: string;
  readonly idempotencyPointer?: string;
  readonly callbackUrl?: string;
  readonly allowedCidrs?: readonly string[];
  readonly clientCertificates?: readonly { fingerprint?: string; subject?: string; name?: string }[];
  readonly filter?: string;
  readonly bodyBytesMax?: number;
  readonly acceptAnyJson?: boolean;
  readonly flow?: {
    readonly concurrency?: number;
    readonly fifoKey?: string;
    readonly debounce?: { readonly quiet: string; readonly maxDelay?: string };
  };
  readonly authentication?: {
    method: string;
    provider?: string;
    headerName?: string;
    headerPrefix?: string;
    secret?: string;
  };
}

export interface CreatedWebhook {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly curl: string;
  /** Of a webhook with a callback URL. */
  readonly callbackSecret?: string | null;
}

/** Creates a webhook through the API: by default async, HMAC, one echo worker. */
export async function createWebhook(gateway: GatewayProcess, input: WebhookInput = {}): Promise<CreatedWebhook> {
  const { createWebhook: payload } = await gateway.graphql<{
    createWebhook: {
      webhook: { id: string; url: string } | null;
      secret: string;
      curl: string;
      callbackSecret: string | null;
      userErrors: { message: string }[];
    };
  }>(
    `mutation ($input: CreateWebhookInput!) {
      createWebhook(input: $input) { webhook { id url } secret curl callbackSecret userErrors { message } }
    }`,
    {
      input: { name: 'test', workerIds: ['worker-echo'], authentication: { method: 'HMAC_SIGNATURE' }, ...input },
    },
  );
  if (payload.webhook === null) throw new Error(JSON.stringify(payload.userErrors));
  return { ...payload.webhook, secret: payload.secret, curl: payload.curl, callbackSecret: payload.callbackSecret };
}

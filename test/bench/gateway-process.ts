import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A gateway in a process of its own, as an operator runs it, on an embedded PostgreSQL in an empty folder. */
export interface GatewayProcess {
  readonly url: string;
  readonly adminToken: string;
  graphql<Data>(document: string, variables?: Record<string, unknown>): Promise<Data>;
  stop(): Promise<void>;
}

const ADMIN_TOKEN = 'bench-token-0123456789-0123456789-0123456789';
const READY_MS_MAX = 60_000;

/** @param roles as in the setting ROLES. */
export async function startGatewayProcess(roles: string): Promise<GatewayProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'workhook-bench-'));
  const child = spawn(process.execPath, ['dist/src/main.js', 'start'], {
    env: {
      PATH: process.env['PATH'],
      DATA_DIR: dataDir,
      PORT: '0',
      ROLES: roles,
      ADMIN_TOKEN,
      LOG_LEVEL: 'warn',
      RATE_LIMIT_GLOBAL_PER_MINUTE: '0',
      RATE_LIMIT_USER_PER_MINUTE: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the gateway was not ready in time')), READY_MS_MAX);
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    void exited.then(() => reject(new Error('the gateway ended before it was ready')));
  });
  return {
    url,
    adminToken: ADMIN_TOKEN,
    graphql: (document, variables) => postGraphql(url, document, variables),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function postGraphql<Data>(url: string, query: string, variables?: Record<string, unknown>): Promise<Data> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as { data?: Data; errors?: unknown };
  if (answer.data === undefined || answer.errors !== undefined) throw new Error(JSON.stringify(answer.errors));
  return answer.data;
}

/** Creates an async HMAC webhook that runs the echo worker; gives its path and secret. */
export async function createEchoWebhook(gateway: GatewayProcess): Promise<{ id: string; path: string; secret: string }> {
  const { createWebhook } = await gateway.graphql<{
    createWebhook: { webhook: { id: string; url: string } | null; secret: string; userErrors: { message: string }[] };
  }>(
    `mutation ($input: CreateWebhookInput!) {
      createWebhook(input: $input) { webhook { id url } secret userErrors { message } }
    }`,
    {
      input: {
        name: 'bench',
        workerIds: ['worker-echo'],
        executionMode: 'ASYNC',
        authentication: { method: 'HMAC_SIGNATURE' },
      },
    },
  );
  if (createWebhook.webhook === null) throw new Error(JSON.stringify(createWebhook.userErrors));
  const { id } = createWebhook.webhook;
  return { id, path: `/api/v1/webhooks/${id}`, secret: createWebhook.secret };
}

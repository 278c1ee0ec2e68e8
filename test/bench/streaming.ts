import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type * as StartEmbeddedPostgresModule from '../../src/db/embedded/start-embedded-postgres.ts';
import { ADMIN_TOKEN, createWebhook, databaseEnv, startGatewayProcess } from '../support/gateway-process.ts';
import { postCall } from '../support/post-call.ts';

/**
 * How long a piece of text takes from the worker to an SSE client and to a subscriber, both served by a process that
 * does not run the worker. Runs from `dist`: `npm run build && node test/bench/streaming.ts [streams at once] [ms between pieces]`.
 */
const streams = Number(process.argv[2] ?? 1);
const delayMs = Number(process.argv[3] ?? 20);
const PIECES = 400;

const { startEmbeddedPostgres } = (await import(
  new URL('../../dist/src/db/embedded/start-embedded-postgres.js', import.meta.url).href
)) as typeof StartEmbeddedPostgresModule;

const dataDir = await mkdtemp(join(tmpdir(), 'workhook-bench-'));
const server = await startEmbeddedPostgres({ dataDir, log: () => undefined });
const env = { ...databaseEnv(server.url), WORKERS_DIR: 'test/support/workers' };
const front = await startGatewayProcess({ env: { ...env, ROLES: 'ingress,admin' } });
const runner = await startGatewayProcess({ env: { ...env, ROLES: 'runner' } });
const client = createClient({
  url: `${front.url.replace('http', 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${ADMIN_TOKEN}` },
});
const sse: number[] = [];
const subscription: number[] = [];
try {
  const webhook = await createWebhook(front, {
    workerIds: ['worker-streaming'],
    authentication: { method: 'SECRET_HEADER' },
  });
  await Promise.all(
    Array.from({ length: streams }, async () => {
      const { body } = await postCall<{ results: { executionId: string }[] }>(
        webhook,
        JSON.stringify({ pieces: PIECES, delayMs }),
      );
      const id = body.results[0]!.executionId;
      await Promise.all([overSse(id), overSubscription(id)]);
    }),
  );
  console.log(`${streams} at once, a piece every ${delayMs} ms`);
  report('SSE', sse);
  report('subscription', subscription);
} finally {
  await client.dispose();
  await runner.end('SIGTERM');
  await front.end('SIGTERM');
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
}

/** Each piece has the time at which it was written. */
function note(latencies: number[], delta: string): void {
  for (const [, at] of delta.matchAll(/@(\d+) /g)) latencies.push(Date.now() - Number(at));
}

async function overSse(id: string): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, accept: 'text/event-stream' };
  const response = await fetch(`${front.url}/api/v1/executions/${id}`, { headers });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body!) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) if (block.startsWith('event: delta')) note(sse, block);
  }
}

function overSubscription(id: string): Promise<void> {
  const query = 'subscription ($id: ID!) { executionEvents(executionId: $id) { ... on ExecutionTextDelta { delta } } }';
  return new Promise((resolve, reject) => {
    client.subscribe<{ executionEvents: { delta?: string } }>(
      { query, variables: { id } },
      {
        next: ({ data }) => note(subscription, data?.executionEvents.delta ?? ''),
        error: reject,
        complete: resolve,
      },
    );
  });
}

function report(name: string, latencies: number[]): void {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  console.log(`${name}: ${sorted.length} pieces, p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`);
}

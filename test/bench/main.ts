import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADMIN_TOKEN, createWebhook, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts';
import { cpuTimeUs, postgresPids } from './cpu-time.ts';
import { load, type LoadResult, orderEvent } from './load.ts';

/**
 * Two figures, each from real processes:
 *
 * 1. durable async accepts a second (HMAC, 64 connections, roles ingress and admin) as a ratio to a bare node:http
 *    server, the two measured in turn so that a drift of the machine hits both;
 * 2. executions a second from accept to terminal state with the echo worker, all roles and the worker in one process
 *    (`test/bench/executions.ts` compares that with isolated workers).
 *
 * `npm run bench [rounds] [seconds]`
 */
const rounds = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 5);
const EXECUTIONS = 20_000;
const WARM_UP = 2_000;

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const perSecond = (n: number): string => `${Math.round(n).toLocaleString('en')}/s`;

/** Runs `work` against a gateway of its own on an embedded PostgreSQL in an empty folder, without rate limits. */
async function withGateway(
  roles: string,
  work: (gateway: GatewayProcess, dataDir: string) => Promise<void>,
): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'workhook-bench-'));
  try {
    const gateway = await startGatewayProcess({
      env: {
        DATA_DIR: dataDir,
        PORT: '0',
        ROLES: roles,
        ADMIN_TOKEN,
        LOG_LEVEL: 'warn',
        WORKERS_ISOLATION: 'none',
        RATE_LIMIT_GLOBAL_PER_MINUTE: '0',
        RATE_LIMIT_USER_PER_MINUTE: '0',
      },
    });
    try {
      await work(gateway, dataDir);
    } finally {
      await gateway.end('SIGTERM');
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function startBareServer(): Promise<{ url: string; pid: number; stop: () => void }> {
  const child = spawn(process.execPath, ['test/bench/bare-server.ts'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((resolve) =>
    child.stdout.once('data', (line: Buffer) => resolve(line.toString().trim())),
  );
  return { url, pid: child.pid!, stop: () => child.kill('SIGTERM') };
}

interface CpuTime {
  readonly gatewayUs: number;
  readonly postgresUs: number;
  readonly bareUs: number;
}

/** Runs a load and gives, behind its result, the CPU time a call of each group of processes, in microseconds. */
async function measured(
  groups: readonly (readonly number[])[],
  run: () => Promise<LoadResult>,
): Promise<[LoadResult, ...number[]]> {
  const before = groups.map(cpuTimeUs);
  const result = await run();
  return [result, ...groups.map((pids, i) => (cpuTimeUs(pids) - before[i]!) / result.answers)];
}

async function benchAccepts(gateway: GatewayProcess, dataDir: string): Promise<void> {
  const bare = await startBareServer();
  try {
    const webhook = await createWebhook(gateway);
    const gatewayUrl = webhook.url;
    const bareUrl = bare.url + new URL(webhook.url).pathname;
    await load(gatewayUrl, webhook.secret, { seconds: 3 });
    await load(bareUrl, webhook.secret, { seconds: 2 });
    const ratios: number[] = [];
    const accepts: number[] = [];
    const cpu: CpuTime[] = [];
    const postgres = postgresPids(dataDir);
    for (let round = 1; round <= rounds; round += 1) {
      const [ours, gatewayUs, postgresUs] = await measured([[gateway.pid], postgres], () =>
        load(gatewayUrl, webhook.secret, { seconds }),
      );
      const [theirs, bareUs] = await measured([[bare.pid]], () => load(bareUrl, webhook.secret, { seconds }));
      const ratio = ours.perSecond / theirs.perSecond;
      ratios.push(ratio);
      accepts.push(ours.perSecond);
      cpu.push({ gatewayUs: gatewayUs!, postgresUs: postgresUs!, bareUs: bareUs! });
      console.log(
        `round ${round}: accepts ${perSecond(ours.perSecond)} (p50 ${ours.p50Ms} ms, p99 ${ours.p99Ms} ms), ` +
          `bare ${perSecond(theirs.perSecond)}, ratio ${ratio.toFixed(2)}`,
      );
    }
    const us = (of: (time: CpuTime) => number): string => `${Math.round(median(cpu.map(of)))} µs`;
    console.log(
      `accepts: median ${perSecond(median(accepts))}, median ratio to bare node:http ${median(ratios).toFixed(2)}\n` +
        `CPU a call: gateway ${us((time) => time.gatewayUs)}, PostgreSQL ${us((time) => time.postgresUs)}, ` +
        `bare node:http ${us((time) => time.bareUs)}`,
    );
  } finally {
    bare.stop();
  }
}

async function benchExecutions(gateway: GatewayProcess): Promise<void> {
  const webhook = await createWebhook(gateway);
  const untilDone = async (calls: number): Promise<void> => {
    for (const deadlineMs = performance.now() + 120_000; performance.now() < deadlineMs;) {
      const { statistics } = await gateway.graphql<{ statistics: { succeeded: number; failed: number } }>(
        `query ($id: ID!) { statistics(webhookId: $id) { succeeded failed } }`,
        { id: webhook.id },
      );
      if (statistics.failed > 0) throw new Error(`${statistics.failed} executions failed`);
      if (statistics.succeeded >= calls) return;
      await new Promise((resolve) => setTimeout(resolve, 100)); // the figure's resolution
    }
    throw new Error('the executions did not finish in time');
  };
  await load(webhook.url, webhook.secret, { amount: WARM_UP });
  await untilDone(WARM_UP);
  const startedMs = performance.now();
  const accepted = await load(webhook.url, webhook.secret, { amount: EXECUTIONS });
  const acceptedS = (performance.now() - startedMs) / 1000;
  await untilDone(WARM_UP + EXECUTIONS);
  const doneS = (performance.now() - startedMs) / 1000;
  console.log(
    `executions: ${perSecond(EXECUTIONS / doneS)} from the first accept to the last terminal state ` +
      `(${EXECUTIONS} accepted in ${acceptedS.toFixed(1)} s, p99 ${accepted.p99Ms} ms; all done in ${doneS.toFixed(1)} s)`,
  );
}

console.log(`bodies of ${Buffer.byteLength(orderEvent(1))} bytes, 64 connections, ${rounds} rounds of ${seconds} s`);
await withGateway('ingress,admin', benchAccepts);
await withGateway('ingress,admin,runner', benchExecutions);

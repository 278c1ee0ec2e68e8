import { spawn } from 'node:child_process';
import { createEchoWebhook, startGatewayProcess } from './gateway-process.ts';
import { BODY, load } from './load.ts';

/**
 * Two figures, each from real processes:
 *
 * 1. durable async accepts a second (HMAC, 64 connections, roles ingress and admin) as a ratio to a bare node:http
 *    server, the two measured in turn so that a drift of the machine hits both;
 * 2. executions a second from accept to terminal state with the echo worker, all roles in one process.
 *
 * `npm run bench [rounds] [seconds]`
 */
const rounds = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 5);
const EXECUTIONS = 20_000;

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const perSecond = (n: number): string => `${Math.round(n).toLocaleString('en')}/s`;

async function startBareServer(): Promise<{ url: string; stop: () => void }> {
  const child = spawn(process.execPath, ['test/bench/bare-server.ts'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((resolve) => child.stdout.once('data', (line: Buffer) => resolve(line.toString().trim())));
  return { url, stop: () => child.kill('SIGTERM') };
}

async function benchAccepts(): Promise<void> {
  const gateway = await startGatewayProcess('ingress,admin');
  const bare = await startBareServer();
  try {
    const webhook = await createEchoWebhook(gateway);
    const gatewayUrl = gateway.url + webhook.path;
    const bareUrl = bare.url + webhook.path;
    await load(gatewayUrl, webhook.secret, { seconds: 3 });
    await load(bareUrl, webhook.secret, { seconds: 2 });
    const ratios: number[] = [];
    const accepts: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const ours = await load(gatewayUrl, webhook.secret, { seconds });
      const theirs = await load(bareUrl, webhook.secret, { seconds });
      const ratio = ours.perSecond / theirs.perSecond;
      ratios.push(ratio);
      accepts.push(ours.perSecond);
      console.log(
        `round ${round}: accepts ${perSecond(ours.perSecond)} (p50 ${ours.p50Ms} ms, p99 ${ours.p99Ms} ms), ` +
          `bare ${perSecond(theirs.perSecond)}, ratio ${ratio.toFixed(2)}`,
      );
    }
    console.log(`accepts: median ${perSecond(median(accepts))}, median ratio to bare node:http ${median(ratios).toFixed(2)}`);
  } finally {
    bare.stop();
    await gateway.stop();
  }
}

async function benchExecutions(): Promise<void> {
  const gateway = await startGatewayProcess('ingress,admin,runner');
  try {
    const webhook = await createEchoWebhook(gateway);
    await load(gateway.url + webhook.path, webhook.secret, { amount: 2_000 });
    await untilDone(2_000);
    const startedMs = performance.now();
    const accepted = await load(gateway.url + webhook.path, webhook.secret, { amount: EXECUTIONS });
    const acceptedMs = performance.now() - startedMs;
    await untilDone(2_000 + EXECUTIONS);
    const doneMs = performance.now() - startedMs;
    console.log(
      `executions: ${perSecond(EXECUTIONS / (doneMs / 1000))} from first accept to last terminal state ` +
        `(${EXECUTIONS} calls accepted in ${(acceptedMs / 1000).toFixed(1)} s, p99 ${accepted.p99Ms} ms; all done in ${(doneMs / 1000).toFixed(1)} s)`,
    );

    async function untilDone(calls: number): Promise<void> {
      for (const deadlineMs = performance.now() + 120_000; performance.now() < deadlineMs; ) {
        const { statistics } = await gateway.graphql<{ statistics: { succeeded: number; failed: number } }>(
          `query ($id: ID!) { statistics(webhookId: $id) { succeeded failed } }`,
          { id: webhook.id },
        );
        if (statistics.failed > 0) throw new Error(`${statistics.failed} executions failed`);
        if (statistics.succeeded >= calls) return;
        await new Promise((resolve) => setTimeout(resolve, 100)); // the figure's resolution
      }
      throw new Error('the executions did not finish in time');
    }
  } finally {
    await gateway.stop();
  }
}

console.log(`body ${Buffer.byteLength(BODY)} bytes, 64 connections, ${rounds} rounds of ${seconds} s`);
await benchAccepts();
await benchExecutions();

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { EarlierProgress } from '../../../src/executions/load-progress.js';
import type { Lease } from '../../../src/executions/lease.js';
import { RunProgress } from '../../../src/executions/run-progress.js';
import { SharedProgress } from '../../../src/executions/run-scope.js';
import { runOwnWorker } from '../../../src/executions/run-worker.js';
import type { ProgressWrite, StepEntry } from '../../../src/executions/write-progress.js';
import { AppError } from '../../../src/errors.js';
import { asJsonText, type JsonText, toJsonText } from '../../../src/lib/json-text.js';
import { newRandomUuid } from '../../../src/lib/ids.js';
import { createLogger } from '../../../src/lib/logger.js';
import type { OutboundResponse } from '../../../src/outbound/outbound-client.js';
import { type LoadedWorker, Postponed, type WorkerOutput, type WorkerRun } from '../../../src/workers/worker-run.js';
import { compileWorkflow } from '../../../src/workers/workflow/compile-workflow.js';
import { WorkflowRunner } from '../../../src/workers/workflow/run/workflow-runner.js';
import { toStoredWorkflow } from '../../../src/workers/workflow/workflow-definition.js';

const log = createLogger('silent');

/** What a database would keep of an execution's steps, written and read as the executions' own SQL does. */
class StepTable {
  readonly #rows = new Map<string, StepEntry>();

  write({ entries }: ProgressWrite): void {
    for (const entry of entries) {
      if (entry.kind !== 'step') continue;
      const before = this.#rows.get(entry.path);
      this.#rows.set(entry.path, {
        ...entry,
        state: entry.state ?? before?.state,
        input: entry.input ?? before?.input,
        ...((entry.worker ?? before?.worker) ? { worker: entry.worker ?? before!.worker! } : {}),
      });
    }
  }

  load(): EarlierProgress {
    const all = [...this.#rows.values()];
    return {
      finished: new Map(
        all.flatMap(({ path, status, output }) =>
          status === 'SUCCEEDED' && output !== undefined ? [[path, { output, attempt: 1 }] as const] : [],
        ),
      ),
      versions: new Map(),
      running: new Set(
        all.flatMap(({ path, status, state }) => (state === undefined && status === 'RUNNING' ? [path] : [])),
      ),
      texts: new Map(),
      noted: new Map(
        all.flatMap(({ path, status, state, input, error }) =>
          state === undefined
            ? []
            : [[path, { status, state, input, error: error === undefined ? undefined : JSON.parse(error) }] as const],
        ),
      ),
    };
  }
}

interface Story {
  readonly result: unknown;
  /** How often each call of a worker, and each request, was made, by its path. */
  readonly done: ReadonlyMap<string, number>;
}

/**
 * Runs a workflow to its end. Before each write that `kills` names (counted over all attempts), the process dies: the
 * write is lost, and the next attempt begins with what is stored.
 */
async function storyOf(definition: unknown, input: JsonText, kills: ReadonlySet<number>): Promise<Story> {
  const compiled = compileWorkflow(definition);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.userErrors));
  const table = new StepTable();
  const id = newRandomUuid();
  const done = new Map<string, number>();
  const count = (path: string): void => void done.set(path, (done.get(path) ?? 0) + 1);
  let nowMs = 1_000_000;
  let writes = 0;
  const runner = new WorkflowRunner({
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    connections: {
      request: async ({ path, headers }): Promise<OutboundResponse> => {
        count(headers!['idempotency-key']!.replace(/^.*?:/, ''));
        return { status: path === '/fails' ? 404 : 200, headers: {}, body: Buffer.from(path), truncated: false };
      },
    },
  });
  const host = {
    load: async (workerId: string): Promise<LoadedWorker> => ({
      id: workerId,
      kind: workerId === 'worker-main' ? 'WORKFLOW' : 'CODE',
      name: workerId,
      version: 1,
      definition: workerId === 'worker-main' ? toStoredWorkflow(definition, compiled.value) : {},
      inputSchema: null,
      outputSchema: null,
      timeoutMs: 60_000,
      attemptsMax: 3,
    }),
    run: async (worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> => {
      if (worker.kind === 'WORKFLOW') return await runner.run(worker, run);
      count(run.path);
      if (worker.id === 'worker-fails') throw new AppError('WORKER_FAILED', 'always', { retryable: true });
      return { result: toJsonText({ got: run.inputParams }) };
    },
  };
  for (let attempt = 1; attempt < 500; attempt += 1) {
    const lease = { executionId: id, callId: id, webhookId: id, attempt } as unknown as Lease;
    const controller = new AbortController();
    const progress = new RunProgress({
      lease,
      write: async (write) => {
        writes += 1;
        if (controller.signal.aborted || kills.has(writes)) return 'refused';
        table.write(write);
        return 'written';
      },
      onLost: (error) => controller.abort(error),
    });
    const shared = new SharedProgress(progress, attempt, table.load());
    try {
      const context = { workers: host, lease, shared, log };
      const { result } = await runOwnWorker(context, await host.load('worker-main'), input, controller.signal);
      return { result: JSON.parse(result), done };
    } catch (error) {
      if (error instanceof Postponed) nowMs += error.delayMs;
      else if (!controller.signal.aborted) return { result: { failed: (error as AppError).message }, done };
    } finally {
      await progress.close();
    }
  }
  throw new Error('the workflow came to no end');
}

const HTTP = { connection: 'conn-a', path: '/' };

/** Steps of all kinds but approvals, with ids that are unique by a number. */
const steps = (() => {
  const leaf = fc.constantFrom<object>(
    { worker: 'worker-works', with: { x: '{{ input.n }}' } },
    { worker: 'worker-fails', onError: 'continue', retry: { max: 1 } },
    { set: { n: '{{ input.n }}' } },
    { http: HTTP },
    { http: { connection: 'conn-a', path: '/fails' }, onError: 'continue' },
    { wait: '5m' },
    { set: { never: 1 }, if: 'input.n > 100' },
  );
  const { list } = fc.letrec<{ list: object[]; step: object }>((tie) => ({
    list: fc.array(tie('step'), { minLength: 1, maxLength: 3 }),
    step: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      leaf,
      fc.record({ parallel: fc.array(tie('list'), { minLength: 1, maxLength: 2 }) }),
      fc.record({ foreach: fc.constant('{{ input.items }}'), concurrency: fc.constantFrom(1, 2), do: tie('list') }),
      fc.record({
        switch: fc.tuple(
          fc.record({ if: fc.constant('input.n > 3'), do: tie('list') }),
          fc.record({ do: tie('list') }),
        ),
      }),
    ),
  }));
  return list;
})();

/** Gives every step an id of its own. */
function named(value: unknown, next = { id: 0 }): unknown {
  if (Array.isArray(value)) return value.map((entry) => (isStep(entry) ? withId(entry, next) : named(entry, next)));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, named(member, next)]));
}

function withId(step: object, next: { id: number }): unknown {
  next.id += 1;
  return { id: `s${next.id}`, ...(named(step, next) as object) };
}

function isStep(value: unknown): value is object {
  const actions = ['worker', 'http', 'wait', 'set', 'parallel', 'foreach', 'switch'];
  return typeof value === 'object' && value !== null && actions.some((action) => Object.hasOwn(value, action));
}

describe('a workflow whose process is killed', () => {
  it('comes to the same end, and does nothing again that had ended', async () => {
    const killing = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 0, max: 6 }), killing, async (list, n, kills) => {
        const definition = { version: 1, steps: named(list) };
        const input = toJsonText({ n, items: ['a', 'b'] });
        const calm = await storyOf(definition, input, new Set());
        const killed = await storyOf(definition, input, new Set(kills));
        expect(killed.result).toEqual(calm.result);
        expect([...killed.done.keys()].toSorted()).toEqual([...calm.done.keys()].toSorted());
        for (const times of killed.done.values()) expect(times).toBeLessThanOrEqual(1 + new Set(kills).size);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('keeps the items, the case and the outcome that it once took', async () => {
    const items = Array.from({ length: 8 }, (_, i) => i);
    const definition = {
      version: 1,
      steps: [
        { id: 'coin', set: { side: '{{ input.sides | sample }}' } },
        {
          id: 'route',
          switch: [
            { if: 'steps.coin.result.side == "heads"', do: [{ id: 'heads', set: { is: 'heads' } }] },
            { do: [{ id: 'tails', set: { is: 'tails' } }] },
          ],
        },
        {
          id: 'each',
          foreach: '{{ input.items | sample: 8 }}',
          do: [{ id: 'one', worker: 'worker-works', with: '{{ item }}' }],
        },
      ],
      output: {
        side: '{{ steps.coin.result.side }}',
        route: '{{ steps.route.result.is }}',
        each: '{{ steps.each.result }}',
      },
    };
    const input = toJsonText({ items, sides: ['heads', 'tails'] });
    for (let kill = 1; kill <= 30; kill += 1) {
      const { result } = await storyOf(definition, input, new Set([kill, kill + 7, kill + 14]));
      const { side, route, each } = result as { side: string; route: string; each: { got: number }[] };
      expect(route).toBe(side);
      expect(each.map(({ got }) => got).toSorted((a, b) => a - b)).toEqual(items);
    }
  });

  it('does a step again that had not ended: the control that must repeat', async () => {
    const definition = { version: 1, steps: [{ id: 'a', worker: 'worker-works' }] };
    const { done } = await storyOf(definition, asJsonText('{}'), new Set([3])); // the end of the worker is lost
    expect([...done.values()]).toEqual([2]);
  });
});

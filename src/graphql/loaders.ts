import DataLoader from 'dataloader';
import type { Principal } from '../access/principal.js';
import { readUsersById, type UserView } from '../access/read-users.js';
import type { AlertView } from '../alerts/alert.js';
import { readAlerts } from '../alerts/read-alerts.js';
import type { BulkOperationView } from '../bulk/bulk-operation.js';
import { readBulkOperations } from '../bulk/read-bulk.js';
import type { CallbackAttemptView, CallbackView } from '../callbacks/callback.js';
import {
  type CallbackPageRequest,
  countCallbacksOfWebhooks,
  listCallbacksOfWebhooks,
  readAttemptsOfCallbacks,
  readCallbacksByIds,
  readCallbacksOfCalls,
} from '../callbacks/read-callbacks.js';
import { type CallCount, readCallCounts } from '../calls/call-counts.js';
import { type CallRequest, type CallSummary, readCallRequests, readCallsByIds } from '../calls/call-summary.js';
import { countCallsOfWebhooks, listCallsOfWebhooks } from '../calls/list-calls-of-webhooks.js';
import { type CallStatistics, readStatisticsByWebhook } from '../calls/statistics.js';
import { type ConnectionView, readConnectionsById } from '../connections/read-connections.js';
import type { Database } from '../db/database.js';
import type { KeysetPage, KeysetRequest } from '../db/keyset.js';
import type { ExecutionView } from '../executions/execution-view.js';
import { countExecutionsOfWorkers, listExecutionsOfWorkers } from '../executions/list-executions-of-workers.js';
import { type ExecutionEventView, readEventsOfExecutions } from '../executions/read-events.js';
import { readExecutionsByIds, readExecutionsOfCalls } from '../executions/read-executions.js';
import {
  type ExecutionStepView,
  readStepOutputs,
  readStepsOfExecutions,
  type StepKey,
  type StepOutput,
} from '../executions/read-steps.js';
import { readPartialTexts } from '../executions/read-text.js';
import type { Clock } from '../lib/clock.js';
import { type FlowCounts, readFlowCounts, readQueuePositions } from '../flow/queue-positions.js';
import { type ModelView, readModelsById } from '../models/read-models.js';
import { readSpentToday, type SpentToday } from '../models/read-usage.js';
import { readSpendCaps, type SpendCap } from '../models/spend-caps.js';
import type { LimitDefaults } from '../rate-limits/limit-scope.js';
import { type RateLimitView, readWebhookLimits } from '../rate-limits/read-rate-limits.js';
import { readWebhooks } from '../webhooks/manage/read-webhooks.js';
import type { WebhookView } from '../webhooks/manage/webhook-view.js';
import { readWebhookIdsByWorker } from '../webhooks/manage/webhooks-of-workers.js';
import { readWorkersById, type WorkerView } from '../workers/read-workers.js';
import type { StatisticsTime } from './types/call-statistics.js';

/** Reads many in one statement. Ids are UUIDs but the workers'. */
export interface Loaders {
  /** When the operation began: what several fields reckon from it is then the same, and is read together. */
  readonly nowMs: number;
  readonly webhooks: DataLoader<string, WebhookView | undefined>;
  readonly workers: DataLoader<string, WorkerView | undefined>;
  readonly connections: DataLoader<string, ConnectionView | undefined>;
  readonly users: DataLoader<string, UserView | undefined>;
  readonly calls: DataLoader<string, CallSummary | undefined>;
  readonly callRequests: DataLoader<string, CallRequest | undefined>;
  readonly callCounts: DataLoader<string, CallCount>;
  readonly queuePositions: DataLoader<string, number | undefined>;
  readonly flowCounts: DataLoader<string, FlowCounts>;
  readonly executions: DataLoader<string, ExecutionView | undefined>;
  readonly executionsOfCalls: DataLoader<string, readonly ExecutionView[]>;
  readonly eventsOfExecutions: DataLoader<string, readonly ExecutionEventView[]>;
  readonly partialTexts: DataLoader<string, string | undefined>;
  readonly stepsOfExecutions: DataLoader<string, readonly ExecutionStepView[]>;
  readonly stepOutputs: DataLoader<StepKey, StepOutput | undefined, string>;
  readonly webhookIdsOfWorkers: DataLoader<string, readonly string[]>;
  readonly callsOfWebhooks: LoaderByArguments<KeysetRequest, KeysetPage<CallSummary>>;
  readonly callTotalsOfWebhooks: DataLoader<string, number>;
  readonly executionsOfWorkers: LoaderByArguments<KeysetRequest, KeysetPage<ExecutionView>>;
  readonly executionTotalsOfWorkers: DataLoader<string, number>;
  readonly alerts: DataLoader<string, AlertView | undefined>;
  readonly bulkOperations: DataLoader<string, BulkOperationView | undefined>;
  readonly callbacks: DataLoader<string, CallbackView | undefined>;
  readonly callbacksOfCalls: DataLoader<string, CallbackView | undefined>;
  readonly attemptsOfCallbacks: DataLoader<string, readonly CallbackAttemptView[]>;
  readonly callbacksOfWebhooks: LoaderByArguments<CallbackPageRequest, KeysetPage<CallbackView>>;
  readonly callbackTotalsOfWebhooks: LoaderByArguments<Pick<CallbackPageRequest, 'statuses'>, number>;
  readonly models: DataLoader<string, ModelView | undefined>;
  readonly rateLimitsOfWebhooks: DataLoader<string, RateLimitView | undefined>;
  readonly spendCaps: DataLoader<string, SpendCap>;
  readonly spentToday: DataLoader<string, SpentToday>;
  readonly statisticsOfWebhooks: LoaderByArguments<StatisticsTime, CallStatistics>;
}

export interface LoaderDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly rateLimitDefaults: LimitDefaults;
}

/** Makes the loaders of one operation. They remember what they read, so they must not outlive it. */
export function createLoaders(deps: LoaderDeps, principal: Principal | undefined): Loaders {
  const sql = deps.database.pool;
  return {
    nowMs: deps.clock.nowMs(),
    webhooks: new DataLoader((ids) => readWebhooks(deps, principal, ids)),
    workers: new DataLoader(async (ids) => inOrder(ids, byId(await readWorkersById(sql, ids)))),
    connections: new DataLoader(async (ids) => inOrder(ids, byId(await readConnectionsById(sql, ids)))),
    users: new DataLoader(async (ids) => inOrder(ids, byId(await readUsersById(sql, ids)))),
    calls: new DataLoader(async (ids) => inOrder(ids, await readCallsByIds(sql, ids))),
    callRequests: new DataLoader(async (ids) => inOrder(ids, await readCallRequests(sql, ids))),
    callCounts: new DataLoader(async (ids) => inOrder(ids, await readCallCounts(sql, ids), NO_CALLS)),
    queuePositions: new DataLoader(async (ids) => inOrder(ids, await readQueuePositions(sql, ids))),
    flowCounts: new DataLoader(async (ids) => inOrder(ids, await readFlowCounts(sql, ids), NOTHING_ON_ITS_WAY)),
    executions: new DataLoader(async (ids) => inOrder(ids, await readExecutionsByIds(sql, ids))),
    executionsOfCalls: new DataLoader(async (ids) => inOrder(ids, await readExecutionsOfCalls(sql, ids), [])),
    eventsOfExecutions: new DataLoader(async (ids) => inOrder(ids, await readEventsOfExecutions(sql, ids), [])),
    partialTexts: new DataLoader(async (ids) => inOrder(ids, await readPartialTexts(sql, ids))),
    stepsOfExecutions: new DataLoader(async (ids) => inOrder(ids, await readStepsOfExecutions(sql, ids), [])),
    stepOutputs: new DataLoader((keys) => readStepOutputs(sql, keys), {
      cacheKeyFn: ({ executionId, path }) => `${executionId} ${path}`,
    }),
    webhookIdsOfWorkers: new DataLoader(async (ids) =>
      inOrder(ids, await readWebhookIdsByWorker(deps, principal, ids), []),
    ),
    callsOfWebhooks: new LoaderByArguments((ids, page) => listCallsOfWebhooks(sql, principal, ids, page)),
    callTotalsOfWebhooks: new DataLoader(async (ids) =>
      inOrder(ids, await countCallsOfWebhooks(sql, principal, ids), 0),
    ),
    executionsOfWorkers: new LoaderByArguments((ids, page) => listExecutionsOfWorkers(sql, principal, ids, page)),
    executionTotalsOfWorkers: new DataLoader(async (ids) =>
      inOrder(ids, await countExecutionsOfWorkers(sql, principal, ids), 0),
    ),
    alerts: new DataLoader(async (ids) => inOrder(ids, await readAlerts(sql, ids))),
    bulkOperations: new DataLoader(async (ids) => inOrder(ids, await readBulkOperations(sql, ids))),
    callbacks: new DataLoader(async (ids) => inOrder(ids, await readCallbacksByIds(sql, ids))),
    callbacksOfCalls: new DataLoader(async (ids) => inOrder(ids, await readCallbacksOfCalls(sql, ids))),
    attemptsOfCallbacks: new DataLoader(async (ids) => inOrder(ids, await readAttemptsOfCallbacks(sql, ids), [])),
    callbacksOfWebhooks: new LoaderByArguments((ids, page) => listCallbacksOfWebhooks(sql, principal, ids, page)),
    callbackTotalsOfWebhooks: new LoaderByArguments((ids, filter) =>
      countCallbacksOfWebhooks(sql, principal, ids, filter),
    ),
    models: new DataLoader(async (ids) => inOrder(ids, byId(await readModelsById(sql, ids)))),
    rateLimitsOfWebhooks: new DataLoader(async (ids) =>
      inOrder(ids, await readWebhookLimits(sql, deps.rateLimitDefaults, ids)),
    ),
    spendCaps: new DataLoader(async (ids) => inOrder(ids, await readSpendCaps(sql, ids), NO_CAP)),
    spentToday: new DataLoader(async (ids) => inOrder(ids, await readSpentToday(sql, ids), NOTHING_SPENT)),
    statisticsOfWebhooks: new LoaderByArguments((webhookIds, time) =>
      readStatisticsByWebhook(sql, { ...time, webhookIds }),
    ),
  };
}

const NOTHING_ON_ITS_WAY: FlowCounts = { waiting: 0, running: 0 };

const NO_CAP: SpendCap = { tokensPerDay: null, costNanosPerDay: null, runsPerDay: null };

const NOTHING_SPENT: SpentToday = { tokens: 0, costNanos: 0n, runs: 0 };

const NO_CALLS: CallCount = { callCount: 0, lastCalledAt: null };

/** Batches what is asked for with equal arguments, as it is below one field of a list. */
export class LoaderByArguments<Arguments extends object, Value> {
  readonly #loaders = new Map<string, DataLoader<string, Value>>();

  constructor(
    private readonly read: (ids: readonly string[], args: Arguments) => Promise<ReadonlyMap<string, Value>>,
  ) {}

  async load(id: string, args: Arguments): Promise<Value> {
    const key = JSON.stringify(args);
    let loader = this.#loaders.get(key);
    if (loader === undefined) {
      loader = new DataLoader(async (ids) => {
        const found = await this.read(ids, args);
        return ids.map((wanted) => found.get(wanted) ?? new Error(`nothing was read for ${wanted}`));
      });
      this.#loaders.set(key, loader);
    }
    return await loader.load(id);
  }
}

function byId<T extends { readonly id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}

function inOrder<T>(ids: readonly string[], found: ReadonlyMap<string, T>): (T | undefined)[];
function inOrder<T>(ids: readonly string[], found: ReadonlyMap<string, T>, otherwise: T): T[];
function inOrder<T>(ids: readonly string[], found: ReadonlyMap<string, T>, otherwise?: T): (T | undefined)[] {
  return ids.map((id) => found.get(id) ?? otherwise);
}

import type { Router } from '@koa/router';
import { type CallView, readCall, readRequestBody } from '../../calls/read-call.js';
import type { Sql } from '../../db/database.js';
import { AppError } from '../../errors.js';
import { topics } from '../../events/event.js';
import { standingExecutions } from '../../executions/call-results.js';
import type { ExecutionView } from '../../executions/execution-view.js';
import { readCallExecutions, readExecution } from '../../executions/read-executions.js';
import { readStepOutputs, readStepsOfExecutions } from '../../executions/read-steps.js';
import { isTerminal } from '../../executions/states.js';
import { parseId, uuidV7Time } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { EventStreamTimes } from '../event-stream.js';
import { longPoll, type LongPollOptions } from '../long-poll.js';
import { PATHS } from '../paths.js';
import { mayRead, type ResultAccessOptions } from '../result-access.js';
import {
  callBody,
  entityTag,
  executionBody,
  matchesEntityTag,
  plainLogsBody,
  plainResultBody,
} from '../result-bodies.js';
import type { HttpContext, HttpState } from '../state.js';
import { streamExecution, wantsEventStream } from './execution-stream.js';

export interface ResultsOptions extends ResultAccessOptions, LongPollOptions {
  readonly sql: Sql;
  /** The time before which rows may be gone, Unix milliseconds; 0 when everything is kept. */
  readonly retentionHorizonMs: () => number;
  readonly streamTimes: EventStreamTimes;
  readonly log: Logger;
}

interface CallResult {
  readonly call: CallView;
  readonly executions: readonly ExecutionView[];
}

const POLL_AFTER_S = '1';

/** Where the results of calls are read, in our form and in that of EverWorker's own API. */
export function resultsRoutes(router: Router<HttpState>, options: ResultsOptions): void {
  const { sql, waiters } = options;

  router.get(`${PATHS.executions}:id`, async (ctx) => {
    ctx.vary(['Accept', 'Prefer']);
    const publicId = ctx.params['id'] ?? '';
    const found = await findExecution(options, ctx, publicId);
    if (wantsEventStream(ctx)) {
      const isAllowed = async (): Promise<boolean> => {
        const allowed = await mayRead(options, ctx, PATHS.executions + publicId);
        return await allowed(found.webhookId);
      };
      await streamExecution(ctx, found, { waiters, times: options.streamTimes, isAllowed, log: options.log });
      return;
    }
    const execution = await longPoll(options, ctx, found, {
      topics: [topics.execution(found.id)],
      read: async (gated) => (await readExecution(gated, found.id)) ?? found,
      tagOf: (view) => entityTag([view]),
      isFinished: (view) => isTerminal(view.status),
    });
    if (isUnchanged(ctx, entityTag([execution]), isTerminal(execution.status))) return;
    sendJson(ctx, executionBody(execution, await readRequestBody(sql, execution.callId)));
  });

  router.get(`${PATHS.calls}:id`, async (ctx) => {
    ctx.vary('Prefer');
    const publicId = ctx.params['id'] ?? '';
    const id = parseId('call', publicId);
    if (id === undefined) throw new AppError('NOT_FOUND');
    const allowed = await mayRead(options, ctx, PATHS.calls + publicId);
    const found = await readCallResult(sql, id);
    if (found === undefined) throw missing(options, id);
    if (!(await allowed(found.call.webhookId))) throw new AppError('NOT_FOUND');
    const result = await longPoll(options, ctx, found, {
      topics: [topics.callExecutions(id), topics.callFinished(id)],
      read: async (gated) => (await readCallResult(gated, id)) ?? found,
      tagOf: callTag,
      isFinished: isCallFinished,
    });
    if (isUnchanged(ctx, callTag(result), isCallFinished(result))) return;
    sendJson(ctx, callBody(result.call, result.executions));
  });

  router.get(PATHS.executionResult, async (ctx) => {
    const execution = await findExecution(options, ctx, executionIdIn(ctx));
    if (isUnchanged(ctx, entityTag([execution]), isTerminal(execution.status))) return;
    sendJson(ctx, plainResultBody(execution));
  });

  router.get(PATHS.executionLogs, async (ctx) => {
    const execution = await findExecution(options, ctx, executionIdIn(ctx));
    const { id: executionId } = execution;
    const steps = (await readStepsOfExecutions(sql, [executionId])).get(executionId) ?? [];
    const outputs = await readStepOutputs(
      sql,
      steps.map(({ path }) => ({ executionId, path })),
    );
    if (!isTerminal(execution.status)) ctx.set('Retry-After', POLL_AFTER_S);
    sendJson(ctx, plainLogsBody(execution, steps, outputs));
  });
}

async function readCallResult(sql: Sql, id: string): Promise<CallResult | undefined> {
  const call = await readCall(sql, id);
  if (call === undefined) return undefined;
  const executions = standingExecutions(await readCallExecutions(sql, id));
  const result = { call, executions };
  if (!isCallFinished(result) || call.outcome !== 'ACCEPTED') return result;
  return { call: (await readCall(sql, id)) ?? call, executions }; // it ended between the two readings
}

function callTag({ call, executions }: CallResult): string {
  return entityTag(executions, call.outcome, call.httpStatus, call.durationMs);
}

function isCallFinished({ executions }: CallResult): boolean {
  return executions.every((execution) => isTerminal(execution.status));
}

/** @throws AppError NOT_FOUND for what is malformed, unknown or not the caller's; GONE after its retention time. */
async function findExecution(options: ResultsOptions, ctx: HttpContext, publicId: string): Promise<ExecutionView> {
  const id = parseId('execution', publicId);
  if (id === undefined) throw new AppError('NOT_FOUND');
  const allowed = await mayRead(options, ctx, PATHS.executions + publicId);
  const execution = await readExecution(options.sql, id);
  if (execution === undefined) throw missing(options, id);
  if (!(await allowed(execution.webhookId))) throw new AppError('NOT_FOUND');
  return execution;
}

/** The time is in the id, so what retention took is told from what never was; both are for anyone to work out. */
function missing(options: ResultsOptions, id: string): AppError {
  return new AppError(uuidV7Time(id) < options.retentionHorizonMs() ? 'GONE' : 'NOT_FOUND');
}

function executionIdIn(ctx: HttpContext): string {
  const { executionId } = ctx.query;
  if (typeof executionId !== 'string' || executionId === '') {
    throw new AppError('BAD_USER_INPUT', 'Say which execution: ?executionId=exec-…');
  }
  return executionId;
}

/** Sets what belongs to the answer whether it has a body or is a 304, and finds out which it is. */
function isUnchanged(ctx: HttpContext, tag: string, finished: boolean): boolean {
  ctx.set('ETag', tag);
  ctx.set('Cache-Control', 'no-store');
  if (!finished) ctx.set('Retry-After', POLL_AFTER_S);
  if (!matchesEntityTag(ctx.get('If-None-Match'), tag)) return false;
  ctx.status = 304;
  return true;
}

function sendJson(ctx: HttpContext, body: string | Buffer): void {
  ctx.status = 200;
  ctx.set('Cache-Control', 'no-store');
  ctx.type = 'application/json';
  ctx.body = body;
}

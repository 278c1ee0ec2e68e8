import type pg from 'pg';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { rawTransaction } from '../db/raw-transaction.js';
import { AppError } from '../errors.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import { formatId } from '../lib/ids.js';
import { toJsonText } from '../lib/json-text.js';
import { descriptionFaults } from '../lib/text-rules.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import { runExecutionJobSql } from '../queue/enqueue.js';
import type { StepDecision, StepState } from '../workers/worker-run.js';
import { isTerminal, type ExecutionStatus } from './states.js';

/** What a person says about a step that waits for one. */
export interface ApprovalDecision {
  /** A UUID. */
  readonly executionId: string;
  /** The step's whole path in the execution. */
  readonly path: string;
  readonly approved: boolean;
  /** Shown with the decision, at most 2,000 characters. */
  readonly comment?: string | null | undefined;
}

const COMMENT_CHARACTERS_MAX = 2_000;

const EXECUTION = `
  select status, attempt, call_id as "callId", webhook_id as "webhookId" from executions where id = $1 for update`;

const STEP = `
  select status, state, (state ->> 'wakeAtMs')::float8 <= extract(epoch from now()) * 1000 as expired
  from execution_steps where execution_id = $1 and path = $2 for update`;

/**
 * Writes a decision, tells of it, and has the execution looked at. An execution that is RUNNING (something beside the
 * approval goes on in it) gets its job all the same: the queue offers it until the attempt is over.
 */
const DECIDE = `
  with decided as (
    update execution_steps set state = state || jsonb_build_object('decision', $3::jsonb)
    where execution_id = $1 and path = $2
  ),
  numbered as (
    update executions set last_event_seq = last_event_seq + 1 where id = $1 returning last_event_seq as seq
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data)
    select $1, seq, now(), 'step', $4::json from numbered
  )
  select seq, (select count(*) from graphile_worker.add_jobs(array[${runExecutionJobSql('$1::uuid')}])) from numbered`;

interface ExecutionRow {
  readonly status: ExecutionStatus;
  readonly attempt: number;
  readonly callId: string;
  readonly webhookId: string;
}

interface StepRow {
  readonly status: string;
  readonly state: StepState | null;
  readonly expired: boolean;
}

/**
 * Approves or rejects a step that waits for it. The first decision counts; the execution goes on at once.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND when there is no such execution.
 */
export async function decideApproval(
  pool: pg.Pool,
  principal: Principal | undefined,
  { executionId, path, approved, comment }: ApprovalDecision,
): Promise<Outcome<undefined>> {
  requirePermission(principal, 'executions:operate');
  const faults = descriptionFaults(['comment'], comment ?? '', COMMENT_CHARACTERS_MAX);
  if (faults.length > 0) return refused(...faults);
  return await rawTransaction(pool, async (tx) => {
    const [execution] = (await tx.sql.query<ExecutionRow>(EXECUTION, [executionId])).rows;
    if (execution === undefined) throw new AppError('NOT_FOUND', 'There is no such execution.');
    const storable = path.isWellFormed() && !path.includes('\0');
    const [step] = storable ? (await tx.sql.query<StepRow>(STEP, [executionId, path])).rows : [];
    const fault = faultOf(execution.status, step);
    if (fault !== undefined) return refused(fault);
    const by = formatId('user', principal.userId);
    const decision: StepDecision = { approved, by, at: new Date().toISOString(), comment: comment ?? null };
    const event = toJsonText({ path, status: 'WAITING', attempt: execution.attempt });
    const { rows } = await tx.sql.query<{ seq: number }>(DECIDE, [executionId, path, JSON.stringify(decision), event]);
    const { callId, webhookId } = execution;
    const progressed = { kind: 'execution-progressed', executionId, callId, webhookId, seq: rows[0]!.seq } as const;
    for (const payload of encodeEvents([progressed]))
      await tx.sql.query('select pg_notify($1, $2)', [CHANNEL, payload]);
    await recordAudit(tx, principal, {
      action: approved ? 'step.approved' : 'step.rejected',
      subjectId: formatId('execution', executionId),
      details: { path },
    });
    return succeeded(undefined);
  });
}

function faultOf(status: ExecutionStatus, step: StepRow | undefined): UserError | undefined {
  if (step?.state?.kind !== 'approval') {
    return { field: ['path'], message: 'There is no such step that waits for a person.', code: 'NOT_FOUND' };
  }
  if (step.state.decision !== undefined) {
    return { field: ['path'], message: 'Somebody has decided already.', code: 'ALREADY_DECIDED' };
  }
  if (isTerminal(status)) {
    return { field: ['executionId'], message: 'The execution has ended already.', code: 'ALREADY_ENDED' };
  }
  if (step.status === 'WAITING' && !step.expired) return undefined;
  return { field: ['path'], message: 'The time to decide is over.', code: 'EXPIRED' };
}

import type { Principal } from '../../src/access/principal.js';
import { newWorkerId } from '../../src/lib/ids.js';
import type { ExecutionFixture } from './execution-fixture.js';

/** Whoever decides about approvals. */
export async function operatorOf({ pool }: ExecutionFixture): Promise<Principal> {
  const { rows } = await pool.query<{ id: string }>('select id from users');
  return { userId: rows[0]!.id, role: 'operator', scopes: [], credential: { type: 'api-token', id: 'test' } };
}

/** Stores a workflow and gives its id. */
export async function addWorkflowOf(fixture: ExecutionFixture, steps: readonly unknown[]): Promise<string> {
  const id = newWorkerId();
  await fixture.addWorkflow(id, { version: 1, steps });
  return id;
}

/** Stores a call that begins a workflow. */
export async function beginWorkflow(
  fixture: ExecutionFixture,
  workflowId: string,
  body = '{}',
): Promise<{ readonly callId: string; readonly executionId: string }> {
  const { callId, executionIds } = await fixture.store([workflowId], { body });
  return { callId, executionId: executionIds[0]! };
}

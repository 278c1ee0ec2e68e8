import { Arg, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { parseId } from '../../lib/ids.js';
import type { Outcome } from '../../lib/user-error.js';
import type { WorkerView } from '../../workers/read-workers.js';
import { createWorkflow, updateWorkflow, validateWorkflow } from '../../workers/workflow/manage-workflows.js';
import type { GraphqlContext } from '../context.js';
import { readWorkerId } from '../public-id.js';
import { ConnectionObject } from '../types/connection.js';
import { WorkerObject } from '../types/worker.js';
import { workerObject } from '../types/worker-kinds.js';
import { WorkflowObject, WorkflowStepObject } from '../types/workflow.js';
import {
  CreateWorkflowInput,
  CreateWorkflowPayload,
  UpdateWorkflowInput,
  UpdateWorkflowPayload,
  ValidateWorkflowInput,
  ValidateWorkflowPayload,
  type WorkflowPayload,
} from '../types/workflow-inputs.js';

@Resolver()
export class WorkflowMutations {
  @Authorized<Permission>('workers:write')
  @Mutation(() => CreateWorkflowPayload, {
    description: 'Makes a worker of durable steps: other workers, requests, approvals, waits, branches, loops.',
  })
  async createWorkflow(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateWorkflowInput, { description: 'What it is to be.' })
    { timeout, ...input }: CreateWorkflowInput,
  ): Promise<WorkflowPayload> {
    return payloadOf(await createWorkflow(services, principal, { ...input, timeoutMs: timeout }));
  }

  @Authorized<Permission>('workers:write')
  @Mutation(() => UpdateWorkflowPayload, {
    description: 'Gives a workflow a new version. Executions that have begun keep the one that they began with.',
  })
  async updateWorkflow(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateWorkflowInput, { description: 'What to change.' })
    { id, expectedVersion, name, timeout, ...input }: UpdateWorkflowInput,
  ): Promise<WorkflowPayload> {
    return payloadOf(
      await updateWorkflow(services, principal, {
        ...input,
        id: readWorkerId(id),
        expectedVersion: expectedVersion ?? undefined,
        ...(name !== null && name !== undefined && { name }),
        timeoutMs: timeout,
      }),
    );
  }

  @Authorized<Permission>('workers:read')
  @Mutation(() => ValidateWorkflowPayload, {
    description: 'Checks a definition as `createWorkflow` and `updateWorkflow` do, and stores nothing.',
  })
  async validateWorkflow(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => ValidateWorkflowInput, { description: 'What to check.' })
    { id, ...input }: ValidateWorkflowInput,
  ): Promise<ValidateWorkflowPayload> {
    const wanted = { ...input, id: id === null || id === undefined ? undefined : readWorkerId(id) };
    const userErrors = await validateWorkflow(services, principal, wanted);
    return { valid: userErrors.length === 0, userErrors };
  }
}

@Resolver(() => WorkflowStepObject)
export class WorkflowStepFields {
  @Authorized<Permission>('workers:read')
  @FieldResolver(() => WorkerObject, { nullable: true, description: 'With WORKER, the worker that it runs.' })
  async worker(
    @Root() { step }: WorkflowStepObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<WorkerObject | undefined> {
    const view = step.workerId === null ? undefined : await loaders.workers.load(step.workerId);
    return view && workerObject(view);
  }

  @Authorized<Permission>('connections:read')
  @FieldResolver(() => ConnectionObject, {
    nullable: true,
    description: 'With HTTP, the connection that it goes through.',
  })
  async connection(
    @Root() { step }: WorkflowStepObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<ConnectionObject | undefined> {
    const id = step.connectionId === null ? undefined : parseId('connection', step.connectionId);
    const view = id === undefined ? undefined : await loaders.connections.load(id);
    return view && new ConnectionObject(view);
  }
}

function payloadOf(outcome: Outcome<WorkerView>): WorkflowPayload {
  if (outcome.ok) return { worker: new WorkflowObject(outcome.value), userErrors: [] };
  return {
    userErrors: outcome.userErrors.map((error) => ({
      ...error,
      field: error.field[0] === 'timeoutMs' ? ['timeout'] : error.field, // called after its unit inside only
    })),
  };
}

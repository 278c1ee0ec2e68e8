import { Arg, Authorized, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { Outcome, UserError } from '../../lib/user-error.js';
import type { HttpWorkerInput } from '../../workers/http/http-worker-input.js';
import {
  createHttpWorker,
  deleteWorker,
  type ManagedHttpWorker,
  updateHttpWorker,
} from '../../workers/manage-workers.js';
import { runWorker } from '../../webhooks/by-hand/run-worker.js';
import type { GraphqlContext } from '../context.js';
import { readWorkerId } from '../public-id.js';
import { CallObject } from '../types/call.js';
import { ExecutionObject } from '../types/execution.js';
import { RunWorkerInput, RunWorkerPayload } from '../types/run-worker.js';
import { HttpWorkerObject } from '../types/worker.js';
import {
  CreateHttpWorkerInput,
  CreateHttpWorkerPayload,
  DeleteWorkerInput,
  DeleteWorkerPayload,
  type HttpWorkerPayload,
  UpdateHttpWorkerInput,
  UpdateHttpWorkerPayload,
} from '../types/worker-inputs.js';

@Resolver()
export class WorkerMutations {
  @Authorized<Permission>('workers:write')
  @Mutation(() => CreateHttpWorkerPayload, {
    description: 'Makes a worker that calls an HTTP endpoint. Its signing secret is shown this once.',
  })
  async createHttpWorker(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateHttpWorkerInput, { description: 'What it is to be.' }) input: CreateHttpWorkerInput,
  ): Promise<HttpWorkerPayload> {
    const { name, description, method, url, idempotencyKey } = input;
    const wanted = { name, description, method, url, idempotencyKey };
    return payloadOf(await createHttpWorker(services, principal, { ...wanted, ...checkedLater(input) }));
  }

  @Authorized<Permission>('workers:write')
  @Mutation(() => UpdateHttpWorkerPayload, {
    description: 'Gives an HTTP worker a new version. Executions that have begun keep the one that they began with.',
  })
  async updateHttpWorker(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateHttpWorkerInput, { description: 'What to change.' }) input: UpdateHttpWorkerInput,
  ): Promise<HttpWorkerPayload> {
    return payloadOf(
      await updateHttpWorker(services, principal, {
        id: readWorkerId(input.id),
        expectedVersion: input.expectedVersion ?? undefined,
        description: input.description,
        regenerateSigningSecret: input.regenerateSigningSecret,
        ...given('name', input.name),
        ...given('method', input.method),
        ...given('url', input.url),
        ...checkedLater(input),
      }),
    );
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => RunWorkerPayload, {
    description:
      'Runs a worker of any kind with an input, without a webhook. The run is a call of its own, durable, counted and watched as any other.',
  })
  async runWorker(
    @Ctx() { services, principal, loaders }: GraphqlContext,
    @Arg('input', () => RunWorkerInput, { description: 'Which one, with what.' })
    { workerId, input, idempotencyKey }: RunWorkerInput,
  ): Promise<RunWorkerPayload> {
    const outcome = await runWorker(services.byHand, principal, {
      workerId: readWorkerId(workerId),
      input,
      idempotencyKey,
    });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    const { callId, executionId } = outcome.value;
    const [call, execution] = await Promise.all([loaders.calls.load(callId), loaders.executions.load(executionId)]);
    return {
      ...(call !== undefined && { call: new CallObject(call) }),
      ...(execution !== undefined && { execution: new ExecutionObject(execution) }),
      userErrors: [],
    };
  }

  @Authorized<Permission>('workers:write')
  @Mutation(() => DeleteWorkerPayload, {
    description: 'Deletes a worker that no webhook uses. Its executions and history stay.',
  })
  async deleteWorker(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => DeleteWorkerInput, { description: 'Which one.' }) input: DeleteWorkerInput,
  ): Promise<DeleteWorkerPayload> {
    const outcome = await deleteWorker(services, principal, {
      id: readWorkerId(input.id),
      expectedVersion: input.expectedVersion ?? undefined,
    });
    return outcome.ok ? { deletedWorkerId: outcome.value.id, userErrors: [] } : { userErrors: outcome.userErrors };
  }
}

type CheckedLater = Omit<HttpWorkerInput, 'name' | 'description' | 'method' | 'url'>;

/** Fields whose shape the use case checks, JSON among them: it finds all faults at once. */
function checkedLater(input: CreateHttpWorkerInput | UpdateHttpWorkerInput): CheckedLater {
  const { connectionId, body, result, successWhen, responseBytesMax } = input;
  return {
    connectionId,
    query: input.query as CheckedLater['query'],
    body,
    result,
    successWhen,
    headersTimeoutMs: input.headersTimeout,
    bodyTimeoutMs: input.bodyTimeout,
    responseBytesMax,
    headers: (input.headers ?? undefined) as CheckedLater['headers'],
    signingSecret: input.signingSecret ?? undefined,
    inputSchema: input.inputSchema as CheckedLater['inputSchema'],
    timeoutMs: input.timeout ?? undefined,
    attemptsMax: input.attemptsMax ?? undefined,
  };
}

function given<Key extends string>(key: Key, value: string | null | undefined): { readonly [K in Key]?: string } {
  return value === null || value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: string });
}

/** A duration is called after its unit inside only. */
const OUTER_NAMES: Readonly<Record<string, string>> = {
  timeoutMs: 'timeout',
  headersTimeoutMs: 'headersTimeout',
  bodyTimeoutMs: 'bodyTimeout',
};

function payloadOf(outcome: Outcome<ManagedHttpWorker>): HttpWorkerPayload {
  if (!outcome.ok) return { userErrors: outcome.userErrors.map(outerNames) };
  const { worker, signingSecret } = outcome.value;
  return {
    worker: new HttpWorkerObject(worker),
    ...(signingSecret !== undefined && { signingSecret }),
    userErrors: [],
  };
}

function outerNames(userError: UserError): UserError {
  const [first = '', ...rest] = userError.field; // behind it are names of the user's own
  return { ...userError, field: [OUTER_NAMES[first] ?? first, ...rest] };
}

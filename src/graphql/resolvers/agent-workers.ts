import { Arg, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { parseId } from '../../lib/ids.js';
import type { JsonSchema } from '../../lib/json-schema.js';
import type { Outcome, UserError } from '../../lib/user-error.js';
import type { AgentSettings, AgentWorkerInput } from '../../workers/agent/agent-input.js';
import { createAgentWorker, updateAgentWorker } from '../../workers/agent/manage-agent-workers.js';
import type { WorkerView } from '../../workers/read-workers.js';
import type { GraphqlContext } from '../context.js';
import { readWorkerId } from '../public-id.js';
import { AgentToolObject, AgentWorkerObject } from '../types/agent-worker.js';
import {
  type AgentToolInput,
  type AgentWorkerPayload,
  CreateAgentWorkerInput,
  CreateAgentWorkerPayload,
  UpdateAgentWorkerInput,
  UpdateAgentWorkerPayload,
} from '../types/agent-worker-inputs.js';
import { ConnectionObject } from '../types/connection.js';
import { ModelObject } from '../types/model.js';
import { WorkerObject } from '../types/worker.js';
import { workerObject } from '../types/worker-kinds.js';

@Resolver()
export class AgentWorkerMutations {
  @Authorized<Permission>('workers:write')
  @Mutation(() => CreateAgentWorkerPayload, {
    description: 'Makes a worker that is a language model with instructions and tools.',
  })
  async createAgentWorker(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateAgentWorkerInput, { description: 'What it is to be.' }) input: CreateAgentWorkerInput,
  ): Promise<AgentWorkerPayload> {
    const { name, instructions, idempotencyKey } = input;
    const wanted = { ...settingsOf(input), name, instructions, idempotencyKey };
    return payloadOf(await createAgentWorker(services, principal, wanted), input);
  }

  @Authorized<Permission>('workers:write')
  @Mutation(() => UpdateAgentWorkerPayload, {
    description: 'Gives an agent a new version. Executions that have begun keep the one that they began with.',
  })
  async updateAgentWorker(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateAgentWorkerInput, { description: 'What to change.' }) input: UpdateAgentWorkerInput,
  ): Promise<AgentWorkerPayload> {
    const { id, expectedVersion, name, instructions } = input;
    const changes = {
      ...settingsOf(input),
      id: readWorkerId(id),
      expectedVersion: expectedVersion ?? undefined,
      ...(name !== null && name !== undefined && { name }),
      ...(instructions !== null && instructions !== undefined && { instructions }),
    };
    return payloadOf(await updateAgentWorker(services, principal, changes), input);
  }
}

@Resolver(() => AgentWorkerObject)
export class AgentWorkerFields {
  @Authorized<Permission>('models:read')
  @FieldResolver(() => ModelObject, {
    nullable: true,
    description: 'The model that it names; null when it takes the default model.',
  })
  async model(
    @Root() { modelId }: AgentWorkerObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<ModelObject | undefined> {
    const id = modelId === undefined ? undefined : parseId('model', modelId);
    const view = id === undefined ? undefined : await loaders.models.load(id);
    return view && new ModelObject(view);
  }
}

@Resolver(() => AgentToolObject)
export class AgentToolFields {
  @Authorized<Permission>('workers:read')
  @FieldResolver(() => WorkerObject, { nullable: true, description: 'With WORKER, the worker that it runs.' })
  async worker(
    @Root() { workerId }: AgentToolObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<WorkerObject | undefined> {
    const view = workerId === undefined ? undefined : await loaders.workers.load(workerId);
    return view && workerObject(view);
  }

  @Authorized<Permission>('connections:read')
  @FieldResolver(() => ConnectionObject, {
    nullable: true,
    description: 'With HTTP and MCP, the connection that it goes through.',
  })
  async connection(
    @Root() { connectionId }: AgentToolObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<ConnectionObject | undefined> {
    const id = connectionId === undefined ? undefined : parseId('connection', connectionId);
    const view = id === undefined ? undefined : await loaders.connections.load(id);
    return view && new ConnectionObject(view);
  }
}

type AgentInput = CreateAgentWorkerInput | UpdateAgentWorkerInput;

/** The use case checks shapes, JSON among them: it finds all faults at once. */
function settingsOf(input: AgentInput): Omit<AgentWorkerInput, 'name' | 'instructions'> {
  const { description, modelId, temperature, outputTokensMax, stepsMax, messageHistoryLimit, inputTemplate } = input;
  return {
    description,
    modelId,
    temperature,
    outputTokensMax,
    stepsMax,
    messageHistoryLimit,
    inputTemplate,
    tools: toolsOf(input.tools),
    inputSchema: input.inputSchema as JsonSchema | null | undefined,
    outputSchema: input.outputSchema as JsonSchema | null | undefined,
    timeoutMs: input.timeout,
    attemptsMax: input.attemptsMax,
  };
}

/** A duration is called after its unit inside only. */
const INNER_NAMES: Readonly<Record<string, string>> = { timeout: 'timeoutMs' };

const KINDS = { mcp: 'MCP', http: 'HTTP', worker: 'WORKER' } as const;
type KindName = keyof typeof KINDS;

function toolsOf(tools: readonly AgentToolInput[] | null | undefined): AgentSettings['tools'] {
  return tools?.map(({ name, description, ...kinds }) => {
    const [kind, ...others] = kindsOf(kinds);
    if (kind === undefined || others.length > 0) return { name, kind: undefined };
    const settings = Object.fromEntries(
      Object.entries(kinds[kind]!).map(([key, value]) => [INNER_NAMES[key] ?? key, value]),
    );
    return { name, description, kind: KINDS[kind], ...settings };
  });
}

function kindsOf(kinds: Omit<AgentToolInput, 'name' | 'description'>): KindName[] {
  return (Object.keys(KINDS) as KindName[]).filter((kind) => kinds[kind] !== null && kinds[kind] !== undefined);
}

function payloadOf(outcome: Outcome<WorkerView>, input: AgentInput): AgentWorkerPayload {
  if (outcome.ok) return { worker: new AgentWorkerObject(outcome.value), userErrors: [] };
  return { userErrors: outcome.userErrors.map((error) => ({ ...error, field: outerField(error, input) })) };
}

/** Inside, a tool's settings stand beside its name, and a duration is called after its unit. */
function outerField({ field }: UserError, { tools }: AgentInput): readonly string[] {
  const names = field.map((name) => (name === 'timeoutMs' ? 'timeout' : name));
  const [root, index, name, ...rest] = names;
  if (root !== 'tools' || index === undefined || name === undefined) return names;
  if (name === 'name' || name === 'description') return names;
  const [kind] = kindsOf(tools?.[Number(index)] ?? {});
  if (name === 'kind' || kind === undefined) return [root, index];
  return [root, index, kind, name, ...rest];
}

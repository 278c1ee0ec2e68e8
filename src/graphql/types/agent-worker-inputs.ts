import { Field, Float, ID, InputType, Int } from 'type-graphql';
import { Duration, Json } from '../scalars.js';
import { AgentWorkerObject } from './agent-worker.js';
import { EXPECTED_VERSION } from './expected-version.js';
import type { WithUserErrors } from './user-error.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';
import { payloadType } from './payload-type.js';

@InputType('McpToolsInput', {
  description:
    'Tools of an MCP server: one of the operator, by `server`, or one over streamable HTTP behind a connection.',
})
class McpToolsInput {
  @Field(() => String, { nullable: true, description: "Its name in the operator's file (`MCP_SERVERS_FILE`)." })
  server?: string | null;

  @Field(() => ID, { nullable: true, description: 'A connection whose base URL it answers at.' })
  connectionId?: string | null;

  @Field(() => String, { nullable: true, description: "A path below the connection's base URL." })
  path?: string | null;

  @Field(() => [String], { nullable: true, description: 'The names of the tools that may be used; all without it.' })
  allow?: string[] | null;
}

@InputType('HttpToolInput', { description: 'A request through a connection.' })
class HttpToolInput {
  @Field(() => ID, { description: 'The connection.' })
  connectionId!: string;

  @Field(() => String, { defaultValue: 'GET', description: 'GET, POST, PUT, PATCH or DELETE.' })
  method!: string;

  @Field(() => String, {
    description:
      'Below the base URL, with `{name}` where a parameter goes: `/orders/{number}`. The other parameters go into the query or, with POST, PUT and PATCH, as JSON into the body.',
  })
  path!: string;

  @Field(() => Json, { description: 'A JSON Schema (2020-12) of an object: what the model can say.' })
  parameters!: unknown;

  @Field(() => Duration, {
    nullable: true,
    description: 'How long one call may take, at most 10 min; 60 s without it.',
  })
  timeout?: number | null;
}

@InputType('WorkerToolInput', { description: 'Another worker, run inside of the execution.' })
class WorkerToolInput {
  @Field(() => ID, { description: 'The worker. Its input schema is what the model can say.' })
  workerId!: string;
}

@InputType('AgentToolInput', {
  description: 'Something that an agent can have done: exactly one of `mcp`, `http` and `worker`.',
})
export class AgentToolInput {
  @Field(() => String, {
    description:
      'What the model calls it: letters, digits, `_` and `-`, at most 64; at most 24 for `mcp`, whose tools are called `name_tool`.',
  })
  name!: string;

  @Field(() => String, {
    nullable: true,
    description: "What the model reads about it. Needed for `http`; for `worker`, by default the worker's own.",
  })
  description?: string | null;

  @Field(() => McpToolsInput, { nullable: true, description: 'Tools of an MCP server.' })
  mcp?: McpToolsInput | null;

  @Field(() => HttpToolInput, { nullable: true, description: 'A request through a connection.' })
  http?: HttpToolInput | null;

  @Field(() => WorkerToolInput, { nullable: true, description: 'Another worker.' })
  worker?: WorkerToolInput | null;
}

/** What both inputs have in common: what can be left out. */
@InputType('AgentSettingsInput', { description: 'What can be said of an agent.' })
abstract class AgentSettingsInput {
  @Field(() => String, { nullable: true, description: 'What it does, at most 2,000 characters.' })
  description?: string | null;

  @Field(() => ID, { nullable: true, description: 'The model that it asks; null for the default model.' })
  modelId?: string | null;

  @Field(() => Float, { nullable: true, description: "The sampling temperature, 0 to 2; null for the provider's own." })
  temperature?: number | null;

  @Field(() => Int, { nullable: true, description: "Tokens that one step may write; null for the provider's limit." })
  outputTokensMax?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'How many steps the model may make at most, 1 to 100; 10 by default. In the last one it must answer.',
  })
  stepsMax?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: "How many of a body's `messages` are sent along, the latest ones; 20 by default.",
  })
  messageHistoryLimit?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      "A Liquid template that makes the user's message of a body without `userMessage`: `{{ input.subject }}`. Null: the body itself is the message.",
  })
  inputTemplate?: string | null;

  @Field(() => [AgentToolInput], { nullable: true, description: 'What it can have done, at most 32.' })
  tools?: AgentToolInput[] | null;

  @Field(() => Json, { nullable: true, description: 'A JSON Schema (2020-12) that a body must fit; null for none.' })
  inputSchema?: unknown;

  @Field(() => Json, {
    nullable: true,
    description: 'A JSON Schema (2020-12) that the answer must fit; the result then has it as `object`. Null for none.',
  })
  outputSchema?: unknown;

  @Field(() => Duration, {
    nullable: true,
    description: 'After how long an attempt is aborted, at most 1 h; 5 min by default.',
  })
  timeout?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'How many attempts an execution has in all, 1 to 100; 3 by default.',
  })
  attemptsMax?: number | null;
}

@InputType('CreateAgentWorkerInput', { description: 'What a new agent is to be.' })
export class CreateAgentWorkerInput extends AgentSettingsInput {
  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;

  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => String, {
    description: 'The same, with the limit: 1 to 100,000 characters.',
  })
  instructions!: string;
}

@InputType('UpdateAgentWorkerInput', {
  description: 'What to change of an agent. What is left out stays as it is; null is the default again.',
})
export class UpdateAgentWorkerInput extends AgentSettingsInput {
  @Field(() => ID, { description: "The worker's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'New instructions, 1 to 100,000 characters, in place of the present ones.',
  })
  instructions?: string | null;
}

/** An agent that was made or changed. */
export interface AgentWorkerPayload extends WithUserErrors {
  readonly worker?: AgentWorkerObject;
}

export const CreateAgentWorkerPayload = payloadType<AgentWorkerPayload>(
  'createAgentWorker',
  'worker',
  () => AgentWorkerObject,
  'The worker as it is now.',
);
export const UpdateAgentWorkerPayload = payloadType<AgentWorkerPayload>(
  'updateAgentWorker',
  'worker',
  () => AgentWorkerObject,
  'The worker as it is now.',
);

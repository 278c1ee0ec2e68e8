import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import type { JsonSchema } from '../../lib/json-schema.js';
import {
  type AgentDefinition,
  type AgentToolDefinition,
  readAgentDefinition,
} from '../../workers/agent/agent-definition.js';
import { Duration, Json } from '../scalars.js';
import { AgentToolKind } from './enums.js';
import { NodeObject } from './node.js';
import { WorkerObject } from './worker.js';

@ObjectType('AgentTool', { description: 'Something that an agent can have done.' })
export class AgentToolObject {
  constructor(readonly definition: AgentToolDefinition) {}

  @Field(() => String, {
    description: "What the model calls it. Before each of an MCP server's tools stand this name and `_`.",
  })
  get name(): string {
    return this.definition.name;
  }

  @Field(() => AgentToolKind, { description: 'Whether it is a request, tools of an MCP server or another worker.' })
  get kind(): AgentToolDefinition['kind'] {
    return this.definition.kind;
  }

  @Field(() => String, { nullable: true, description: 'What the model reads about it; null where others say it.' })
  get description(): string | undefined {
    return 'description' in this.definition ? this.definition.description : undefined;
  }

  @Field(() => ID, { nullable: true, description: 'With WORKER, the id of the worker that it runs.' })
  get workerId(): string | undefined {
    return this.definition.kind === 'WORKER' ? this.definition.workerId : undefined;
  }

  @Field(() => ID, { nullable: true, description: 'With HTTP and MCP, the id of its connection.' })
  get connectionId(): string | undefined {
    return this.definition.kind === 'WORKER' ? undefined : this.definition.connectionId;
  }

  @Field(() => String, { nullable: true, description: "With MCP, the server's name in the operator's file." })
  get server(): string | undefined {
    return this.definition.kind === 'MCP' ? this.definition.server : undefined;
  }

  @Field(() => [String], { nullable: true, description: 'With MCP, which tools it may use; null for all.' })
  get allow(): readonly string[] | undefined {
    return this.definition.kind === 'MCP' ? this.definition.allow : undefined;
  }

  @Field(() => String, {
    nullable: true,
    description: "With HTTP, the request's method: GET, POST, PUT, PATCH or DELETE. Null otherwise.",
  })
  get method(): string | undefined {
    return this.definition.kind === 'HTTP' ? this.definition.method : undefined;
  }

  @Field(() => String, { nullable: true, description: "With HTTP and MCP, the path below the connection's URL." })
  get path(): string | undefined {
    return this.definition.kind === 'WORKER' ? undefined : this.definition.path;
  }

  @Field(() => Json, { nullable: true, description: 'With HTTP, the JSON Schema of its parameters.' })
  get parameters(): JsonSchema | undefined {
    return this.definition.kind === 'HTTP' ? this.definition.parameters : undefined;
  }

  @Field(() => Duration, { nullable: true, description: 'With HTTP, how long one call may take; null for 60 s.' })
  get timeout(): number | undefined {
    return this.definition.kind === 'HTTP' ? this.definition.timeoutMs : undefined;
  }
}

@ObjectType('AgentWorker', {
  description: 'A worker that is a language model with instructions and tools.',
  implements: [NodeObject, WorkerObject],
})
export class AgentWorkerObject extends WorkerObject {
  @Field(() => String, { description: 'What the model is told to be and do. A payload never becomes part of it.' })
  get instructions(): string {
    return this.#definition.instructions;
  }

  @Field(() => ID, { nullable: true, description: 'The id of the model that it asks; null for the default model.' })
  get modelId(): string | undefined {
    return this.#definition.modelId;
  }

  @Field(() => Float, { nullable: true, description: "The sampling temperature; null for the provider's own." })
  get temperature(): number | undefined {
    return this.#definition.temperature;
  }

  @Field(() => Int, { nullable: true, description: "Tokens that one step may write; null for the provider's limit." })
  get outputTokensMax(): number | undefined {
    return this.#definition.outputTokensMax;
  }

  @Field(() => Int, { description: 'How many steps the model may make at most; in the last one it must answer.' })
  get stepsMax(): number {
    return this.#definition.stepsMax;
  }

  @Field(() => Int, {
    description:
      "How many of a body's `messages` go to the model before the user's own, the latest ones: 0 to 1,000, 20 by default.",
  })
  get messageHistoryLimit(): number {
    return this.#definition.messageHistoryLimit;
  }

  @Field(() => String, {
    nullable: true,
    description: "Makes the user's message of a body without `userMessage`; null: the body itself is the message.",
  })
  get inputTemplate(): string | undefined {
    return this.#definition.inputTemplate;
  }

  @Field(() => [AgentToolObject], {
    description: 'The tools that the model may call, at most 32 entries; one MCP entry can stand for several tools.',
  })
  get tools(): readonly AgentToolObject[] {
    return this.#definition.tools.map((tool) => new AgentToolObject(tool));
  }

  get #definition(): AgentDefinition {
    return readAgentDefinition(this.view.id, this.view.definition);
  }
}

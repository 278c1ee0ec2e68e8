import { Field, Int, InterfaceType, ObjectType } from 'type-graphql';
import type { WorkerView } from '../../workers/read-workers.js';
import { readHttpDefinition } from '../../workers/http/http-definition.js';
import { connectionType } from '../connections.js';
import { DateTime, Duration, Json } from '../scalars.js';
import { WorkerKind } from './enums.js';
import { NodeObject } from './node.js';

@InterfaceType('Worker', {
  description:
    'Something that can be run for a call: an agent, an HTTP endpoint, a TypeScript function or a workflow. Each change makes a new version.',
  implements: NodeObject,
})
export abstract class WorkerObject extends NodeObject {
  constructor(readonly view: WorkerView) {
    super(view.id);
  }

  @Field(() => String, { description: 'What people call it, 1 to 200 characters. Not unique: refer to workers by id.' })
  get name(): string {
    return this.view.name;
  }

  @Field(() => String, {
    nullable: true,
    description:
      'What it does, for people and for agents that use it as a tool, at most 2,000 characters; null for none.',
  })
  get description(): string | null {
    return this.view.description;
  }

  @Field(() => WorkerKind, { description: 'Whether it is an agent, an HTTP call, code or a workflow.' })
  get kind(): WorkerView['kind'] {
    return this.view.kind;
  }

  @Field(() => Json, {
    nullable: true,
    description: 'The JSON Schema (2020-12) that a body must fit; null when any body will do.',
  })
  get inputSchema(): WorkerView['inputSchema'] {
    return this.view.inputSchema;
  }

  @Field(() => Json, { nullable: true, description: 'The JSON Schema (2020-12) of its results, if it declares one.' })
  get outputSchema(): WorkerView['outputSchema'] {
    return this.view.outputSchema;
  }

  @Field(() => Int, { description: 'Its current version. An execution keeps the one that it began with.' })
  get version(): number {
    return this.view.version;
  }

  @Field(() => Duration, { description: 'After how long an attempt is aborted.' })
  get timeout(): number {
    return this.view.timeoutMs;
  }

  @Field(() => Int, { description: 'How many attempts an execution has in all.' })
  get attemptsMax(): number {
    return this.view.attemptsMax;
  }

  @Field(() => DateTime, { description: 'When its first version was stored.' })
  get createdAt(): Date {
    return this.view.createdAt;
  }

  @Field(() => DateTime, { description: 'When its current version was stored.' })
  get updatedAt(): Date {
    return this.view.updatedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When it was deleted; executions still name it.' })
  get deletedAt(): Date | null {
    return this.view.deletedAt;
  }
}

@ObjectType('HttpWorker', {
  description: 'A worker that calls an existing HTTP endpoint.',
  implements: [NodeObject, WorkerObject],
})
export class HttpWorkerObject extends WorkerObject {
  @Field(() => String, { description: 'GET, POST, PUT, PATCH or DELETE. A GET sends no body.' })
  get method(): string {
    return this.#definition.method;
  }

  @Field(() => String, {
    description: 'Where its requests go: a template of a URL, or with a connection of a path below its base URL.',
  })
  get url(): string {
    return this.#definition.url;
  }

  @Field(() => [String], {
    description: 'The names of the headers that it sends along. Their values can be credentials and are not shown.',
  })
  get headerNames(): readonly string[] {
    return this.#definition.headerNames;
  }

  @Field(() => Json, { description: 'Its query parameters: names and templates.' })
  get query(): Readonly<Record<string, string>> {
    return this.#definition.query;
  }

  @Field(() => Json, { nullable: true, description: 'The template of the body; null sends the input as it came.' })
  get body(): unknown {
    return this.#definition.body;
  }

  @Field(() => Json, { nullable: true, description: 'The template of the result; null gives the whole response.' })
  get result(): unknown {
    return this.#definition.result;
  }

  @Field(() => String, { nullable: true, description: 'When a request succeeded; null: when the status is 2xx.' })
  get successWhen(): string | null {
    return this.#definition.successWhen;
  }

  @Field(() => Duration, { nullable: true, description: 'How long the headers of a response may take.' })
  get headersTimeout(): number | null {
    return this.#definition.headersTimeoutMs;
  }

  @Field(() => Duration, { nullable: true, description: 'How long the body of a response may be silent.' })
  get bodyTimeout(): number | null {
    return this.#definition.bodyTimeoutMs;
  }

  @Field(() => Int, { nullable: true, description: 'Bytes of a response that are read; null for the default.' })
  get responseBytesMax(): number | null {
    return this.#definition.responseBytesMax;
  }

  /** `conn-…`; the field `connection` reads it. */
  get connectionId(): string | null {
    return this.#definition.connectionId;
  }

  get #definition(): ReturnType<typeof readHttpDefinition> {
    return readHttpDefinition(this.view.id, this.view.definition);
  }
}

@ObjectType('CodeWorker', {
  description: "A worker that is a TypeScript function in the operator's folder; it can only be changed there.",
  implements: [NodeObject, WorkerObject],
})
export class CodeWorkerObject extends WorkerObject {}

export const WorkerConnection = connectionType<WorkerObject>('Worker', () => WorkerObject);

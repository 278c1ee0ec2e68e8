import { Field, Int, InterfaceType, ObjectType } from 'type-graphql';
import type { WorkerView } from '../../workers/read-workers.js';
import { readHttpDefinition } from '../../workers/http/http-definition.js';
import { connectionType } from '../connections.js';
import { DateTime, Duration, Json } from '../scalars.js';
import { WorkerKind } from './enums.js';
import { NodeObject } from './node.js';

@InterfaceType('Worker', { description: 'What an execution runs.', implements: NodeObject })
export abstract class WorkerObject extends NodeObject {
  constructor(readonly view: WorkerView) {
    super(view.id);
  }

  @Field(() => String, { description: 'Its name.' })
  get name(): string {
    return this.view.name;
  }

  @Field(() => String, { nullable: true, description: 'What it does.' })
  get description(): string | null {
    return this.view.description;
  }

  @Field(() => WorkerKind, { description: 'What it is.' })
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

  @Field(() => DateTime, { description: 'When it was made.' })
  get createdAt(): Date {
    return this.view.createdAt;
  }

  @Field(() => DateTime, { description: 'When it was last changed.' })
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
  @Field(() => String, { description: 'The HTTP method of its requests.' })
  get method(): string {
    return readHttpDefinition(this.view.id, this.view.definition).method;
  }

  @Field(() => String, { description: 'Where its requests go.' })
  get url(): string {
    return readHttpDefinition(this.view.id, this.view.definition).url;
  }

  @Field(() => [String], {
    description: 'The names of the headers that it sends along. Their values can be credentials and are not shown.',
  })
  get headerNames(): readonly string[] {
    return readHttpDefinition(this.view.id, this.view.definition).headerNames;
  }
}

@ObjectType('CodeWorker', {
  description: "A worker that is a TypeScript function in the operator's folder; it can only be changed there.",
  implements: [NodeObject, WorkerObject],
})
class CodeWorkerObject extends WorkerObject {}

/** The type of a worker's kind. */
export function workerObject(view: WorkerView): WorkerObject {
  return view.kind === 'HTTP' ? new HttpWorkerObject(view) : new CodeWorkerObject(view);
}

export const WorkerConnection = connectionType<WorkerObject>('Worker', () => WorkerObject);

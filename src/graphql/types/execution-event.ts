import { Field, Int, InterfaceType, ObjectType } from 'type-graphql';
import type { ExecutionEventView } from '../../executions/read-events.js';
import type { StepStatus as StepStatusName } from '../../executions/read-steps.js';
import type { ExecutionStatus as ExecutionStatusName } from '../../executions/states.js';
import type { TextEventData } from '../../executions/text-pieces.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { ExecutionStatus, StepStatus } from './enums.js';

/** The place of an event among its execution's. The end of the id keeps it from being taken for a place in another's. */
function eventCursor(executionId: string, seq: number): string {
  return `${seq}.${executionId.slice(-12)}`;
}

/** The event of an execution that a cursor stands for; `undefined` for what is not one of its. */
export function eventSeq(executionId: string, cursor: string): number | undefined {
  const seq = /^([1-9]\d{0,8})\./.exec(cursor)?.[1];
  return seq !== undefined && cursor === eventCursor(executionId, Number(seq)) ? Number(seq) : undefined;
}

@InterfaceType('ExecutionEvent', {
  description: 'One stored event of an execution: a status, a step or a piece of text. Numbered from 1 without a gap.',
})
export abstract class ExecutionEventObject {
  /**
   * @param executionId a UUID.
   * @param place the event's cursor; without one, that of `executionEvents`.
   */
  constructor(
    readonly executionId: string,
    protected readonly view: ExecutionEventView,
    private readonly place: string = eventCursor(executionId, view.seq),
  ) {}

  @Field(() => String, { description: 'Stands for this event: the same subscription goes on behind it with `after`.' })
  get cursor(): string {
    return this.place;
  }

  @Field(() => Int, { description: 'Its number among those of its execution, from 1 without a gap.' })
  get seq(): number {
    return this.view.seq;
  }

  @Field(() => DateTime, { description: 'When it happened.' })
  get at(): Date {
    return this.view.at;
  }
}

@ObjectType('ExecutionStatusChanged', {
  description: 'An execution has another status, or begins another attempt.',
  implements: ExecutionEventObject,
})
class ExecutionStatusChangedObject extends ExecutionEventObject {
  @Field(() => ExecutionStatus, { description: 'The status from then on.' })
  get status(): ExecutionStatusName {
    return this.#data.status;
  }

  @Field(() => Int, { description: 'The attempt that it belongs to, from 1; 0 before the first.' })
  get attempt(): number {
    return this.#data.attempt;
  }

  get #data(): { readonly status: ExecutionStatusName; readonly attempt: number } {
    return JSON.parse(this.view.data) as { status: ExecutionStatusName; attempt: number };
  }
}

@ObjectType('ExecutionStepChanged', {
  description: 'A step of an execution began or ended. `Execution.steps` has what it gave.',
  implements: ExecutionEventObject,
})
class ExecutionStepChangedObject extends ExecutionEventObject {
  @Field(() => String, { description: 'The path of the step, as `ExecutionStep.path` has it.' })
  get path(): string {
    return this.#data.path;
  }

  @Field(() => StepStatus, { description: 'Its status from then on.' })
  get stepStatus(): StepStatusName {
    return this.#data.status;
  }

  @Field(() => Int, { description: 'The attempt that it belongs to, from 1.' })
  get attempt(): number {
    return this.#data.attempt;
  }

  get #data(): { readonly path: string; readonly status: StepStatusName; readonly attempt: number } {
    return JSON.parse(this.view.data) as { path: string; status: StepStatusName; attempt: number };
  }
}

@ObjectType('ExecutionTextDelta', {
  description:
    'A piece of the text that a worker writes. Put it at `offset`, and drop what you had from there on: an attempt that repeats a step writes that step anew.',
  implements: ExecutionEventObject,
})
class ExecutionTextDeltaObject extends ExecutionEventObject {
  @Field(() => Int, { description: 'The attempt that wrote it, from 1.' })
  get attempt(): number {
    return this.#data.attempt;
  }

  @Field(() => Int, { description: 'Where it begins in the text, in UTF-16 code units.' })
  get offset(): number {
    return this.#data.offset;
  }

  @Field(() => String, { description: 'The piece; empty when the text only ends at `offset` for now.' })
  get delta(): string {
    return this.#data.delta;
  }

  @Field(() => String, {
    nullable: true,
    description:
      "Whose text: the path of the call whose worker wrote it, null for the execution's own worker. Each has a text of its own.",
  })
  get callPath(): string | null {
    return this.#data.callPath ?? null;
  }

  @Field(() => Boolean, { description: 'Whether more was written and no more is kept: the text ends here.' })
  get truncated(): boolean {
    return this.#data.truncated ?? false;
  }

  get #data(): TextEventData {
    return JSON.parse(this.view.data) as TextEventData;
  }
}

/** @param executionId a UUID. */
export function executionEventObject(
  executionId: string,
  view: ExecutionEventView,
  cursor?: string,
): ExecutionEventObject {
  switch (view.kind) {
    case 'status':
      return new ExecutionStatusChangedObject(executionId, view, cursor);
    case 'step':
      return new ExecutionStepChangedObject(executionId, view, cursor);
    case 'text':
      return new ExecutionTextDeltaObject(executionId, view, cursor);
  }
}

export const ExecutionEventConnection = connectionType<ExecutionEventObject>(
  'ExecutionEvent',
  () => ExecutionEventObject,
);

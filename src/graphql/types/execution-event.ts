import { Field, Int, InterfaceType, ObjectType } from 'type-graphql';
import type { ExecutionEventView } from '../../executions/read-events.js';
import type { ExecutionStatus as ExecutionStatusName } from '../../executions/states.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { ExecutionStatus } from './enums.js';

/** The place of an event among its execution's. */
function eventCursor(seq: number): string {
  return String(seq);
}

/** The event that a cursor stands for; `undefined` for what is not one. */
export function eventSeq(cursor: string): number | undefined {
  return /^\d{1,9}$/.test(cursor) ? Number(cursor) : undefined;
}

@InterfaceType('ExecutionEvent', { description: 'Something that happened to an execution.' })
export abstract class ExecutionEventObject {
  /** @param executionId a UUID. */
  constructor(
    readonly executionId: string,
    protected readonly view: ExecutionEventView,
  ) {}

  @Field(() => String, { description: 'Stands for this event: `executionEvents(after:)` goes on behind it.' })
  get cursor(): string {
    return eventCursor(this.view.seq);
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

/** @param executionId a UUID. */
export function executionEventObject(executionId: string, view: ExecutionEventView): ExecutionEventObject {
  return new ExecutionStatusChangedObject(executionId, view);
}

export const ExecutionEventConnection = connectionType<ExecutionEventObject>(
  'ExecutionEvent',
  () => ExecutionEventObject,
);

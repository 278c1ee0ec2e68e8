import { Field, Int, ObjectType } from 'type-graphql';
import type { CallSummary } from '../../calls/call-summary.js';
import { formatId } from '../../lib/ids.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { CallOutcome } from './enums.js';
import { NodeObject } from './node.js';

@ObjectType('Call', {
  description: 'One POST to a webhook, accepted or rejected, or one run of a worker by hand (`webhook` is null then).',
  implements: NodeObject,
})
export class CallObject extends NodeObject {
  constructor(readonly view: CallSummary) {
    super(formatId('call', view.id));
  }

  @Field(() => DateTime, { description: 'When the request reached the gateway.' })
  get receivedAt(): Date {
    return this.view.receivedAt;
  }

  @Field(() => CallOutcome, {
    description:
      'ACCEPTED while an execution of it goes on, then SUCCEEDED or FAILED; the other values say why nothing ran.',
  })
  get outcome(): CallSummary['outcome'] {
    return this.view.outcome;
  }

  @Field(() => Int, {
    nullable: true,
    description: 'The HTTP status that it was answered with; null while a sync caller waits, and of a duplicate.',
  })
  get httpStatus(): number | null {
    return this.view.httpStatus;
  }

  @Field(() => Int, {
    nullable: true,
    description: 'The same, then: null while one goes on, and when none was started.',
  })
  get durationMs(): number | null {
    return this.view.durationMs;
  }

  @Field(() => DateTime, {
    nullable: true,
    description: 'When its last execution ended; null while one goes on, and when none was started.',
  })
  get finishedAt(): Date | null {
    return this.view.finishedAt;
  }

  @Field(() => Boolean, { description: 'Whether `testWebhook` sent it. Tests count in the statistics like any call.' })
  get isTest(): boolean {
    return this.view.isTest;
  }

  @Field(() => String, {
    nullable: true,
    description: "The caller's IP address, as trusted proxies say it; null of a test and of a run by hand.",
  })
  get sourceIp(): string | null {
    return this.view.sourceIp || null; // a test comes from nowhere
  }

  @Field(() => String, {
    nullable: true,
    description:
      "By what a repeat of it is known: its Idempotency-Key, or the id that its body or its sender's headers have.",
  })
  get deliveryId(): string | null {
    return this.view.deliveryId;
  }

  @Field(() => String, { nullable: true, description: 'Why it was rejected, or which call it repeats.' })
  get rejectionReason(): string | null {
    return this.view.rejectionReason;
  }

  @Field(() => String, {
    nullable: true,
    description:
      'Why it was rejected, for a program: upper snake case, such as `BODY_RESERIALIZED`; one of `diagnoseSignature` when it was not authenticated, and `AUTHENTICATION_FAILED` when there were too many to look into.',
  })
  get rejectionCode(): string | null {
    return this.view.rejectionCode;
  }
}

export const CallConnection = connectionType('Call', () => CallObject);

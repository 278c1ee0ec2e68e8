import { Field, InputType, Int, ObjectType } from 'type-graphql';
import type { FlowSettings, FlowView } from '../../webhooks/flow/flow-settings.js';
import { Duration } from '../scalars.js';

@ObjectType('WebhookDebounce', { description: 'How a webhook runs only the last of several calls.' })
export class WebhookDebounceObject {
  @Field(() => Duration, { description: 'A call runs when no other one of its key came for this long.' })
  readonly quiet: number;

  @Field(() => Duration, { description: 'The longest that a stream of calls puts a run off.' })
  readonly maxDelay: number;

  constructor({ quietMs, maxDelayMs }: NonNullable<FlowView['debounce']>) {
    this.quiet = quietMs;
    this.maxDelay = maxDelayMs;
  }
}

@ObjectType('WebhookFlow', { description: 'Which calls of a webhook may run when.' })
export class WebhookFlowObject {
  constructor(
    /** The webhook's UUID. */
    readonly webhookId: string,
    readonly view: FlowView,
  ) {}

  @Field(() => Int, { nullable: true, description: 'How many calls are in progress at once; null for any number.' })
  get concurrency(): number | null {
    return this.view.concurrency;
  }

  @Field(() => String, {
    nullable: true,
    description: 'The JSON pointer or template that gives the key of a call; calls of one key run in order.',
  })
  get fifoKey(): string | null {
    return this.view.fifoKey;
  }

  @Field(() => WebhookDebounceObject, { nullable: true, description: 'Null when every call runs.' })
  get debounce(): WebhookDebounceObject | null {
    return this.view.debounce && new WebhookDebounceObject(this.view.debounce);
  }

  @Field(() => Boolean, { description: 'Whether calls are only kept at present.' })
  get paused(): boolean {
    return this.view.paused;
  }
}

@InputType('WebhookDebounceInput', { description: 'How to run only the last of several calls.' })
export class WebhookDebounceInput {
  @Field(() => Duration, {
    description: 'A call runs when no other one of its key came for this long: 100 ms to 24 hours.',
  })
  quiet!: number;

  @Field(() => Duration, {
    nullable: true,
    description: 'The longest that a stream of calls puts a run off, at most 7 days; without it ten times `quiet`.',
  })
  maxDelay?: number | null;
}

@InputType('WebhookFlowInput', {
  description: 'Which calls of a webhook may run when. What is left out does not limit them.',
})
export class WebhookFlowInput {
  @Field(() => Int, { nullable: true, description: 'How many calls are in progress at once, 1 to 10,000.' })
  concurrency?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'A JSON pointer (RFC 6901) such as `/order/id`, or a template such as `{{ input.order.id }}`: calls of one key run one after the other, in the order of their acceptance. A call without the key waits for none of them.',
  })
  fifoKey?: string | null;

  @Field(() => WebhookDebounceInput, {
    nullable: true,
    description: 'Of calls of one key (without a key: of the webhook) in quick succession only the last one runs.',
  })
  debounce?: WebhookDebounceInput | null;
}

/** The settings that an input says; `undefined` leaves them as they are. */
export function flowSettings(input: WebhookFlowInput | null | undefined): FlowSettings | null | undefined {
  if (input === null || input === undefined) return input;
  const { concurrency, fifoKey, debounce } = input;
  return { concurrency, fifoKey, debounce: debounce && { quietMs: debounce.quiet, maxDelayMs: debounce.maxDelay } };
}

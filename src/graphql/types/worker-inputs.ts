import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import type { WorkerOrderField as WorkerOrderFieldName } from '../../workers/read-workers.js';
import { Duration, Json } from '../scalars.js';
import { OrderDirection, WorkerOrderField } from './enums.js';
import { EXPECTED_VERSION } from './expected-version.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { HttpWorkerObject } from './worker.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';

@InputType('WorkerOrderInput', { description: 'How a list of workers is ordered.' })
export class WorkerOrderInput {
  @Field(() => WorkerOrderField, { description: 'By what.' })
  field!: WorkerOrderFieldName;

  @Field(() => OrderDirection, { description: 'Which way.' })
  direction!: 'ASC' | 'DESC';
}

@InputType('CreateHttpWorkerInput', { description: 'What a new HTTP worker is to be.' })
export class CreateHttpWorkerInput {
  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;

  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'What it does, at most 2,000 characters.' })
  description?: string | null;

  @Field(() => String, { defaultValue: 'POST', description: 'GET, POST, PUT, PATCH or DELETE. A GET sends no body.' })
  method!: string;

  @Field(() => String, {
    description:
      'Where its requests go: an http or https URL, or with a connection a path. Behind the host it can have templates, such as `/orders/{{ input.id }}`; what they fill in is encoded.',
  })
  url!: string;

  @Field(() => ID, {
    nullable: true,
    description: 'The connection whose base URL and credential are used; `url` is a path below it then.',
  })
  connectionId?: string | null;

  @Field(() => Json, {
    nullable: true,
    description:
      'Query parameters: an object of names and templates. A template that gives null leaves its parameter out, an array repeats it.',
  })
  query?: unknown;

  @Field(() => Json, {
    nullable: true,
    description:
      'A template of the body to send: JSON whose texts are templates, or one text. Without it the input is sent as it came.',
  })
  body?: unknown;

  @Field(() => Json, {
    nullable: true,
    description:
      'A template of the result over `response` (`status`, `headers`, `body`, `truncated`), such as `"{{ response.body.id }}"`. Without it the result is the whole response.',
  })
  result?: unknown;

  @Field(() => String, {
    nullable: true,
    description:
      'When the request succeeded: a condition over `response`, such as `response.body.ok == true`. Without it: when the status is 2xx.',
  })
  successWhen?: string | null;

  @Field(() => Duration, {
    nullable: true,
    description: 'How long the headers of the response may take; without it, as long as the attempt.',
  })
  headersTimeout?: number | null;

  @Field(() => Duration, {
    nullable: true,
    description: 'How long the body of the response may be silent; without it, as long as the attempt.',
  })
  bodyTimeout?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Bytes of the response that are read, at most 10,485,760; 1,048,576 without it. The rest is left.',
  })
  responseBytesMax?: number | null;

  @Field(() => Json, {
    nullable: true,
    description:
      'Headers to send along: an object of names and templates. They are sealed and not shown again. A template that gives null leaves its header out.',
  })
  headers?: unknown;

  @Field(() => String, {
    nullable: true,
    description:
      'Your own signing secret, `whsec_` and base64, as Standard Webhooks has it; without it a new one is made.',
  })
  signingSecret?: string | null;

  @Field(() => Json, { nullable: true, description: 'A JSON Schema (2020-12) that a body must fit.' })
  inputSchema?: unknown;

  @Field(() => Duration, {
    nullable: true,
    description: 'After how long an attempt is aborted; 30 s without it, at most 1 h.',
  })
  timeout?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'How many attempts an execution has in all, 1 to 100; 5 without it.',
  })
  attemptsMax?: number | null;
}

@InputType('UpdateHttpWorkerInput', {
  description: 'What to change of an HTTP worker. What is left out stays as it is.',
})
export class UpdateHttpWorkerInput {
  @Field(() => ID, { description: "The worker's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Another description; null for none.' })
  description?: string | null;

  @Field(() => String, { nullable: true, description: 'GET, POST, PUT, PATCH or DELETE.' })
  method?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Another URL. One on another host, or another connection, needs `headers` anew, if there are any.',
  })
  url?: string | null;

  @Field(() => ID, {
    nullable: true,
    description:
      'The connection to go through; null for none, then `url` has to be whole. Another one needs `headers` anew.',
  })
  connectionId?: string | null;

  @Field(() => Json, {
    nullable: true,
    description: 'Other query parameters, in place of all present ones; null for none.',
  })
  query?: unknown;

  @Field(() => Json, { nullable: true, description: 'Another template of the body; null sends the input as it came.' })
  body?: unknown;

  @Field(() => Json, { nullable: true, description: 'Another template of the result; null gives the whole response.' })
  result?: unknown;

  @Field(() => String, { nullable: true, description: 'Another condition of success; null for the status.' })
  successWhen?: string | null;

  @Field(() => Duration, { nullable: true, description: 'How long the headers may take; null for the timeout.' })
  headersTimeout?: number | null;

  @Field(() => Duration, { nullable: true, description: 'How long the body may be silent; null for the timeout.' })
  bodyTimeout?: number | null;

  @Field(() => Int, { nullable: true, description: 'Bytes of the response that are read; null for the default.' })
  responseBytesMax?: number | null;

  @Field(() => Json, { nullable: true, description: 'Other headers, in place of all present ones.' })
  headers?: unknown;

  @Field(() => String, {
    nullable: true,
    description:
      'A signing secret of your own (`whsec_` and base64) in place of the present one, from the next attempt on.',
  })
  signingSecret?: string | null;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'Makes a new signing secret and ends the old one with the next attempt.',
  })
  regenerateSigningSecret!: boolean;

  @Field(() => Json, {
    nullable: true,
    description:
      'A JSON Schema (2020-12) that bodies must fit from now on, at most 262,144 characters; null takes any body.',
  })
  inputSchema?: unknown;

  @Field(() => Duration, {
    nullable: true,
    description: 'After how long an attempt is aborted, at most 1 h; null for 30 s again.',
  })
  timeout?: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'How many attempts an execution has in all, the first one included: 1 to 100; left out or null, it stays.',
  })
  attemptsMax?: number | null;
}

@InputType('DeleteWorkerInput', { description: 'Which worker to delete.' })
export class DeleteWorkerInput {
  @Field(() => ID, { description: "The worker's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;
}

/** An HTTP worker that was made or changed. */
export interface HttpWorkerPayload extends WithUserErrors {
  readonly worker?: HttpWorkerObject;
  readonly signingSecret?: string;
}

/** Each mutation has a type of its own, so that it can grow by itself. */
function httpWorkerPayload(typeName: string, mutation: string): new () => HttpWorkerPayload {
  @ObjectType(typeName, { description: `What became of \`${mutation}\`.` })
  class Payload implements HttpWorkerPayload {
    @Field(() => HttpWorkerObject, { nullable: true, description: 'The worker as it is now.' })
    readonly worker?: HttpWorkerObject;

    @Field(() => String, { nullable: true, description: 'Its signing secret, when it is new: shown this once.' })
    readonly signingSecret?: string;

    @Field(() => [UserErrorObject], USER_ERRORS)
    readonly userErrors!: readonly UserError[];
  }
  return Payload;
}

export const CreateHttpWorkerPayload = httpWorkerPayload('CreateHttpWorkerPayload', 'createHttpWorker');
export const UpdateHttpWorkerPayload = httpWorkerPayload('UpdateHttpWorkerPayload', 'updateHttpWorker');

@ObjectType('DeleteWorkerPayload', { description: 'What became of `deleteWorker`.' })
export class DeleteWorkerPayload implements WithUserErrors {
  @Field(() => ID, { nullable: true, description: 'The id of the worker that is gone.' })
  readonly deletedWorkerId?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

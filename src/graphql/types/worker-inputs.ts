import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import { Duration, Json } from '../scalars.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { HttpWorkerObject } from './worker.js';

@InputType('CreateHttpWorkerInput', { description: 'What a new HTTP worker is to be.' })
export class CreateHttpWorkerInput {
  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'What it does, at most 2,000 characters.' })
  description?: string | null;

  @Field(() => String, { defaultValue: 'POST', description: 'GET, POST, PUT, PATCH or DELETE. A GET sends no body.' })
  method!: string;

  @Field(() => String, { description: 'Where its requests go: an http or https URL.' })
  url!: string;

  @Field(() => Json, {
    nullable: true,
    description: 'Headers to send along: an object of names and texts. They are sealed and not shown again.',
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

  @Field(() => Int, {
    nullable: true,
    description: 'The version that you have seen: when there is a newer one, nothing changes (CONFLICT).',
  })
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Another description; null for none.' })
  description?: string | null;

  @Field(() => String, { nullable: true, description: 'GET, POST, PUT, PATCH or DELETE.' })
  method?: string | null;

  @Field(() => String, { nullable: true, description: 'Another URL.' })
  url?: string | null;

  @Field(() => Json, { nullable: true, description: 'Other headers, in place of all present ones.' })
  headers?: unknown;

  @Field(() => String, { nullable: true, description: 'Another signing secret of your own.' })
  signingSecret?: string | null;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'Makes a new signing secret and ends the old one with the next attempt.',
  })
  regenerateSigningSecret!: boolean;

  @Field(() => Json, { nullable: true, description: 'Another JSON Schema; null for none.' })
  inputSchema?: unknown;

  @Field(() => Duration, { nullable: true, description: 'After how long an attempt is aborted.' })
  timeout?: number | null;

  @Field(() => Int, { nullable: true, description: 'How many attempts an execution has in all.' })
  attemptsMax?: number | null;
}

@InputType('DeleteWorkerInput', { description: 'Which worker to delete.' })
export class DeleteWorkerInput {
  @Field(() => ID, { description: "The worker's id." })
  id!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'The version that you have seen: when there is a newer one, nothing changes (CONFLICT).',
  })
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

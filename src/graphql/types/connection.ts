import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { ConnectionAuthenticationKind as ConnectionAuthenticationKindName } from '../../connections/connection.entity.js';
import type { ConnectionView } from '../../connections/read-connections.js';
import { formatId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import { connectionType } from '../connections.js';
import { DateTime, Json } from '../scalars.js';
import { ConnectionAuthenticationKind } from './enums.js';
import { EXPECTED_VERSION } from './expected-version.js';
import { NodeObject } from './node.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';
import { payloadType } from './payload-type.js';

@ObjectType('ConnectionAuthentication', { description: 'How a connection proves itself; never the credential.' })
class ConnectionAuthenticationObject {
  @Field(() => ConnectionAuthenticationKind, {
    description: 'In which place of a request the credential stands; NONE when there is none.',
  })
  readonly kind!: ConnectionAuthenticationKindName;

  @Field(() => String, {
    nullable: true,
    description: 'With BASIC the user name, with HEADER and QUERY the name of the header or parameter.',
  })
  readonly name!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The end of the credential, to know it again; null when it is too short to show any of it.',
  })
  readonly secretHint!: string | null;
}

// Its name in the API: a type whose name ends in "Connection" is a page of a list to every Relay client.
@ObjectType('ConnectionProfile', {
  description: 'An outside system that workers call: its base URL and, sealed, what opens it.',
  implements: NodeObject,
})
export class ConnectionObject extends NodeObject {
  readonly #view: ConnectionView;

  constructor(view: ConnectionView) {
    super(formatId('connection', view.id));
    this.#view = view;
  }

  @Field(() => String, { description: 'Its name.' })
  get name(): string {
    return this.#view.name;
  }

  @Field(() => String, { nullable: true, description: 'What it is for.' })
  get description(): string | null {
    return this.#view.description;
  }

  @Field(() => String, { description: 'Where its requests go: they stay below this URL.' })
  get baseUrl(): string {
    return this.#view.baseUrl;
  }

  @Field(() => ConnectionAuthenticationObject, { description: 'How it proves itself.' })
  get authentication(): ConnectionAuthenticationObject {
    const { authKind, authName, secretHint } = this.#view;
    return { kind: authKind, name: authName, secretHint };
  }

  @Field(() => [String], { description: 'The names of the headers that it adds. Their values are not shown.' })
  get headerNames(): readonly string[] {
    return this.#view.headerNames;
  }

  @Field(() => Int, { description: 'Goes up with every change.' })
  get version(): number {
    return this.#view.version;
  }

  @Field(() => DateTime, { description: 'When it was made.' })
  get createdAt(): Date {
    return this.#view.createdAt;
  }

  @Field(() => DateTime, { description: 'When it was last changed.' })
  get updatedAt(): Date {
    return this.#view.updatedAt;
  }
}

export const ConnectionPage = connectionType<ConnectionObject>('ConnectionProfile', () => ConnectionObject);

@InputType('ConnectionAuthenticationInput', { description: 'How a connection is to prove itself.' })
export class ConnectionAuthenticationInput {
  @Field(() => ConnectionAuthenticationKind, {
    description:
      'In which place of a request the credential stands. BASIC, HEADER and QUERY need `name`; all but NONE need `secret`.',
  })
  kind!: ConnectionAuthenticationKindName;

  @Field(() => String, {
    nullable: true,
    description: 'With BASIC the user name, with HEADER and QUERY the name of the header or parameter.',
  })
  name?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The token, password or value. It is sealed and not shown again.',
  })
  secret?: string | null;
}

@InputType('CreateConnectionInput', { description: 'What a new connection is to be.' })
export class CreateConnectionInput {
  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;

  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'What it is for, at most 2,000 characters.' })
  description?: string | null;

  @Field(() => String, {
    description: 'An http or https URL without a query. Requests stay on its host and below its path.',
  })
  baseUrl!: string;

  @Field(() => ConnectionAuthenticationInput, {
    nullable: true,
    description: 'How it proves itself; without it, not at all.',
  })
  authentication?: ConnectionAuthenticationInput | null;

  @Field(() => Json, {
    nullable: true,
    description: 'Headers to send along: an object of names and texts. They are sealed and not shown again.',
  })
  headers?: unknown;
}

@InputType('UpdateConnectionInput', {
  description: 'What to change of a connection. What is left out stays as it is.',
})
export class UpdateConnectionInput {
  @Field(() => ID, { description: "The connection's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Another description; null for none.' })
  description?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Another base URL. One on another host needs `authentication` and `headers` anew, if there are any.',
  })
  baseUrl?: string | null;

  @Field(() => ConnectionAuthenticationInput, { nullable: true, description: 'Another authentication.' })
  authentication?: ConnectionAuthenticationInput | null;

  @Field(() => Json, { nullable: true, description: 'Other headers, in place of all present ones.' })
  headers?: unknown;
}

@InputType('DeleteConnectionInput', { description: 'Which connection to delete.' })
export class DeleteConnectionInput {
  @Field(() => ID, { description: "The connection's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;
}

/** A connection that was made or changed. */
export interface ConnectionPayload extends WithUserErrors {
  readonly connection?: ConnectionObject;
}

export const CreateConnectionPayload = payloadType<ConnectionPayload>(
  'createConnection',
  'connection',
  () => ConnectionObject,
  'The connection as it is now.',
);
export const UpdateConnectionPayload = payloadType<ConnectionPayload>(
  'updateConnection',
  'connection',
  () => ConnectionObject,
  'The connection as it is now.',
);

@ObjectType('DeleteConnectionPayload', { description: 'What became of `deleteConnection`.' })
export class DeleteConnectionPayload implements WithUserErrors {
  @Field(() => ID, { nullable: true, description: 'The id of the connection that is gone.' })
  readonly deletedConnectionId?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import { headerOf } from '../../webhooks/verify/provider/providers.js';
import type { Provider } from '../../webhooks/verify/provider/provider.js';
import { Json } from '../scalars.js';
import { EXPECTED_VERSION } from './expected-version.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';
import { payloadType } from './payload-type.js';

@ObjectType('Provider', { description: 'A sender whose way to authenticate is known.' })
export class ProviderObject {
  @Field(() => ID, { description: 'For `authentication.provider`.' })
  readonly id: string;

  @Field(() => String, { description: 'Its name.' })
  readonly name: string;

  @Field(() => String, { nullable: true, description: 'The header of its proof; null when that stands in the body.' })
  readonly header: string | null;

  @Field(() => String, { description: 'How it proves itself.' })
  readonly algorithm: string;

  @Field(() => Boolean, {
    description:
      'Whether the sender gives the secret (or a public key), so that you must bring it here; some give it only once they have the URL.',
  })
  readonly needsOwnSecret: boolean;

  @Field(() => String, { description: 'What to do at the sender.' })
  readonly setup: string;

  @Field(() => Boolean, { description: 'Whether everybody has it; otherwise a user here defined it.' })
  readonly builtIn: boolean;

  @Field(() => Json, {
    description: 'All that is known of how it signs, in the form that `createProvider` takes.',
  })
  readonly definition: unknown;

  @Field(() => Int, { nullable: true, description: 'Goes up with every change; null of a built-in one.' })
  readonly version: number | null;

  constructor(provider: Provider, version: number | null = null) {
    const { id, name, secretForm: _, ...definition } = provider;
    this.id = id;
    this.name = name;
    this.header = headerOf(provider) || null;
    this.algorithm = provider.schemes.map(algorithmOf).join(' or ');
    this.needsOwnSecret = provider.secretFrom !== 'user';
    this.setup = provider.setup;
    this.builtIn = version === null;
    this.definition = definition;
    this.version = version;
  }
}

@InputType('CreateProviderInput', { description: 'A sender of your own.' })
export class CreateProviderInput {
  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;

  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => Json, {
    description:
      'How it signs, in the form of `definition` of the built-in ones: `{ schemes: [{ scheme, alg, enc, header, base, … }], secretFrom, dedup, … }`.',
  })
  definition!: unknown;
}

@InputType('UpdateProviderInput', { description: 'What to change of a sender of your own.' })
export class UpdateProviderInput {
  @Field(() => ID, { description: 'Its id, `provider-…`.' })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;

  @Field(() => Json, { nullable: true, description: 'Another definition, as a whole.' })
  definition?: unknown;
}

@InputType('DeleteProviderInput', { description: 'Which sender of your own to delete.' })
export class DeleteProviderInput {
  @Field(() => ID, { description: 'Its id, `provider-…`.' })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;
}

/** What most changes of a provider give: each mutation has a type of its own, so that it can grow by itself. */
export interface ProviderPayload extends WithUserErrors {
  readonly provider?: ProviderObject;
}

export const CreateProviderPayload = payloadType<ProviderPayload>(
  'createProvider',
  'provider',
  () => ProviderObject,
  'The provider as it is now.',
);
export const UpdateProviderPayload = payloadType<ProviderPayload>(
  'updateProvider',
  'provider',
  () => ProviderObject,
  'The provider as it is now.',
);

@ObjectType('DeleteProviderPayload', { description: 'What became of `deleteProvider`.' })
export class DeleteProviderPayload implements WithUserErrors {
  @Field(() => ID, { nullable: true, description: 'The id of the provider that is gone.' })
  readonly deletedProviderId?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

const ALGORITHMS = {
  sha1: 'HMAC-SHA1',
  sha256: 'HMAC-SHA256',
  sha512: 'HMAC-SHA512',
  ed25519: 'Ed25519',
  'ecdsa-p256': 'ECDSA P-256 with SHA-256',
} as const;

function algorithmOf(scheme: Provider['schemes'][number]): string {
  return scheme.scheme === 'token' ? 'the secret itself' : `${ALGORITHMS[scheme.alg]}, ${scheme.enc}`;
}

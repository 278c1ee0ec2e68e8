import { Field, ID, ObjectType } from 'type-graphql';
import { headerOf } from '../../webhooks/verify/provider/providers.js';
import type { Provider } from '../../webhooks/verify/provider/provider.js';

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

  constructor(provider: Provider) {
    this.id = provider.id;
    this.name = provider.name;
    this.header = headerOf(provider) || null;
    this.algorithm = provider.schemes.map(algorithmOf).join(' or ');
    this.needsOwnSecret = provider.secretFrom !== 'user';
    this.setup = provider.setup;
  }
}

const ALGORITHMS = {
  sha1: 'HMAC-SHA1',
  sha256: 'HMAC-SHA256',
  ed25519: 'Ed25519',
  'ecdsa-p256': 'ECDSA P-256 with SHA-256',
} as const;

function algorithmOf(scheme: Provider['schemes'][number]): string {
  return scheme.scheme === 'token' ? 'the secret itself' : `${ALGORITHMS[scheme.alg]}, ${scheme.enc}`;
}

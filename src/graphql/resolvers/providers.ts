import { Authorized, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { PROVIDERS } from '../../webhooks/verify/provider/providers.js';
import { ProviderObject } from '../types/provider.js';

@Resolver()
export class ProviderResolver {
  @Authorized<Permission>('webhooks:read')
  @Query(() => [ProviderObject], { description: 'The senders that the method PROVIDER knows, by name.' })
  providers(): ProviderObject[] {
    return PROVIDERS.map((provider) => new ProviderObject(provider));
  }
}

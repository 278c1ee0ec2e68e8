import { Arg, Authorized, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { Outcome } from '../../lib/user-error.js';
import { createProvider, deleteProvider, updateProvider } from '../../webhooks/providers/manage-providers.js';
import type { OwnProvider } from '../../webhooks/providers/provider.entity.js';
import { readOwnProvider, readOwnProviders } from '../../webhooks/providers/read-providers.js';
import { toProvider } from '../../webhooks/providers/stored-provider.js';
import { findProvider, PROVIDERS } from '../../webhooks/verify/provider/providers.js';
import type { GraphqlContext } from '../context.js';
import {
  CreateProviderInput,
  CreateProviderPayload,
  DeleteProviderInput,
  DeleteProviderPayload,
  ProviderObject,
  type ProviderPayload,
  UpdateProviderInput,
  UpdateProviderPayload,
} from '../types/provider.js';

@Resolver()
export class ProviderResolver {
  @Authorized<Permission>('webhooks:read')
  @Query(() => [ProviderObject], {
    description: 'The senders that the method PROVIDER knows, by name: the built-in ones, then your own, 200 at most.',
  })
  async providers(@Ctx() { services, principal }: GraphqlContext): Promise<ProviderObject[]> {
    const own = await readOwnProviders(services, principal);
    return [...PROVIDERS.map((provider) => new ProviderObject(provider)), ...own.map(ownProvider)];
  }

  @Authorized<Permission>('webhooks:read')
  @Query(() => ProviderObject, { nullable: true, description: 'One sender; null when there is none of this id.' })
  async provider(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id: `stripe`, … or `provider-…`.' }) id: string,
  ): Promise<ProviderObject | undefined> {
    const builtIn = findProvider(id);
    if (builtIn !== undefined) return new ProviderObject(builtIn);
    const own = await readOwnProvider(services, principal, id);
    return own === null ? undefined : ownProvider(own);
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => CreateProviderPayload, {
    description: 'Defines a sender of your own, by the form that the built-in ones are known by.',
  })
  async createProvider(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateProviderInput, { description: 'What it is.' })
    { name, definition, idempotencyKey }: CreateProviderInput,
  ): Promise<ProviderPayload> {
    return payloadOf(await createProvider(services, principal, { name, definition, idempotencyKey }));
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => UpdateProviderPayload, {
    description: 'Changes a sender of your own, for all webhooks that use it, from the next call on.',
  })
  async updateProvider(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateProviderInput, { description: 'What to change.' }) input: UpdateProviderInput,
  ): Promise<ProviderPayload> {
    return payloadOf(
      await updateProvider(services, principal, {
        id: input.id,
        expectedVersion: input.expectedVersion ?? undefined,
        ...(typeof input.name === 'string' && { name: input.name }),
        ...(input.definition !== undefined && input.definition !== null && { definition: input.definition }),
      }),
    );
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => DeleteProviderPayload, { description: 'Deletes a sender of your own that no webhook uses.' })
  async deleteProvider(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => DeleteProviderInput, { description: 'Which one.' }) input: DeleteProviderInput,
  ): Promise<DeleteProviderPayload> {
    const { id, expectedVersion } = input;
    const outcome = await deleteProvider(services, principal, { id, expectedVersion: expectedVersion ?? undefined });
    return outcome.ok ? { deletedProviderId: outcome.value.id, userErrors: [] } : { userErrors: outcome.userErrors };
  }
}

function ownProvider(own: OwnProvider): ProviderObject {
  return new ProviderObject(toProvider(own), own.version);
}

function payloadOf(outcome: Outcome<OwnProvider>): ProviderPayload {
  if (!outcome.ok) return { userErrors: outcome.userErrors };
  return { provider: ownProvider(outcome.value), userErrors: [] };
}

import { Arg, Args, Authorized, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { ConnectionInput } from '../../connections/connection-input.js';
import { createConnection, deleteConnection, updateConnection } from '../../connections/manage-connections.js';
import { type ConnectionView, countConnections, listConnections } from '../../connections/read-connections.js';
import { formatId } from '../../lib/ids.js';
import type { Outcome } from '../../lib/user-error.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { readId } from '../public-id.js';
import {
  ConnectionPage,
  ConnectionObject,
  type ConnectionPayload,
  CreateConnectionInput,
  CreateConnectionPayload,
  DeleteConnectionInput,
  DeleteConnectionPayload,
  UpdateConnectionInput,
  UpdateConnectionPayload,
} from '../types/connection.js';

@Resolver()
export class ConnectionQueries {
  @Authorized<Permission>('connections:read')
  @Query(() => ConnectionObject, {
    nullable: true,
    description: 'One connection; null when there is none of this id.',
  })
  async connection(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `conn-…`.' }) id: string,
  ): Promise<ConnectionObject | undefined> {
    const view = await loaders.connections.load(readId('connection', id));
    return view && new ConnectionObject(view);
  }

  @Authorized<Permission>('connections:read')
  @Query(() => ConnectionPage, { description: 'All connections, the newest first unless `order` says otherwise.' })
  async connections(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
  ): Promise<Connection<ConnectionObject>> {
    const sql = services.database.pool;
    const page = await listedPage('connection', args, (request) => listConnections(sql, principal, request));
    return new ConnectionPage(
      keysetConnection(
        page,
        (view) => new ConnectionObject(view),
        () => countConnections(sql, principal),
      ),
    );
  }
}

@Resolver()
export class ConnectionMutations {
  @Authorized<Permission>('connections:write')
  @Mutation(() => CreateConnectionPayload, {
    description: 'Stores an outside system and, sealed, what opens it. Workers then call it by its id.',
  })
  async createConnection(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateConnectionInput, { description: 'What it is to be.' }) input: CreateConnectionInput,
  ): Promise<ConnectionPayload> {
    const { name, description, baseUrl, idempotencyKey } = input;
    return payloadOf(
      await createConnection(services, principal, {
        name,
        description,
        baseUrl,
        idempotencyKey,
        ...checkedLater(input),
      }),
    );
  }

  @Authorized<Permission>('connections:write')
  @Mutation(() => UpdateConnectionPayload, {
    description: 'Changes a connection for all workers that use it, with their next request.',
  })
  async updateConnection(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateConnectionInput, { description: 'What to change.' }) input: UpdateConnectionInput,
  ): Promise<ConnectionPayload> {
    const { name, baseUrl, description } = input;
    return payloadOf(
      await updateConnection(services, principal, {
        id: readId('connection', input.id),
        expectedVersion: input.expectedVersion ?? undefined,
        description,
        ...(typeof name === 'string' && { name }),
        ...(typeof baseUrl === 'string' && { baseUrl }),
        ...checkedLater(input),
      }),
    );
  }

  @Authorized<Permission>('connections:write')
  @Mutation(() => DeleteConnectionPayload, {
    description: 'Deletes a connection that no worker uses, and its credential with it.',
  })
  async deleteConnection(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => DeleteConnectionInput, { description: 'Which one.' }) input: DeleteConnectionInput,
  ): Promise<DeleteConnectionPayload> {
    const outcome = await deleteConnection(services, principal, {
      id: readId('connection', input.id),
      expectedVersion: input.expectedVersion ?? undefined,
    });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    return { deletedConnectionId: formatId('connection', outcome.value.id), userErrors: [] };
  }
}

/** Fields whose shape the use case checks: it finds all faults at once. */
function checkedLater(
  input: CreateConnectionInput | UpdateConnectionInput,
): Pick<ConnectionInput, 'authentication' | 'headers'> {
  return {
    authentication: input.authentication ?? undefined,
    headers: (input.headers ?? undefined) as ConnectionInput['headers'],
  };
}

function payloadOf(outcome: Outcome<ConnectionView>): ConnectionPayload {
  if (!outcome.ok) return { userErrors: outcome.userErrors };
  return { connection: new ConnectionObject(outcome.value), userErrors: [] };
}

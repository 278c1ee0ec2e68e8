import { Args, Authorized, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import { type AuditFilter, countAuditEvents, listAuditEvents } from '../../access/list-audit.js';
import type { Permission } from '../../access/permissions.js';
import { type Connection, pageRequest } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { inOrder } from '../keyset-connection.js';
import { printCursor, readNumberCursor } from '../cursor.js';
import { readId } from '../public-id.js';
import { AuditEventConnection, AuditEventObject, AuditEventsArgs } from '../types/audit-event.js';
import { UserObject } from '../types/user.js';

@Resolver(() => AuditEventObject)
export class AuditResolver {
  @Authorized<Permission>('audit:read')
  @Query(() => AuditEventConnection, {
    description: 'Every change and every sight of a secret, the newest first.',
  })
  async auditEvents(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => AuditEventsArgs) args: AuditEventsArgs,
  ): Promise<Connection<AuditEventObject>> {
    const sql = services.database.pool;
    const filter: AuditFilter = {
      action: args.action ?? undefined,
      subjectId: args.subjectId ?? undefined,
      userId: args.userId ? readId('user', args.userId) : undefined,
      from: args.from ?? undefined,
      to: args.to ?? undefined,
    };
    const { limit, fromEnd, after, before } = pageRequest(args);
    const request = { limit, fromEnd, after: readNumberCursor(after), before: readNumberCursor(before) };
    const { items, hasNextPage, hasPreviousPage } = await inOrder(args.order, request, (placed) =>
      listAuditEvents(sql, principal, filter, placed),
    );
    return new AuditEventConnection({
      edges: items.map((view) => ({ cursor: printCursor([String(view.seq)]), node: new AuditEventObject(view) })),
      hasNextPage,
      hasPreviousPage,
      count: () => countAuditEvents(sql, principal, filter),
    });
  }

  @Authorized<Permission>('users:read')
  @FieldResolver(() => UserObject, { nullable: true, description: 'Whose credential it was.' })
  async user(
    @Root() { userId }: AuditEventObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<UserObject | undefined> {
    const view = userId === null ? undefined : await loaders.users.load(userId);
    return view && new UserObject(view);
  }
}

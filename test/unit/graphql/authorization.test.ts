import { describe, expect, it } from '@jest/globals';
import { type GraphQLInterfaceType, type GraphQLObjectType, GraphQLSchema } from 'graphql';
import { Authorized, Query, Resolver } from 'type-graphql';
import {
  authChecker,
  openCrossings,
  READ_PERMISSIONS,
  undecidedRootFields,
} from '../../../src/graphql/authorization.js';
import type { GraphqlContext } from '../../../src/graphql/context.js';
import { buildGraphqlSchema } from '../../../src/graphql/schema.js';
import { newUuidV7 } from '../../../src/lib/ids.js';

const schema = buildGraphqlSchema();

function rootFields(type: GraphQLObjectType | null | undefined): string[] {
  return Object.keys(type?.getFields() ?? {});
}

describe('authorization', () => {
  it('is decided for every root field', () => {
    expect(schema).toBeInstanceOf(GraphQLSchema);
    expect(rootFields(schema.getQueryType()).length).toBeGreaterThan(10);
    expect(rootFields(schema.getMutationType()).length).toBeGreaterThan(10);
    expect(rootFields(schema.getSubscriptionType())).toEqual([
      'alertChanged',
      'bulkOperationProgress',
      'callReceived',
      'executionEvents',
      'webhookExecutionEvents',
      'callExecutionEvents',
      'statisticsUpdated',
    ]);
    expect(undecidedRootFields()).toEqual([]);
  });

  it('names a field without a rule and one with a permission that there is not', () => {
    class Careless {
      open(): string {
        return '';
      }
      misspelt(): string {
        return '';
      }
    }
    const decorate = (name: 'open' | 'misspelt', decorator: MethodDecorator): void =>
      void decorator(Careless.prototype, name, Object.getOwnPropertyDescriptor(Careless.prototype, name)!);
    Resolver()(Careless);
    decorate(
      'open',
      Query(() => String),
    );
    decorate(
      'misspelt',
      Query(() => String),
    );
    decorate('misspelt', Authorized('calls:raed') as MethodDecorator);
    expect(undecidedRootFields()).toEqual(['Query.open', 'Query.misspelt']);
    expect(undecidedRootFields(new Set(['Query.open']))).toEqual(['Query.misspelt']);
  });

  it('is asked for wherever a field leads from one thing to another', () => {
    expect(openCrossings(schema)).toEqual([]);
  });

  it('finds a field that leads on without asking', () => {
    const stricter = { ...READ_PERMISSIONS, WebhookSecret: 'webhooks:reveal-secret' } as const;
    expect(openCrossings(schema, stricter)).toEqual(['Webhook.secrets']);
  });

  it('is known for reading every thing that has an id of its own', () => {
    const nodes = schema.getPossibleTypes(schema.getType('Node') as GraphQLInterfaceType).map(({ name }) => name);
    expect(nodes.length).toBeGreaterThan(4);
    expect(nodes.filter((name) => !Object.hasOwn(READ_PERMISSIONS, name))).toEqual([]);
  });

  it('asks for every permission, and at least for somebody', () => {
    const check = (principal: GraphqlContext['principal'], ...permissions: string[]): unknown =>
      authChecker({ root: {}, args: {}, context: { principal } as GraphqlContext, info: {} as never }, permissions);
    const viewer = {
      userId: newUuidV7(),
      role: 'viewer',
      credential: { type: 'api-token', id: newUuidV7() },
      scopes: [],
    } as const;
    expect(check(viewer)).toBe(true);
    expect(check(viewer, 'calls:read')).toBe(true);
    expect(() => check(viewer, 'calls:read', 'webhooks:write')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(() => check(viewer, 'no:such')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(() => check(undefined)).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
  });
});

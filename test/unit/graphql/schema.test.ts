import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  buildSchema,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { undecidedRootFields } from '../../../src/graphql/authorization.js';
import { printSchemaSdl } from '../../../src/graphql/print-schema.js';
import { buildGraphqlSchema } from '../../../src/graphql/schema.js';

/** Everything in a schema that has no description. */
function undescribed(schema: GraphQLSchema): string[] {
  const roots = new Set([schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]);
  return Object.values(schema.getTypeMap()).flatMap((type) => {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) return [];
    const missing = type.description || roots.has(type as never) ? [] : [type.name];
    if (isEnumType(type)) {
      missing.push(...type.getValues().flatMap((value) => (value.description ? [] : [`${type.name}.${value.name}`])));
    }
    if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        if (!field.description) missing.push(`${type.name}.${field.name}`);
        for (const arg of 'args' in field ? field.args : []) {
          if (!arg.description) missing.push(`${type.name}.${field.name}(${arg.name})`);
        }
      }
    }
    return missing;
  });
}

const fieldsOf = (schema: GraphQLSchema, name: string): string[] => {
  const type = schema.getType(name);
  return isObjectType(type) || isInterfaceType(type) || isInputObjectType(type) ? Object.keys(type.getFields()) : [];
};

describe('the schema', () => {
  const schema = buildGraphqlSchema();

  it('describes every type, field, argument and value', () => {
    expect(undescribed(schema)).toEqual([]);
  });

  it('finds what has no description', () => {
    const bare = buildSchema('type Query { a(b: C): D } enum C { X } type D { e: Int } input F { g: Int }');
    expect(undescribed(bare)).toEqual(['Query.a', 'Query.a(b)', 'C', 'C.X', 'D', 'D.e', 'F', 'F.g']);
  });

  it('decides for every root field who may use it', () => {
    expect(undecidedRootFields()).toEqual([]);
  });

  it('is the one that is committed', () => {
    expect(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8')).toBe(printSchemaSdl());
  });

  it('can be built more than once', () => {
    expect(printSchemaSdl()).toBe(printSchemaSdl());
  });

  it('has the fields that programs rely on', () => {
    expect(fieldsOf(schema, 'CreateWebhookInput').toSorted()).toEqual(
      [
        'name',
        'description',
        'workerIds',
        'executionMode',
        'dispatch',
        'active',
        'syncTimeout',
        'idempotencyWindow',
        'idempotencyPointer',
        'callbackUrl',
        'allowedCidrs',
        'clientCertificates',
        'filter',
        'bodyBytesMax',
        'acceptAnyJson',
        'flow',
        'idempotencyKey',
        'authentication',
      ].toSorted(),
    );
    expect(fieldsOf(schema, 'WebhookAuthenticationInput')).toEqual(
      expect.arrayContaining(['method', 'headerName', 'headerPrefix', 'secret']),
    );
    expect(fieldsOf(schema, 'CreateWebhookPayload')).toEqual(
      expect.arrayContaining(['webhook', 'secret', 'curl', 'userErrors']),
    );
    expect(fieldsOf(schema, 'TestWebhookPayload')).toEqual(
      expect.arrayContaining(['call', 'httpStatus', 'responseBody', 'curl', 'userErrors']),
    );
    for (const payload of ['Reveal', 'Regenerate', 'Rotate']) {
      expect(fieldsOf(schema, `${payload}WebhookSecretPayload`)).toEqual(
        expect.arrayContaining(['webhook', 'secret', 'previousSecretExpiresAt', 'userErrors']),
      );
    }
    const rotate = schema.getType('RotateWebhookSecretInput');
    expect(printSchemaSdl()).toContain('overlap: Duration = "PT24H"');
    expect(isInputObjectType(rotate) && rotate.getFields()['overlap']?.defaultValue).toBe(86_400_000);
  });

  it('puts userErrors into every payload', () => {
    const payloads = Object.values(schema.getMutationType()!.getFields()).map(({ type }) =>
      String(type).replace('!', ''),
    );
    expect(payloads.filter((payload) => !fieldsOf(schema, payload).includes('userErrors'))).toEqual([]);
    expect(new Set(payloads).size).toBe(payloads.length);
  });
});

import { lexicographicSortSchema, printSchema } from 'graphql';
import { buildGraphqlSchema } from './schema.js';

/** The schema in its own language, in an order that does not depend on the code's. */
export function printSchemaSdl(): string {
  return `${printSchema(lexicographicSortSchema(buildGraphqlSchema()))}\n`;
}

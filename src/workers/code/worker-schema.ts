import { z } from 'zod';
import type { JsonSchema } from '../worker.entities.js';
import type { WorkerSchema } from './define-worker.js';

/** Whether a schema is zod's, of any copy of zod 4. */
export function isZodSchema(schema: WorkerSchema): schema is z.ZodType {
  return '_zod' in schema;
}

/**
 * A worker's schema as JSON Schema 2020-12. What zod can check and JSON Schema cannot say (a refinement, a date)
 * stands as "anything" here and is checked when the worker runs.
 */
export function toJsonSchema(schema: WorkerSchema, io: 'input' | 'output'): JsonSchema {
  const json: unknown = isZodSchema(schema) ? z.toJSONSchema(schema, { io, unrepresentable: 'any' }) : schema;
  // Through text: plain own data, in the form that PostgreSQL will give it back.
  return JSON.parse(JSON.stringify(json)) as JsonSchema;
}

/** zod's issues as one line: where and what, never the values. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => `/${issue.path.map(escapePointer).join('/')}: ${issue.message}`)
    .join('; ');
}

function escapePointer(key: PropertyKey): string {
  return String(key).replaceAll('~', '~0').replaceAll('/', '~1');
}

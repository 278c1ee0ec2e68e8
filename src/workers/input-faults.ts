import type { z } from 'zod';
import { AppError } from '../errors.js';
import type { UserError } from '../lib/user-error.js';
import { compileSchema } from './schema-validator.js';
import type { JsonSchema } from './worker.entities.js';

/** What is wrong with a JSON Schema that a user gave; nothing with none. */
export function schemaFaults(field: readonly string[], schema: JsonSchema | null): readonly UserError[] {
  if (schema === null) return [];
  try {
    compileSchema(schema, { trusted: false });
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ field, message: error.message, code: 'INVALID_SCHEMA' }];
  }
}

/** A fault that zod found, at the field of the same path. */
export function fieldFault({ path, message, code }: z.core.$ZodIssue): UserError {
  return {
    field: path.map(String),
    message,
    code: code === 'too_big' || code === 'too_small' ? 'OUT_OF_RANGE' : 'INVALID',
  };
}

import { z } from 'zod';
import { AppError } from '../../errors.js';
import { descriptionFaults, nameFaults } from '../../lib/text-rules.js';
import type { Outcome, UserError } from '../../lib/user-error.js';
import { compileSchema } from '../schema-validator.js';
import type { JsonSchema } from '../worker.entities.js';
import { outboundHeaders } from '../../outbound/outbound-headers.js';
import { outboundUrl } from '../../outbound/outbound-url.js';
import { httpMethod, signingSecret } from './http-definition.js';

/** Everything that can be said of an HTTP worker. */
export interface HttpWorkerInput {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** GET, POST, PUT, PATCH or DELETE; POST by default. A GET sends no body. */
  readonly method?: string | undefined;
  readonly url: string;
  /** Sent with every request. They are sealed in the database and not shown again. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The user's own `whsec_…`; without one a new one is made. */
  readonly signingSecret?: string | undefined;
  /** JSON Schema (2020-12) for the body. */
  readonly inputSchema?: JsonSchema | null | undefined;
  /** Milliseconds for one attempt, at most an hour; 30,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Attempts in all, 1 to 100; 5 by default. */
  readonly attemptsMax?: number | undefined;
}

const DESCRIPTION_CHARACTERS_MAX = 2_000;

const FIELDS = z.object({
  name: z.string(),
  description: z
    .string()
    .nullish()
    .transform((text) => text ?? null),
  method: httpMethod,
  url: outboundUrl,
  headers: outboundHeaders.default({}),
  signingSecret: signingSecret.optional(),
  inputSchema: z
    .union([z.boolean(), z.record(z.string(), z.unknown())])
    .nullish()
    .transform((schema) => schema ?? null),
  timeoutMs: z.int().min(1).max(3_600_000).default(30_000),
  attemptsMax: z.int().min(1).max(100).default(5),
});
export type HttpWorkerFields = z.output<typeof FIELDS>;

/** Checks all fields and finds all faults. */
export function parseHttpWorkerInput(input: HttpWorkerInput): Outcome<HttpWorkerFields> {
  const parsed = FIELDS.safeParse(input);
  const userErrors: UserError[] = [
    ...nameFaults(['name'], input.name),
    ...descriptionFaults(['description'], input.description ?? '', DESCRIPTION_CHARACTERS_MAX),
    ...(parsed.error?.issues ?? []).map(toUserError),
    ...schemaFaults(input.inputSchema ?? null),
  ];
  if (!parsed.success || userErrors.length > 0) return { ok: false, userErrors };
  return { ok: true, value: { ...parsed.data, name: parsed.data.name.trim() } };
}

function schemaFaults(schema: JsonSchema | null): readonly UserError[] {
  if (schema === null) return [];
  try {
    compileSchema(schema, { trusted: false });
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ field: ['inputSchema'], message: error.message, code: 'INVALID_SCHEMA' }];
  }
}

function toUserError({ path, message, code }: z.core.$ZodIssue): UserError {
  return {
    field: path.map(String),
    message,
    code: code === 'too_big' || code === 'too_small' ? 'OUT_OF_RANGE' : 'INVALID',
  };
}

import { z } from 'zod';
import { descriptionFaults, nameFaults } from '../../lib/text-rules.js';
import type { Outcome, UserError } from '../../lib/user-error.js';
import { fieldFault, schemaFaults } from '../input-faults.js';
import type { JsonSchema } from '../worker.entities.js';
import { outboundHeaders } from '../../outbound/outbound-headers.js';
import { URL_CHARACTERS_MAX } from '../../outbound/outbound-url.js';
import { httpMethod, signingSecret } from './http-definition.js';
import { type HttpTemplates, templateFaults } from './http-template-faults.js';
import { normalUrl } from './http-url.js';
import { inputMessage } from '../../lib/input-message.js';

/** Everything that can be said of an HTTP worker. */
export interface HttpWorkerInput extends HttpTemplates {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** The user's own `whsec_…`; without one a new one is made. */
  readonly signingSecret?: string | undefined;
  /** JSON Schema (2020-12) for the body. */
  readonly inputSchema?: JsonSchema | null | undefined;
  /** Milliseconds for one attempt, at most an hour; 30,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds from the request to the response's headers; `timeoutMs` by default. */
  readonly headersTimeoutMs?: number | null | undefined;
  /** Milliseconds of silence within the response's body; `timeoutMs` by default. */
  readonly bodyTimeoutMs?: number | null | undefined;
  /** Bytes of the response that are read, at most 10 MiB; 1 MiB by default. The rest is left: `truncated`. */
  readonly responseBytesMax?: number | null | undefined;
  /** Attempts in all, 1 to 100; 5 by default. */
  readonly attemptsMax?: number | undefined;
}

const DESCRIPTION_CHARACTERS_MAX = 2_000;

const QUERY_PARAMETERS_MAX = 100;
const CONDITION_CHARACTERS_MAX = 10_000;
const TIMEOUT_MS_MAX = 3_600_000;

/** Without a value it is `null`. */
const orNull = <T>(schema: z.ZodType<T>): z.ZodType<T | null> => schema.nullish().transform((value) => value ?? null);

const FIELDS = z.object({
  name: z.string(),
  description: z
    .string()
    .nullish()
    .transform((text) => text ?? null),
  method: httpMethod,
  url: z.string().max(URL_CHARACTERS_MAX),
  connectionId: orNull(z.string()),
  query: z
    .record(z.string().min(1).max(200), z.string())
    .refine(
      (query) => Object.keys(query).length <= QUERY_PARAMETERS_MAX,
      `must not be more than ${QUERY_PARAMETERS_MAX}`,
    )
    .nullish()
    .transform((query) => query ?? {}),
  headers: outboundHeaders.default({}),
  body: orNull(z.unknown()),
  result: orNull(z.unknown()),
  successWhen: orNull(z.string().max(CONDITION_CHARACTERS_MAX)),
  headersTimeoutMs: orNull(z.int().min(1).max(TIMEOUT_MS_MAX)),
  bodyTimeoutMs: orNull(z.int().min(1).max(TIMEOUT_MS_MAX)),
  responseBytesMax: orNull(z.int().min(1).max(10_485_760)),
  signingSecret: signingSecret.optional(),
  inputSchema: z
    .union([z.boolean(), z.record(z.string(), z.unknown())])
    .nullish()
    .transform((schema) => schema ?? null),
  timeoutMs: z.int().min(1).max(TIMEOUT_MS_MAX).default(30_000),
  attemptsMax: z.int().min(1).max(100).default(5),
});
export type HttpWorkerFields = z.output<typeof FIELDS>;

/** Checks all fields and finds all faults. */
export function parseHttpWorkerInput(input: HttpWorkerInput): Outcome<HttpWorkerFields> {
  const parsed = FIELDS.safeParse(input, { error: inputMessage });
  const userErrors: UserError[] = [
    ...nameFaults(['name'], input.name),
    ...descriptionFaults(['description'], input.description ?? '', DESCRIPTION_CHARACTERS_MAX),
    ...(parsed.error?.issues ?? []).map(fieldFault),
    ...templateFaults(input),
    ...schemaFaults(['inputSchema'], input.inputSchema ?? null),
  ];
  if (!parsed.success || userErrors.length > 0) return { ok: false, userErrors };
  const { name, url, connectionId } = parsed.data;
  return {
    ok: true,
    value: { ...parsed.data, name: name.trim(), url: connectionId === null ? normalUrl(url) : url },
  };
}

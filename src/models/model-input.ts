import { z } from 'zod';
import { nameFaults } from '../lib/text-rules.js';
import { type Outcome, succeeded, type UserError } from '../lib/user-error.js';
import { outboundUrl } from '../outbound/outbound-url.js';
import { MODEL_PROVIDERS, type ModelProvider } from './model.entity.js';
import { hasHome } from './provider-urls.js';
import { inputMessage } from '../lib/input-message.js';

/** Everything that can be said of a model. Prices are nano-dollars for a million tokens, limits of 0 are none. */
export interface ModelInput {
  readonly name: string;
  readonly provider: ModelProvider;
  /** Needed for OPENAI_COMPATIBLE; the others have an address of their own. */
  readonly baseUrl?: string | null | undefined;
  /** The provider's name for it. */
  readonly modelName: string;
  readonly apiKey?: string | null | undefined;
  readonly promptPrice?: bigint | undefined;
  readonly completionPrice?: bigint | undefined;
  /** `null`: cached tokens cost what the others of a prompt do. */
  readonly cachedPrice?: bigint | null | undefined;
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  readonly concurrencyMax?: number | undefined;
  readonly structuredOutputs?: boolean | undefined;
}

/** Requests a minute of a model that says nothing else. */
export const REQUESTS_PER_MINUTE_DEFAULT = 600;

const LIMIT_MAX = 1_000_000_000;

/** A million dollars for a million tokens. */
const PRICE_MAX = 1_000_000_000_000_000n;

const limit = z.number().int('must be a whole number').min(0).max(LIMIT_MAX);
const price = z.bigint().min(0n).max(PRICE_MAX);

const FIELDS = z
  .object({
    name: z.string(),
    provider: z.enum(MODEL_PROVIDERS),
    baseUrl: outboundUrl
      .refine((url) => !/[?#]/.test(url), 'must have no query and no fragment')
      .nullish()
      .transform((url) => url ?? null),
    modelName: z
      .string()
      .trim()
      .min(1, 'is needed')
      .max(200)
      .regex(/^\P{Cc}*$/u, 'has characters in it that cannot be shown'),
    apiKey: z
      .string()
      .min(1, 'must not be empty')
      .max(8_192)
      .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
      .nullish()
      .transform((key) => key ?? null),
    promptPrice: price.default(0n),
    completionPrice: price.default(0n),
    cachedPrice: price.nullish().transform((nanos) => nanos ?? null),
    requestsPerMinute: limit.default(REQUESTS_PER_MINUTE_DEFAULT),
    tokensPerMinute: limit.default(0),
    concurrencyMax: limit.default(0),
    structuredOutputs: z.boolean().default(true),
  })
  .superRefine(({ provider, baseUrl, apiKey }, context) => {
    if (hasHome(provider)) {
      if (apiKey === null) context.addIssue({ code: 'custom', path: ['apiKey'], message: `is needed for ${provider}` });
    } else if (baseUrl === null) {
      context.addIssue({ code: 'custom', path: ['baseUrl'], message: `is needed for ${provider}` });
    }
  });
export type ModelFields = z.output<typeof FIELDS>;

/** Checks all fields and finds all faults. No message repeats a key. */
export function parseModelInput(input: ModelInput): Outcome<ModelFields> {
  const parsed = FIELDS.safeParse(input, { error: inputMessage });
  const userErrors: UserError[] = [
    ...nameFaults(['name'], input.name),
    ...(parsed.error?.issues ?? []).map(({ path, message, code }) => ({
      field: path.map(String),
      message,
      code: code === 'too_big' ? 'TOO_LARGE' : 'INVALID',
    })),
  ];
  if (!parsed.success || userErrors.length > 0) return { ok: false, userErrors };
  return succeeded({ ...parsed.data, name: parsed.data.name.trim() });
}

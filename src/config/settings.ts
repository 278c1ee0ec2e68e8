import { z } from 'zod';
import { LOG_LEVELS } from '../lib/logger.js';

/** What a process can do: take calls, answer the admin API, run executions. */
export const ROLES = ['ingress', 'admin', 'runner'] as const;
export type Role = (typeof ROLES)[number];

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const wholeNumber = (least: number, most: number): z.ZodType<number, string> =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be from ${least} to ${most}`);

const headerName = z.string().regex(/^[A-Za-z0-9_-]+$/, 'must be the name of a header');

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Drivers parse in ways of their own, so what is no URL would fail later, and less clearly. */
function namesDatabase(text: string): boolean {
  try {
    return decodeURIComponent(new URL(text).pathname).length > 1;
  } catch {
    return false;
  }
}

const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whoever can answer in the issuer's place can sign in as anybody. */
function isSafeIssuer(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || LOOPBACK_HOSTS.has(hostname);
}

/** Every setting: its name in the environment, its form, its default. The README's table is checked against it by a test. */
export const SETTINGS = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(4000),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  ROLES: list.pipe(z.array(z.enum(ROLES)).min(1)).default([...ROLES]),
  DATA_DIR: z.string().min(1).default('.workhook'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://')
    .refine(
      namesDatabase,
      'must be a URL with the name of a database; write # / ? @ : % in a password as %23 and so on',
    )
    .optional(),
  DATABASE_POOL_SIZE: wholeNumber(4, 500).default(20),
  ENCRYPTION_KEYS: z.string().min(1).optional(),
  ENCRYPTION_KEYS_FILE: z.string().min(1).optional(),
  ADMIN_TOKEN: z.string().min(32, 'must have 32 characters or more').optional(),
  OIDC_ISSUER: z
    .url({ protocol: /^https?$/ })
    .refine(isSafeIssuer, 'must begin with https:// (http:// only on this machine)')
    .optional(),
  OIDC_CLIENT_ID: z.string().min(1).optional(),
  OIDC_CLIENT_SECRET: z.string().min(1).optional(),
  OIDC_NEW_USERS_ROLE: z.enum(['admin', 'editor', 'operator', 'viewer']).optional(),
  WORKERS_DIR: z.string().min(1).default('examples/workers'),
  WORKERS_ISOLATION: z.enum(['process', 'none']).default('process'),
  WORKERS_MEMORY_MB: wholeNumber(32, 65_536).default(256),
  WORKERS_ENV: list.default([]),
  MCP_SERVERS_FILE: z.string().min(1).optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  TRUSTED_PROXIES: list.default([]),
  CLIENT_CERT_HEADER: headerName.optional(),
  CLIENT_CERT_VERIFY_HEADER: headerName.optional(),
  CLIENT_CERT_FINGERPRINT_HEADER: headerName.optional(),
  CLIENT_CERT_SUBJECT_HEADER: headerName.optional(),
  TLS_CERT_FILE: z.string().min(1).optional(),
  TLS_KEY_FILE: z.string().min(1).optional(),
  TLS_CLIENT_CA_FILE: z.string().min(1).optional(),
  OUTBOUND_ALLOWED_CIDRS: list.default([]),
  GRAPHQL_INTROSPECTION: flag.optional(),
  BODY_BYTES_MAX: wholeNumber(1, 104_857_600).default(1_048_576),
  BODY_BYTES_CEILING: wholeNumber(1, 104_857_600).default(26_214_400),
  SYNC_TIMEOUT_MS: wholeNumber(1, 300_000).default(25_000),
  PREFER_WAIT_MS_MAX: wholeNumber(0, 300_000).default(60_000),
  RESULT_WAITERS_MAX: wholeNumber(0, 1_000_000).default(1_000),
  IDEMPOTENCY_WINDOW_MS: wholeNumber(1_000, 604_800_000).default(86_400_000),
  SHUTDOWN_TIMEOUT_MS: wholeNumber(0, 600_000).default(30_000),
  RUNNER_CONCURRENCY: wholeNumber(1, 1_000).default(30),
  MODEL_WAIT_MS_MAX: wholeNumber(0, 2_592_000_000).default(86_400_000),
  OPENAI_API_KEY: z.string().min(1).optional(),
  OPENAI_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
  OPENAI_MODEL: z.string().min(1).default('gpt-5-mini'),
  ANTHROPIC_API_KEY: z.string().min(1).optional(),
  ANTHROPIC_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
  ANTHROPIC_MODEL: z.string().min(1).default('claude-haiku-4-5'),
  GOOGLE_GENERATIVE_AI_API_KEY: z.string().min(1).optional(),
  GOOGLE_GENERATIVE_AI_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
  GOOGLE_GENERATIVE_AI_MODEL: z.string().min(1).default('gemini-flash-latest'),
  RATE_LIMIT_GLOBAL_PER_MINUTE: wholeNumber(0, 1_000_000_000).default(60_000),
  RATE_LIMIT_USER_PER_MINUTE: wholeNumber(0, 1_000_000_000).default(6_000),
  RATE_LIMIT_WEBHOOK_PER_MINUTE: wholeNumber(0, 1_000_000_000).default(0),
  ACCEPT_BATCH_MAX: wholeNumber(1, 1_000).default(128),
  ACCEPT_QUEUE_MAX: wholeNumber(1, 1_000_000).default(5_000),
  ACCEPT_WAIT_MS_MAX: wholeNumber(1, 60_000).default(5_000),
  RETENTION_DAYS: wholeNumber(0, 36_500).default(90),
});

/** The settings as they were given, each in its form. */
export type Settings = z.output<typeof SETTINGS>;

/** The names of all settings, for the README's table to be checked against. */
export const SETTING_NAMES: readonly string[] = Object.keys(SETTINGS.shape);

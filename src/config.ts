import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { type Role, type Settings, SETTINGS } from './config/settings.js';
import { AppError } from './errors.js';

/** The package's own description, beside `dist` and `src`. */
const { version: VERSION } = createRequire(import.meta.url)('workhook/package.json') as { version: string };

/** What every program needs and no secret is in. */
const HARMLESS_NAMES = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_ENV', 'NODE_EXTRA_CA_CERTS'];

function pick(environment: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  const entries = names.map((name) => [name, environment[name]] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** A model of the environment. */
export interface ModelSettings {
  readonly managedBy: 'OPENAI' | 'ANTHROPIC' | 'GOOGLE';
  readonly provider: 'OPENAI_COMPATIBLE' | 'OPENAI' | 'ANTHROPIC' | 'GOOGLE';
  readonly baseUrl: string | undefined;
  readonly modelName: string;
  readonly apiKey: string | undefined;
}

/** What the process was told, parsed once. Secrets are in it: never print it. */
export interface Config {
  /** Of this program, from package.json. */
  readonly version: string;
  readonly production: boolean;
  readonly host: string;
  /** TCP port; 0 lets the system choose. */
  readonly port: number;
  /** The base of every URL shown, without a trailing slash; by default the address that it listens on. */
  readonly publicUrl: string | undefined;
  readonly roles: ReadonlySet<Role>;
  /** Absolute path of the folder for the embedded database and its key. */
  readonly dataDir: string;
  /** Unset: an embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | undefined;
  readonly databasePoolSize: number;
  /** Key-encryption keys, `id:base64` separated by commas, the first one seals. */
  readonly encryptionKeys: string | undefined;
  readonly encryptionKeysFile: string | undefined;
  readonly adminToken: string | undefined;
  /** Where people sign in with OpenID Connect; unset: only with login links. */
  readonly oidc:
    | {
        readonly issuer: string;
        readonly clientId: string;
        readonly clientSecret: string;
        /** What somebody becomes whom nobody invited; unset: they are not let in. */
        readonly newUsersRole: Settings['OIDC_NEW_USERS_ROLE'];
      }
    | undefined;
  /** Absolute path of the folder with the operator's CODE workers. */
  readonly workersDir: string;
  /** How CODE workers run: in processes of their own, or in this one. */
  readonly workersIsolation: Settings['WORKERS_ISOLATION'];
  /** MiB that CODE workers may use in one of their processes. */
  readonly workersMemoryMb: number;
  /** The environment that CODE workers in processes of their own see. */
  readonly workersEnvironment: Readonly<Record<string, string>>;
  /** Absolute path of the file with the operator's MCP servers. */
  readonly mcpServersFile: string | undefined;
  readonly logLevel: Settings['LOG_LEVEL'];
  /** CIDRs whose `X-Forwarded-*` headers are believed. */
  readonly trustedProxies: readonly string[];
  /** The headers, in lower case, in which trusted proxies say which client certificate they verified. */
  readonly certificateHeaders:
    | {
        readonly certificate: string | undefined;
        readonly verify: string | undefined;
        readonly fingerprint: string | undefined;
        readonly subject: string | undefined;
      }
    | undefined;
  /** Absolute paths of PEM files; with them the process speaks HTTPS itself. */
  readonly tls:
    | { readonly certFile: string; readonly keyFile: string; readonly clientCaFile: string | undefined }
    | undefined;
  /** CIDRs that outbound requests may reach although they are not global. */
  readonly outboundAllowedCidrs: readonly string[];
  readonly graphqlIntrospection: boolean;
  /** The largest body of a call, in bytes, when its webhook does not say. */
  readonly bodyBytesMax: number;
  /** The most that a webhook can ask for. */
  readonly bodyBytesCeiling: number;
  /** How long a sync call waits, in milliseconds, when its webhook does not say. */
  readonly syncTimeoutMs: number;
  /** The longest that `Prefer: wait=N` can make a request wait, in milliseconds. */
  readonly preferWaitMsMax: number;
  /** Requests that may wait for results or stream them at once in this process. */
  readonly resultWaitersMax: number;
  /** How long a repeated call is known, in milliseconds, when its webhook does not say. */
  readonly idempotencyWindowMs: number;
  /** How long a stop waits for running executions, in milliseconds. */
  readonly shutdownTimeoutMs: number;
  /** Executions at once in this process. */
  readonly runnerConcurrency: number;
  /** For how long an execution may be put off in all for want of room at its models, in milliseconds. */
  readonly modelWaitMsMax: number;
  /** Models that the environment names, each with what is known of it. */
  readonly models: readonly ModelSettings[];
  /** Calls a minute; 0 is no limit. */
  readonly rateLimits: {
    readonly globalPerMinute: number;
    readonly userPerMinute: number;
    readonly webhookPerMinute: number;
  };
  readonly accept: { readonly batchMax: number; readonly queueMax: number; readonly waitMsMax: number };
  /** Days that calls and executions are kept; 0 is for ever. */
  readonly retentionDays: number;
}

/**
 * Reads the settings. An empty variable counts as unset, as compose files write it.
 *
 * @throws AppError CONFIGURATION_INVALID with one line that names each wrong setting, never its value.
 */
export function readConfig(environment: NodeJS.ProcessEnv, workingDir: string = process.cwd()): Config {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = SETTINGS.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${String(issue.path[0])}: ${issue.message}`);
    throw new AppError('CONFIGURATION_INVALID', `Wrong setting: ${faults.join('; ')}`);
  }
  const settings = parsed.data;
  const production = settings.NODE_ENV === 'production';
  return {
    version: VERSION,
    production,
    host: settings.HOST,
    port: settings.PORT,
    publicUrl: settings.PUBLIC_URL?.replace(/\/+$/, ''),
    roles: new Set(settings.ROLES),
    dataDir: resolve(workingDir, settings.DATA_DIR),
    databaseUrl: settings.DATABASE_URL,
    databasePoolSize: settings.DATABASE_POOL_SIZE,
    encryptionKeys: settings.ENCRYPTION_KEYS,
    encryptionKeysFile: settings.ENCRYPTION_KEYS_FILE,
    adminToken: settings.ADMIN_TOKEN,
    oidc: oidcOf(settings),
    workersDir: resolve(workingDir, settings.WORKERS_DIR),
    workersIsolation: settings.WORKERS_ISOLATION,
    workersMemoryMb: settings.WORKERS_MEMORY_MB,
    workersEnvironment: pick(environment, [...HARMLESS_NAMES, ...settings.WORKERS_ENV]),
    mcpServersFile: settings.MCP_SERVERS_FILE && resolve(workingDir, settings.MCP_SERVERS_FILE),
    logLevel: settings.LOG_LEVEL,
    trustedProxies: settings.TRUSTED_PROXIES,
    certificateHeaders: certificateHeadersOf(settings),
    tls: tlsOf(settings, workingDir),
    outboundAllowedCidrs: settings.OUTBOUND_ALLOWED_CIDRS,
    graphqlIntrospection: settings.GRAPHQL_INTROSPECTION ?? !production,
    bodyBytesMax: settings.BODY_BYTES_MAX,
    bodyBytesCeiling: Math.max(settings.BODY_BYTES_CEILING, settings.BODY_BYTES_MAX),
    syncTimeoutMs: settings.SYNC_TIMEOUT_MS,
    preferWaitMsMax: settings.PREFER_WAIT_MS_MAX,
    resultWaitersMax: settings.RESULT_WAITERS_MAX,
    idempotencyWindowMs: settings.IDEMPOTENCY_WINDOW_MS,
    shutdownTimeoutMs: settings.SHUTDOWN_TIMEOUT_MS,
    runnerConcurrency: settings.RUNNER_CONCURRENCY,
    modelWaitMsMax: settings.MODEL_WAIT_MS_MAX,
    models: modelsOf(settings),
    rateLimits: {
      globalPerMinute: settings.RATE_LIMIT_GLOBAL_PER_MINUTE,
      userPerMinute: settings.RATE_LIMIT_USER_PER_MINUTE,
      webhookPerMinute: settings.RATE_LIMIT_WEBHOOK_PER_MINUTE,
    },
    accept: {
      batchMax: settings.ACCEPT_BATCH_MAX,
      queueMax: settings.ACCEPT_QUEUE_MAX,
      waitMsMax: settings.ACCEPT_WAIT_MS_MAX,
    },
    retentionDays: settings.RETENTION_DAYS,
  };
}

function oidcOf(settings: Settings): Config['oidc'] {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = settings;
  if (issuer === undefined && clientId === undefined && clientSecret === undefined) return undefined;
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) {
    const message =
      'Wrong setting: OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET belong together: set all or none';
    throw new AppError('CONFIGURATION_INVALID', message);
  }
  return { issuer, clientId, clientSecret, newUsersRole: settings.OIDC_NEW_USERS_ROLE };
}

/** An address of its own needs no key: a local server seldom wants one. The others are nothing without theirs. */
function modelsOf(settings: Settings): ModelSettings[] {
  const openAiUrl = settings.OPENAI_BASE_URL;
  const models: ModelSettings[] = [
    {
      managedBy: 'OPENAI',
      provider: openAiUrl === undefined ? 'OPENAI' : 'OPENAI_COMPATIBLE',
      baseUrl: openAiUrl,
      modelName: settings.OPENAI_MODEL,
      apiKey: settings.OPENAI_API_KEY,
    },
    {
      managedBy: 'ANTHROPIC',
      provider: 'ANTHROPIC',
      baseUrl: settings.ANTHROPIC_BASE_URL,
      modelName: settings.ANTHROPIC_MODEL,
      apiKey: settings.ANTHROPIC_API_KEY,
    },
    {
      managedBy: 'GOOGLE',
      provider: 'GOOGLE',
      baseUrl: settings.GOOGLE_GENERATIVE_AI_BASE_URL,
      modelName: settings.GOOGLE_GENERATIVE_AI_MODEL,
      apiKey: settings.GOOGLE_GENERATIVE_AI_API_KEY,
    },
  ];
  return models.filter(({ provider, apiKey }) => provider === 'OPENAI_COMPATIBLE' || apiKey !== undefined);
}

function certificateHeadersOf(settings: Settings): Config['certificateHeaders'] {
  const { CLIENT_CERT_HEADER, CLIENT_CERT_VERIFY_HEADER, CLIENT_CERT_FINGERPRINT_HEADER, CLIENT_CERT_SUBJECT_HEADER } =
    settings;
  const bare = CLIENT_CERT_FINGERPRINT_HEADER ?? CLIENT_CERT_SUBJECT_HEADER;
  // A fingerprint or a subject alone looks the same whether the proxy verified the certificate or only read it.
  if (bare !== undefined && CLIENT_CERT_VERIFY_HEADER === undefined) {
    throw new AppError(
      'CONFIGURATION_INVALID',
      'Wrong setting: CLIENT_CERT_VERIFY_HEADER: must be set with CLIENT_CERT_FINGERPRINT_HEADER or CLIENT_CERT_SUBJECT_HEADER',
    );
  }
  if (CLIENT_CERT_HEADER === undefined && bare === undefined) return undefined;
  return {
    certificate: CLIENT_CERT_HEADER?.toLowerCase(),
    verify: CLIENT_CERT_VERIFY_HEADER?.toLowerCase(),
    fingerprint: CLIENT_CERT_FINGERPRINT_HEADER?.toLowerCase(),
    subject: CLIENT_CERT_SUBJECT_HEADER?.toLowerCase(),
  };
}

function tlsOf({ TLS_CERT_FILE, TLS_KEY_FILE, TLS_CLIENT_CA_FILE }: Settings, workingDir: string): Config['tls'] {
  if (TLS_CERT_FILE === undefined || TLS_KEY_FILE === undefined) {
    const lone = TLS_CERT_FILE ?? TLS_KEY_FILE ?? TLS_CLIENT_CA_FILE;
    if (lone === undefined) return undefined;
    throw new AppError('CONFIGURATION_INVALID', 'Wrong setting: TLS_CERT_FILE, TLS_KEY_FILE: need each other');
  }
  return {
    certFile: resolve(workingDir, TLS_CERT_FILE),
    keyFile: resolve(workingDir, TLS_KEY_FILE),
    clientCaFile: TLS_CLIENT_CA_FILE === undefined ? undefined : resolve(workingDir, TLS_CLIENT_CA_FILE),
  };
}

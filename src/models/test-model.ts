import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Database } from '../db/database.js';
import { AppError } from '../errors.js';
import type { Clock } from '../lib/clock.js';
import { formatId } from '../lib/ids.js';
import type { OutboundClient } from '../outbound/outbound-client.js';
import type { Keyring } from '../secrets/seal.js';
import { costNanos } from './cost.js';
import { accessTo } from './model-access.js';
import { readCallableModel } from './model-cache.js';

export interface TestModelDeps {
  readonly database: Database;
  readonly keyring: Keyring;
  readonly outbound: Pick<OutboundClient, 'fetchWith'>;
  readonly clock: Clock;
}

/** How a model answered a one-line prompt. */
export interface ModelTest {
  /** Whether it answered. */
  readonly succeeded: boolean;
  /** From the request to the end of the answer, in milliseconds. */
  readonly latencyMs: number;
  /** As the provider counted them; `null` when it did not. */
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly costNanos: bigint;
  /** The beginning of the answer. */
  readonly answer: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

const PROMPT = 'Answer with the one word: ready';

/** Enough for models that think first. */
const OUTPUT_TOKENS_MAX = 512;

const TIMEOUT_MS = 30_000;

const ANSWER_CHARACTERS_MAX = 200;

/**
 * Sends a model a one-line prompt. It passes no limits, for it shows whether a model that has them is reached at all, and
 * is counted for no webhook.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function testModel(
  deps: TestModelDeps,
  principal: Principal | undefined,
  input: { readonly id: string },
): Promise<ModelTest> {
  requirePermission(principal, 'models:write');
  const { database, keyring, clock, outbound } = deps;
  const model = await readCallableModel({ sql: database.pool, keyring, clock }, input.id);
  if (model === undefined) throw new AppError('NOT_FOUND', 'There is no such model.');
  const { streamStep } = await import('./sdk/stream-step.js');
  const startMs = clock.monotonicMs();
  const prompt = {
    instructions: undefined,
    messages: [{ role: 'user' as const, content: PROMPT }],
    tools: [],
    outputTokensMax: OUTPUT_TOKENS_MAX,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    onText: () => undefined,
  };
  const options = { silentMsMax: TIMEOUT_MS, toolInputFault: () => undefined };
  const { text, tokens, fault } = await streamStep(accessTo(model, outbound), prompt, options);
  const latencyMs = Math.round(clock.monotonicMs() - startMs);
  await database.transaction((em) =>
    recordAudit(em, principal, {
      action: 'model.tested',
      subjectId: formatId('model', model.id),
      details: { succeeded: fault === undefined, latencyMs },
    }),
  );
  return {
    succeeded: fault === undefined,
    latencyMs,
    promptTokens: tokens.prompt ?? null,
    completionTokens: tokens.completion ?? null,
    costNanos: costNanos(model.prices, {
      promptTokens: tokens.prompt ?? 0,
      completionTokens: tokens.completion ?? 0,
      cachedTokens: tokens.cached ?? 0,
    }),
    answer: text.slice(0, ANSWER_CHARACTERS_MAX),
    error: fault === undefined ? null : errorOf(fault),
  };
}

function errorOf(fault: unknown): { readonly code: string; readonly message: string } {
  if (fault instanceof AppError) return { code: fault.code, message: fault.message };
  return { code: 'MODEL_FAILED', message: `The model did not answer within ${TIMEOUT_MS / 1_000} s.` };
}

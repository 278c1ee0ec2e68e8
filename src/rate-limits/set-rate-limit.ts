import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Database } from '../db/database.js';
import { publish } from '../events/publish.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import { defaultPerMinute, type LimitDefaults, type LimitScope } from './limit-scope.js';
import type { RateLimitView } from './read-rate-limits.js';

export interface SetRateLimitOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly defaults: LimitDefaults;
}

export interface SetRateLimitInput {
  readonly scope: LimitScope;
  /** UUID of the user or webhook; `null` for all that have no number of their own. */
  readonly subjectId: string | null;
  /** Calls a minute; 0 is no limit, `null` goes back to what holds without this entry. */
  readonly perMinute: number | null;
}

const PER_MINUTE_MAX = 1_000_000_000;

/**
 * Sets or clears a rate limit. All processes apply it at once, to the window under way too.
 *
 * @returns the entry that now holds for the subject, or what is wrong with the input.
 * @throws AppError FORBIDDEN without the permission `rate-limits:write`.
 */
export async function setRateLimit(
  { database, defaults }: SetRateLimitOptions,
  principal: Principal | undefined,
  input: SetRateLimitInput,
): Promise<Outcome<RateLimitView>> {
  requirePermission(principal, 'rate-limits:write');
  const { scope, subjectId, perMinute } = input;
  const faults = faultsOf(input);
  if (faults.length > 0) return refused(...faults);
  return await database.transaction(async (em) => {
    if (subjectId !== null && !(await subjectExists(em, scope, subjectId))) {
      return refused(fault('subjectId', 'There is no such user or webhook.', 'NOT_FOUND'));
    }
    const updatedAt = perMinute === null ? await clear(em, input) : await store(em, scope, subjectId, perMinute);
    await publish(em, [{ kind: 'rate-limit-changed' }]);
    await recordAudit(em, principal, {
      action: perMinute === null ? 'rate-limit.cleared' : 'rate-limit.set',
      subjectId: publicSubjectId(scope, subjectId),
      details: { scope, perMinute },
    });
    if (perMinute !== null) return succeeded({ scope, subjectId, perMinute, updatedAt });
    return succeeded(await whatHolds(em, defaults, scope, subjectId));
  });
}

function faultsOf({ scope, subjectId, perMinute }: SetRateLimitInput): UserError[] {
  const faults: UserError[] = [];
  if (scope === 'GLOBAL' && subjectId !== null) {
    faults.push(fault('subjectId', 'The global limit is not of a user or webhook.', 'NOT_ALLOWED'));
  }
  const isNumber = perMinute === null || (Number.isInteger(perMinute) && perMinute >= 0 && perMinute <= PER_MINUTE_MAX);
  if (!isNumber) {
    faults.push(fault('perMinute', `This must be a whole number from 0 to ${PER_MINUTE_MAX}.`, 'OUT_OF_RANGE'));
  }
  return faults;
}

function fault(field: string, message: string, code: string): UserError {
  return { field: [field], message, code };
}

async function subjectExists(em: EntityManager, scope: LimitScope, subjectId: string): Promise<boolean> {
  const from = scope === 'USER' ? 'users where id = ?' : 'webhooks where deleted_at is null and id = ?';
  return (await em.execute<unknown[]>(`select 1 from ${from}`, [subjectId])).length > 0;
}

async function store(em: EntityManager, scope: LimitScope, subjectId: string | null, perMinute: number): Promise<Date> {
  const [row] = await em.execute<{ updated_at: Date | string }[]>(
    `insert into rate_limit_policies (scope, subject_id, per_minute) values (?, ?, ?)
     on conflict (scope, subject_id) do update set per_minute = excluded.per_minute, updated_at = now()
     returning updated_at`,
    [scope, subjectId, perMinute],
  );
  return new Date(row!.updated_at);
}

async function clear(em: EntityManager, { scope, subjectId }: SetRateLimitInput): Promise<null> {
  await em.execute('delete from rate_limit_policies where scope = ? and subject_id is not distinct from ?', [
    scope,
    subjectId,
  ]);
  return null;
}

/** What holds for a subject without an entry of its own. */
async function whatHolds(
  em: EntityManager,
  defaults: LimitDefaults,
  scope: LimitScope,
  subjectId: string | null,
): Promise<RateLimitView> {
  const [forAll] = await em.execute<{ per_minute: number }[]>(
    'select per_minute from rate_limit_policies where scope = ? and subject_id is null',
    [scope],
  );
  return { scope, subjectId, perMinute: forAll?.per_minute ?? defaultPerMinute(defaults, scope), updatedAt: null };
}

function publicSubjectId(scope: LimitScope, subjectId: string | null): string | null {
  return subjectId === null ? null : formatId(scope === 'USER' ? 'user' : 'webhook', subjectId);
}

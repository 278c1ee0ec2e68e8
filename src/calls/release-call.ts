import type { Sql } from '../db/database.js';

/** One statement: the status of the end, which knew nothing of models, and the key under which it would be known. */
const RELEASE = `
  with forgotten as (delete from idempotency_keys where key_hash = $2 and call_id = $1)
  update calls set http_status = 429 where id = $1 and http_status = 500`;

/**
 * Records that a call was answered 429 after its executions ended, and forgets its idempotency key: the same call sent
 * again, as its caller was told to, is not to be answered with this one.
 */
export async function releaseLimitedCall(sql: Sql, callId: string, keyHash: Buffer | undefined): Promise<void> {
  await sql.query({ name: 'release-limited-call', text: RELEASE, values: [callId, keyHash ?? null] });
}

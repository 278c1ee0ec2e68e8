import type { Sql } from '../db/database.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';

/** A pause never becomes shorter: of several refusals the longest holds. The version stays, for nobody changed it. */
const PAUSE = `
  with paused as (
    update models set paused_until = greatest(paused_until, now() + $2 * interval '1 millisecond') where id = $1
    returning id
  )
  select pg_notify('${CHANNEL}', $3) from paused`;

/** Pauses a model in every process, for its provider asked for it. @param modelId a UUID. */
export async function pauseModel(sql: Sql, modelId: string, pauseMs: number): Promise<void> {
  const [payload] = encodeEvents([{ kind: 'model-changed', modelId }]);
  await sql.query(PAUSE, [modelId, pauseMs, payload]);
}

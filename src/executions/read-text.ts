import type { Sql } from '../db/database.js';
import { foldText } from './text-pieces.js';

const TEXTS = `
  select v.execution_id as "executionId", v.data::text as data
  from execution_events v join executions e on e.id = v.execution_id
  where v.execution_id = any($1::uuid[]) and v.kind = 'text' and e.status <> 'SUCCEEDED'
  order by v.execution_id, v.seq`;

/**
 * Reads the text that the own workers of some executions have written so far. There is none of those that wrote
 * nothing, and of those that succeeded: their result has it.
 */
export async function readPartialTexts(
  sql: Sql,
  executionIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql.query<{ executionId: string; data: string }>({
    name: 'read-partial-texts',
    text: TEXTS,
    values: [executionIds],
  });
  const events = Map.groupBy(rows, ({ executionId }) => executionId);
  const texts = new Map<string, string>();
  for (const [id, ofOne] of events) {
    const pieces = foldText(ofOne.map(({ data }) => data)).get('') ?? [];
    texts.set(id, pieces.map(({ text }) => text).join(''));
  }
  return texts;
}

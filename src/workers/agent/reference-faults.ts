import type { EntityManager } from '@mikro-orm/postgresql';
import { missingConnections } from '../../connections/connection-uses.js';
import { parseId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import { lockWorkerUses } from '../worker-uses.js';
import type { AgentDefinition } from './agent-definition.js';

/**
 * Finds what a definition names and what does not exist, and workers that would call one another in a circle. What it
 * finds in order stays so until the transaction ends.
 */
export async function referenceFaults(
  em: EntityManager,
  mcpServers: ReadonlySet<string>,
  workerId: string,
  { modelId, tools }: AgentDefinition,
): Promise<readonly UserError[]> {
  const faults: UserError[] = [];
  if (modelId !== undefined && !(await modelExists(em, modelId))) {
    faults.push(notFound(['modelId'], 'model'));
  }
  const missing = await missingConnections(em, connectionIdsOf(tools));
  if (tools.some(({ kind }) => kind === 'WORKER')) await lockWorkerUses(em);
  for (const [i, tool] of tools.entries()) {
    const at = (name: string): string[] => ['tools', String(i), name];
    if (tool.kind === 'MCP' && tool.server !== undefined && !mcpServers.has(tool.server)) {
      const message = `The operator of this installation has no MCP server "${tool.server}".`;
      faults.push({ field: at('server'), message, code: 'NOT_FOUND' });
    }
    if (tool.kind !== 'WORKER' && tool.connectionId !== undefined && missing.includes(tool.connectionId)) {
      faults.push(notFound(at('connectionId'), 'connection'));
    }
    if (tool.kind === 'WORKER') {
      if (tool.workerId === workerId || (await leadsTo(em, tool.workerId, workerId))) {
        faults.push({
          field: at('workerId'),
          message: 'These workers would call one another in a circle.',
          code: 'CYCLE',
        });
      } else if (!(await workerExists(em, tool.workerId))) {
        faults.push(notFound(at('workerId'), 'worker'));
      }
    }
  }
  return faults;
}

function connectionIdsOf(tools: AgentDefinition['tools']): string[] {
  const ids = tools.flatMap((tool) => (tool.kind === 'WORKER' ? [] : [tool.connectionId]));
  return [...new Set(ids.filter((id) => id !== undefined))];
}

function notFound(field: readonly string[], noun: string): UserError {
  return { field, message: `There is no such ${noun}.`, code: 'NOT_FOUND' };
}

async function workerExists(em: EntityManager, id: string): Promise<boolean> {
  return (await em.execute<unknown[]>('select 1 from workers where id = ? and deleted_at is null', [id])).length > 0;
}

/** Whether agents that a worker uses as tools, or those that these use, lead to another worker. */
async function leadsTo(em: EntityManager, from: string, to: string): Promise<boolean> {
  const rows = await em.execute<unknown[]>(REACHES, [from, to]);
  return rows.length > 0;
}

const REACHES = `
  with recursive reached(id) as (
    select ?::text
    union
    select tool ->> 'workerId' from reached r
    join workers w on w.id = r.id and w.kind = 'AGENT'
    join worker_versions v on v.worker_id = w.id and v.version = w.current_version
    cross join lateral jsonb_array_elements(v.definition -> 'tools') tool
    where tool ->> 'kind' = 'WORKER'
  )
  select 1 from reached where id = ?`;

/** Holds off its deletion until the transaction ends. */
async function modelExists(em: EntityManager, modelId: string): Promise<boolean> {
  const id = parseId('model', modelId);
  if (id === undefined) return false;
  return (
    (await em.execute<unknown[]>('select 1 from models where id = ? and deleted_at is null for share', [id])).length > 0
  );
}

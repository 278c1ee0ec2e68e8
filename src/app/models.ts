import { systemPrincipal } from '../access/principal.js';
import type { JsonSchema } from '../lib/json-schema.js';
import { ensureEnvironmentModels } from '../models/environment-models.js';
import { LimitedModelDesk } from '../models/limited-model-desk.js';
import { ModelCache } from '../models/model-cache.js';
import { MinuteLimits } from '../models/minute-limits.js';
import { SpendCaps } from '../models/spend-caps.js';
import { StepGate } from '../models/step-gate.js';
import { StepLeases } from '../models/step-leases.js';
import { WindowStore } from '../rate-limits/window-store.js';
import { compileSchema, type SchemaValidator } from '../workers/schema-validator.js';
import type { Parts } from './parts.js';

/** Makes the models of the settings, and puts the desk together through which workers ask models. */
export async function buildModels(
  stack: AsyncDisposableStack,
  ground: Omit<Parts, 'models' | 'spendCaps' | 'mcp' | 'registry'>,
  ownerId: string,
): Promise<Pick<Parts, 'models' | 'spendCaps'>> {
  const { config, log, clock, database, keyring, hub, listener, outbound, shard } = ground;
  await ensureEnvironmentModels({ database, keyring }, systemPrincipal(ownerId, 'startup'), config.models);
  const sql = database.pool;
  const listening = (): boolean => listener.listening;
  const models = stack.adopt(new ModelCache({ sql, hub, keyring, clock, listening }), (it) => it.close());
  const caps = stack.adopt(new SpendCaps({ sql, hub, listening }), (it) => it.close());
  const leases = stack.adopt(new StepLeases(sql, log), (it) => it.close());
  const limits = stack.adopt(new MinuteLimits(new WindowStore(sql, log), clock), (it) => it.close());
  const gate = new StepGate({ caps, leases, limits, clock });
  const desk = new LimitedModelDesk({ models, gate, leases, limits, sql, outbound, toolInputFault, shard, log });
  return { models: desk, spendCaps: caps };
}

const validators = new WeakMap<object, SchemaValidator | undefined>();

/** A schema that we cannot read was another's to write, such as an MCP server's: the tool itself will say. */
function toolInputFault(schema: JsonSchema, input: unknown): string | undefined {
  if (typeof schema !== 'object') return undefined;
  if (!validators.has(schema)) validators.set(schema, compiled(schema));
  const faults = validators.get(schema)?.(input) ?? [];
  if (faults.length === 0) return undefined;
  return faults
    .slice(0, 5)
    .map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
    .join('; ');
}

function compiled(schema: JsonSchema): SchemaValidator | undefined {
  try {
    return compileSchema(schema, { trusted: false });
  } catch {
    return undefined;
  }
}

import { systemPrincipal } from '../access/principal.js';
import type { JsonSchema } from '../lib/json-schema.js';
import { ensureEnvironmentModels } from '../models/environment-models.js';
import { LimitedModelDesk } from '../models/limited-model-desk.js';
import { ModelCache } from '../models/model-cache.js';
import type { ModelDesk } from '../models/model-desk.js';
import { compileSchema, type SchemaValidator } from '../workers/schema-validator.js';
import type { Parts } from './parts.js';

/** Makes the models of the settings, and puts the desk together through which workers ask models. */
export async function buildModels(
  stack: AsyncDisposableStack,
  ground: Omit<Parts, 'models' | 'registry'>,
  ownerId: string,
): Promise<ModelDesk> {
  const { config, log, clock, database, keyring, hub, listener, outbound, shard } = ground;
  await ensureEnvironmentModels({ database, keyring }, systemPrincipal(ownerId, 'startup'), config.models);
  const sql = database.pool;
  const models = stack.adopt(
    new ModelCache({ sql, hub, keyring, clock, listening: () => listener.listening }),
    (cache) => cache.close(),
  );
  return new LimitedModelDesk({ models, sql, outbound, toolInputFault, shard, clock, log });
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

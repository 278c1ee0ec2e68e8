import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../../db/database.js';
import type { DomainEvent } from '../../events/event.js';
import { publish } from '../../events/publish.js';
import { toJsonText } from '../../lib/json-text.js';
import type { Logger } from '../../lib/logger.js';
import type { WorkerKind } from '../worker.entities.js';
import {
  type CodeModule,
  type ImportedModules,
  importModules,
  type ModuleDescription,
  type ModuleFault,
} from './import-modules.js';

export interface LoadCodeWorkersOptions {
  /** The operator's folder, absolute. */
  readonly dir: string;
  readonly database: Database;
  readonly log: Logger;
}

/** The CODE workers that this process can run. */
export interface LoadedCodeWorkers<Module extends ModuleDescription = CodeModule> {
  /** By worker id. A worker of the database that is missing here fails with WORKER_NOT_LOADED. */
  readonly modules: ReadonlyMap<string, Module>;
  /** The files that gave no worker. */
  readonly faults: readonly ModuleFault[];
}

/** Processes that start at once take turns ("work" and "code" as two 32-bit numbers). */
const LOAD_LOCK = [0x776f_726b, 0x636f_6465] as const;

/**
 * Imports the operator's modules into this process and stores them.
 *
 * @throws AppError CONFIGURATION_INVALID when the folder cannot be read.
 */
export async function loadCodeWorkers(options: LoadCodeWorkersOptions): Promise<LoadedCodeWorkers> {
  return await storeCodeWorkers(options, await importModules(options.dir));
}

/**
 * Brings the modules' rows up to date in one transaction: a worker is made when it is new, and gets a new version when
 * its source, settings or schemas have another content than the current one. A worker whose module is gone stays, for
 * webhooks may use it.
 *
 * A module that cannot be loaded is logged and left out; the start goes on.
 */
export async function storeCodeWorkers<Module extends ModuleDescription>(
  { dir, database, log }: LoadCodeWorkersOptions,
  imported: ImportedModules<Module>,
): Promise<LoadedCodeWorkers<Module>> {
  const faults = [...imported.faults];
  const modules = new Map<string, Module>();
  if (imported.modules.length > 0) {
    const taken = await database.transaction((em) => storeModules(em, imported.modules));
    for (const module of imported.modules) {
      const kind = taken.get(module.worker.id);
      if (kind === undefined) modules.set(module.worker.id, module);
      else
        faults.push({
          file: module.file,
          message: `its id "${module.worker.id}" belongs to a worker of kind ${kind}`,
        });
    }
  }
  for (const { file, message } of faults)
    log.error({ file, dir, reason: message }, 'a worker module could not be loaded');
  log.info({ dir, workers: [...modules.keys()] }, 'loaded the CODE workers');
  return { modules, faults };
}

interface CurrentRow {
  readonly id: string;
  readonly kind: WorkerKind;
  readonly deleted: boolean;
  readonly current_version: number;
  readonly content_hash: string | null;
}

/** @returns the ids that belong to workers of other kinds, with their kind. */
async function storeModules(
  em: EntityManager,
  modules: readonly ModuleDescription[],
): Promise<Map<string, WorkerKind>> {
  await em.execute('select pg_advisory_xact_lock(?, ?)', [...LOAD_LOCK]);
  const rows = await em.execute<CurrentRow[]>(
    `select w.id, w.kind, w.deleted_at is not null as deleted, w.current_version,
       v.definition ->> 'contentHash' as content_hash
     from workers w join worker_versions v on v.worker_id = w.id and v.version = w.current_version
     where w.id in (?)`,
    [modules.map((module) => module.worker.id)],
  );
  const currentById = new Map(rows.map((row) => [row.id, row]));
  const taken = new Map<string, WorkerKind>();
  const events: DomainEvent[] = [];
  for (const module of modules) {
    const { id } = module.worker;
    const current = currentById.get(id);
    if (current !== undefined && current.kind !== 'CODE') {
      taken.set(id, current.kind);
    } else if (current === undefined || current.deleted || current.content_hash !== contentHash(module)) {
      await storeVersion(em, module, (current?.current_version ?? 0) + 1);
      events.push({ kind: 'worker-changed', workerId: id });
    }
  }
  await publish(em, events);
  return taken;
}

async function storeVersion(em: EntityManager, module: ModuleDescription, version: number): Promise<void> {
  const { id, name, description, timeoutMs, attemptsMax } = module.worker;
  await em.execute(
    `insert into workers (id, kind, name, description, current_version) values (?, 'CODE', ?, ?, ?)
     on conflict (id) do update set name = excluded.name, description = excluded.description,
       current_version = excluded.current_version, updated_at = now(), deleted_at = null`,
    [id, name, description ?? null, version],
  );
  await em.execute(
    `insert into worker_versions
       (worker_id, version, definition, input_schema, output_schema, timeout_ms, attempts_max)
     values (?, ?, ?::jsonb, ?::jsonb, ?::jsonb, ?, ?)`,
    [
      id,
      version,
      toJsonText({ module: module.file, contentHash: contentHash(module) }),
      module.inputSchema === null ? null : toJsonText(module.inputSchema),
      module.outputSchema === null ? null : toJsonText(module.outputSchema),
      timeoutMs,
      attemptsMax,
    ],
  );
}

/** What makes a version: the file, the settings and both schemas. SHA-256, hex. */
function contentHash({ worker, inputSchema, outputSchema, sourceHash }: ModuleDescription): string {
  const { id, name, description, timeoutMs, attemptsMax } = worker;
  const content = [sourceHash, id, name, description ?? null, timeoutMs, attemptsMax, inputSchema, outputSchema];
  return createHash('sha256').update(toJsonText(content)).digest('hex');
}

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError, messageOf } from '../../errors.js';
import { compileSchema, type SchemaValidator } from '../schema-validator.js';
import type { JsonSchema } from '../worker.entities.js';
import { type CodeWorker, isCodeWorker } from './define-worker.js';
import { isZodSchema, toJsonSchema } from './worker-schema.js';

/** What the gateway has to know of an operator's module; all of it can be sent between processes. */
export interface ModuleDescription {
  /** The file's name in the directory. */
  readonly file: string;
  readonly worker: Pick<CodeWorker, 'id' | 'name' | 'description' | 'timeoutMs' | 'attemptsMax'>;
  readonly inputSchema: JsonSchema | null;
  readonly outputSchema: JsonSchema | null;
  /** SHA-256 of the file, hex. Files that it imports are not part of it. */
  readonly sourceHash: string;
}

/** One operator module, imported and checked. */
export interface CodeModule extends ModuleDescription {
  readonly worker: CodeWorker;
  /** Checks results against an `output` that is JSON Schema; zod's check their own way. */
  readonly validateOutput: SchemaValidator | undefined;
}

/** A file that gave no worker, and why. */
export interface ModuleFault {
  readonly file: string;
  readonly message: string;
}

export interface ImportedModules<Module extends ModuleDescription = CodeModule> {
  readonly modules: readonly Module[];
  readonly faults: readonly ModuleFault[];
}

/** Node strips the types of `.ts` itself; names with `_` or `.` in front are helpers, not workers. */
const MODULE_FILE = /^[^._].*\.(?:ts|mts|js|mjs)$/;
const NOT_A_MODULE = /\.(?:d\.m?ts|(?:test|spec)\.m?[jt]s)$/;

/**
 * Imports every module of a directory, folders in it excepted. One that fails is a fault, and the others go on.
 * Modules outside of this package find `workhook/worker` once `resolveForOperatorModules` was called.
 *
 * @throws AppError CONFIGURATION_INVALID when the directory cannot be read.
 */
export async function importModules(dir: string): Promise<ImportedModules> {
  const modules: CodeModule[] = [];
  const faults: ModuleFault[] = [];
  for (const file of await moduleFiles(dir)) {
    try {
      modules.push(await importModule(dir, file, await readFile(join(dir, file))));
    } catch (error) {
      faults.push({ file, message: messageOf(error) });
    }
  }
  return withoutTwins({ modules, faults });
}

/** Two modules with the same id are both faults: which one ran would depend on their names. */
export function withoutTwins<Module extends ModuleDescription>({
  modules,
  faults,
}: ImportedModules<Module>): ImportedModules<Module> {
  const filesById = Map.groupBy(modules, (module) => module.worker.id);
  const twins: ModuleFault[] = [];
  const unique = modules.filter(({ file, worker }) => {
    const others = filesById.get(worker.id)!.filter((other) => other.file !== file);
    if (others.length > 0) {
      const names = others.map((other) => other.file).join(', ');
      twins.push({ file, message: `its id "${worker.id}" is also that of ${names}` });
    }
    return others.length === 0;
  });
  return { modules: unique, faults: [...faults, ...twins] };
}

/**
 * The files of a directory that should be workers, in order.
 *
 * @throws AppError CONFIGURATION_INVALID when the directory cannot be read.
 */
export async function moduleFiles(dir: string): Promise<string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && MODULE_FILE.test(entry.name) && !NOT_A_MODULE.test(entry.name))
      .map((entry) => entry.name)
      .toSorted();
  } catch (error) {
    throw new AppError('CONFIGURATION_INVALID', `WORKERS_DIR: the folder ${dir} cannot be read.`, {
      cause: error,
    });
  }
}

/**
 * Imports one module and checks it.
 *
 * @param source what is in the file.
 */
export async function importModule(dir: string, file: string, source: Uint8Array): Promise<CodeModule> {
  const exported = (await import(pathToFileURL(join(dir, file)).href)) as { readonly default?: unknown };
  const worker = exported.default;
  if (!isCodeWorker(worker)) {
    throw new Error('its default export is not a worker: write "export default defineWorker({ … })"');
  }
  const inputSchema = worker.input === undefined ? null : toJsonSchema(worker.input, 'input');
  const outputSchema = worker.output === undefined ? null : toJsonSchema(worker.output, 'output');
  if (inputSchema !== null) compileSchema(inputSchema, { trusted: true });
  const validateOutput = outputSchema === null ? undefined : compileSchema(outputSchema, { trusted: true });
  return {
    file,
    worker,
    inputSchema,
    outputSchema,
    validateOutput: worker.output !== undefined && isZodSchema(worker.output) ? undefined : validateOutput,
    sourceHash: createHash('sha256').update(source).digest('hex'),
  };
}

import { LRUCache } from 'lru-cache';
import type { Sql } from '../db/database.js';
import { AppError } from '../errors.js';
import { topics } from '../events/event.js';
import type { EventHub } from '../events/event-hub.js';
import { type Clock, systemClock } from '../lib/clock.js';
import { GroupedReads } from '../lib/grouped-reads.js';
import { checkResultText, RESULT_BYTES_MAX } from './result-text.js';
import { compileSchema, type SchemaFault, type SchemaValidator } from './schema-validator.js';
import type { InputFault, LoadedWorker, WorkerKindRunner, WorkerOutput, WorkerRun } from './worker-run.js';
import type { JsonSchema, WorkerKind } from './worker.entities.js';

export interface WorkerRegistryOptions {
  readonly database: { readonly pool: Sql };
  readonly hub: EventHub;
  /** One for each kind that this process can run. */
  readonly runners: readonly WorkerKindRunner[];
  /** Whether events arrive now. While they don't, a current version is read each time. Default: always. */
  readonly listening?: () => boolean;
  readonly clock?: Clock;
  /** The largest result, in bytes of JSON; 1 MiB by default. */
  readonly resultBytesMax?: number;
}

/** A version with its schema compiled. */
interface Entry {
  readonly worker: LoadedWorker;
  readonly validate: SchemaValidator | undefined;
}

/** Which version of a worker is current, as it was read. */
interface Current {
  readonly reading: Promise<Entry>;
  /** Monotonic milliseconds: what was committed before then is in it. */
  readonly sinceMs: number;
}

const VERSIONS_MAX = 2_000;
const WORKERS_MAX = 10_000;

/** Even with events, which version is current is read again after this long. */
const CURRENT_TTL_MS = 60_000;

/**
 * The workers as the ingress and the runner need them. Versions never change, so they are kept with their compiled
 * schemas; which one is current is dropped in every process when `worker-changed` says so.
 */
export class WorkerRegistry {
  readonly #sql: Sql;
  readonly #runners: ReadonlyMap<WorkerKind, WorkerKindRunner>;
  readonly #listening: () => boolean;
  readonly #resultBytesMax: number;
  readonly #versions = new LRUCache<string, Entry>({ max: VERSIONS_MAX });
  readonly #current = new LRUCache<string, Current>({ max: WORKERS_MAX, ttl: CURRENT_TTL_MS });
  readonly #currentVersions: GroupedReads<number>;
  readonly #clock: Clock;
  readonly #stop: () => void;

  constructor(options: WorkerRegistryOptions) {
    this.#sql = options.database.pool;
    this.#runners = new Map(options.runners.map((runner) => [runner.kind, runner]));
    this.#listening = options.listening ?? (() => true);
    this.#clock = options.clock ?? systemClock;
    this.#currentVersions = new GroupedReads({ read: (ids) => readCurrentVersions(this.#sql, ids) });
    this.#resultBytesMax = options.resultBytesMax ?? RESULT_BYTES_MAX;
    this.#stop = options.hub.listen([topics.workers], (notification) => {
      if (notification.kind === 'worker-changed') this.#current.delete(notification.workerId);
      else this.#current.clear();
    });
  }

  /**
   * A worker at a version, by default the current one. A deleted worker still loads: executions that were accepted
   * before finish.
   *
   * @throws AppError NOT_FOUND when there is no such worker or version.
   */
  async load(workerId: string, version?: number): Promise<LoadedWorker> {
    return (await this.#entry(workerId, version)).worker;
  }

  /**
   * Checks a body against the current input schema of each worker, and what its kind asks for.
   *
   * @param sinceMs when the body came, monotonic milliseconds: it is not refused by a schema that was replaced before
   *   then, whatever was heard of that. Without it, what is cached decides.
   * @returns the faults, none when every worker can take the body.
   * @throws AppError NOT_FOUND when a worker does not exist.
   */
  async validateInput(
    workerIds: readonly string[],
    inputParams: unknown,
    sinceMs = Number.NEGATIVE_INFINITY,
  ): Promise<readonly InputFault[]> {
    const entries = await Promise.all(workerIds.map((workerId) => this.#entry(workerId, undefined)));
    const faults = this.#inputFaults(entries, inputParams);
    if (faults.length === 0 || sinceMs === Number.NEGATIVE_INFINITY) return faults;
    const newest = await Promise.all(entries.map(({ worker }) => this.#newest(worker.id, sinceMs)));
    return newest.every((entry, i) => entry === entries[i]) ? faults : this.#inputFaults(newest, inputParams);
  }

  /**
   * Runs one attempt. Ending it at its timeout is the caller's: this waits as long as the worker does.
   *
   * @throws AppError WORKER_INPUT_REFUSED (another version took the body at the ingress), WORKER_NOT_LOADED,
   *   WORKER_OUTPUT_INVALID, or what the kind's runner throws; its `retryable` says whether to try again.
   */
  async run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> {
    const faults = this.#faults(await this.#entry(worker.id, worker.version), run.inputParams);
    if (faults.length > 0) throw new AppError('WORKER_INPUT_REFUSED', describeFaults(faults));
    const runner = this.#runners.get(worker.kind);
    if (runner === undefined)
      throw new AppError('WORKER_NOT_LOADED', `This runner cannot run workers of kind ${worker.kind}.`);
    const output = await runner.run(worker, run);
    checkResultText(output.result, this.#resultBytesMax);
    return output;
  }

  close(): void {
    this.#stop();
    this.#versions.clear();
    this.#current.clear();
  }

  #inputFaults(entries: readonly Entry[], inputParams: unknown): readonly InputFault[] {
    return entries.flatMap((entry) =>
      this.#faults(entry, inputParams).map((fault) => ({ workerId: entry.worker.id, ...fault })),
    );
  }

  #faults({ worker, validate }: Entry, inputParams: unknown): readonly SchemaFault[] {
    const faults = validate?.(inputParams) ?? [];
    return faults.length > 0 ? faults : (this.#runners.get(worker.kind)?.inputFaults?.(inputParams) ?? []);
  }

  async #entry(workerId: string, version: number | undefined): Promise<Entry> {
    if (version !== undefined) {
      return this.#versions.get(versionKey(workerId, version)) ?? (await this.#read(workerId, version));
    }
    const known = this.#listening() ? this.#current.get(workerId) : undefined;
    return await (known ?? this.#load(workerId)).reading;
  }

  /** The current version with all that was committed before a moment, in monotonic milliseconds. */
  async #newest(workerId: string, sinceMs: number): Promise<Entry> {
    for (;;) {
      const current = this.#current.get(workerId) ?? this.#load(workerId);
      const entry = await current.reading;
      if (current.sinceMs >= sinceMs) return entry;
      if ((await this.#currentVersions.get(workerId)) === entry.worker.version) return entry;
      this.#forget(workerId, current); // what takes its place is read from now on
    }
  }

  #load(workerId: string): Current {
    const sinceMs = this.#clock.monotonicMs();
    const current: Current = { reading: this.#read(workerId, undefined), sinceMs };
    this.#current.set(workerId, current);
    current.reading.catch(() => this.#forget(workerId, current)); // a failed read is no answer to keep
    return current;
  }

  #forget(workerId: string, current: Current): void {
    if (this.#current.peek(workerId) === current) this.#current.delete(workerId);
  }

  async #read(workerId: string, version: number | undefined): Promise<Entry> {
    const { rows } = await this.#sql.query<VersionRow>({
      name: version === undefined ? 'read-current-worker' : 'read-worker-version',
      text: version === undefined ? READ_CURRENT : READ_VERSION,
      values: version === undefined ? [workerId] : [workerId, version],
    });
    const row = rows[0];
    if (row === undefined) throw new AppError('NOT_FOUND', 'There is no such worker.');
    const key = versionKey(workerId, row.version);
    const known = this.#versions.get(key);
    if (known !== undefined) return known;
    const entry = toEntry(row);
    this.#versions.set(key, entry);
    return entry;
  }
}

const READ_CURRENT_VERSIONS = 'select id, current_version as version from workers where id = any($1::text[])';

async function readCurrentVersions(sql: Sql, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql.query<{ id: string; version: number }>({
    name: 'read-current-versions',
    text: READ_CURRENT_VERSIONS,
    values: [ids],
  });
  return new Map(rows.map(({ id, version }) => [id, version]));
}

interface VersionRow {
  readonly id: string;
  readonly kind: WorkerKind;
  readonly name: string;
  readonly version: number;
  readonly definition: Record<string, unknown>;
  readonly input_schema: JsonSchema | null;
  readonly output_schema: JsonSchema | null;
  readonly timeout_ms: number;
  readonly attempts_max: number;
}

const READ_CURRENT = `
  select w.id, w.kind, w.name, v.version, v.definition, v.input_schema, v.output_schema, v.timeout_ms,
    v.attempts_max
  from workers w join worker_versions v on v.worker_id = w.id and v.version = w.current_version where w.id = $1`;

const READ_VERSION = `
  select w.id, w.kind, w.name, v.version, v.definition, v.input_schema, v.output_schema, v.timeout_ms,
    v.attempts_max
  from workers w join worker_versions v on v.worker_id = w.id where w.id = $1 and v.version = $2`;

function versionKey(workerId: string, version: number): string {
  return `${workerId}@${version}`;
}

function toEntry(row: VersionRow): Entry {
  const worker: LoadedWorker = {
    id: row.id,
    kind: row.kind,
    name: row.name,
    version: row.version,
    definition: row.definition,
    inputSchema: row.input_schema,
    outputSchema: row.output_schema,
    timeoutMs: row.timeout_ms,
    attemptsMax: row.attempts_max,
  };
  const trusted = row.kind === 'CODE';
  return {
    worker,
    validate: row.input_schema === null ? undefined : compileSchema(row.input_schema, { trusted }),
  };
}

function describeFaults(faults: readonly SchemaFault[]): string {
  const shown = faults.slice(0, 5).map(({ pointer, message }) => `${pointer || '/'}: ${message}`);
  return `The input does not fit the worker's schema: ${shown.join('; ')}`;
}

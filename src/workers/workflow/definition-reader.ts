import { AppError } from '../../errors.js';
import { parseShortDuration } from '../../lib/duration.js';
import type { UserError } from '../../lib/user-error.js';

/** Where something stands in a definition: `['steps', '2', 'do', '0', 'with']`. */
export type Place = readonly string[];

export type Members = Readonly<Record<string, unknown>>;

const FAULTS_MAX = 50;

/** Reads the values of a definition that anybody may have written, and collects what is wrong with them. */
export class DefinitionReader {
  readonly faults: UserError[] = [];

  /** Notes a fault; the first {@link FAULTS_MAX} are enough to work on. */
  fault(field: Place, message: string, code: string): undefined {
    if (this.faults.length < FAULTS_MAX) this.faults.push({ field, message, code });
  }

  /** An object; of which members, when not of any. */
  object(value: unknown, at: Place, what: string, known?: readonly string[]): Members | undefined {
    if (!isObject(value)) return this.fault(at, `${what} is an object.`, 'INVALID');
    for (const name of Object.keys(value)) {
      if (known === undefined || known.includes(name)) continue;
      this.fault(
        [...at, name],
        `${what} has no "${name.slice(0, 100)}". It has ${known.join(', ')}.`,
        'UNKNOWN_MEMBER',
      );
    }
    return value;
  }

  /** A list with at least one entry. */
  list(value: unknown, at: Place, what: string, entriesMax: number): readonly unknown[] {
    if (!Array.isArray(value) || value.length === 0) {
      this.fault(at, `${what} is a list with at least one entry.`, 'INVALID');
      return [];
    }
    if (value.length > entriesMax) this.fault(at, `${what} has at most ${entriesMax} entries.`, 'OUT_OF_RANGE');
    return value.slice(0, entriesMax) as unknown[];
  }

  text(value: unknown, at: Place, what: string): string | undefined {
    if (typeof value === 'string' && value.trim() !== '') return value;
    return this.fault(at, `${what} is a text.`, 'INVALID');
  }

  oneOf<T extends string>(value: unknown, at: Place, known: readonly T[], without: T): T {
    if (value === undefined) return without;
    if ((known as readonly unknown[]).includes(value)) return value as T;
    this.fault(at, `This is one of ${known.join(', ')}.`, 'INVALID');
    return without;
  }

  integer(value: unknown, at: Place, { least, most }: { readonly least: number; readonly most: number }): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    this.fault(at, `This is a whole number from ${least} to ${most}.`, 'OUT_OF_RANGE');
    return least;
  }

  /** @returns milliseconds. */
  duration(value: unknown, at: Place, mostMs: number): number {
    const durationMs = typeof value === 'string' ? parseShortDuration(value) : undefined;
    if (durationMs === undefined) {
      this.fault(at, 'This is a duration such as "90s", "10m", "24h", "7d" or "PT10M".', 'INVALID');
    } else if (durationMs < 1 || durationMs > mostMs) {
      this.fault(at, `This is longer than nothing and at most ${mostMs / 1_000} seconds.`, 'OUT_OF_RANGE');
    } else {
      return durationMs;
    }
    return mostMs;
  }

  /** What parses a template; its fault is noted here. */
  parsed<T>(at: Place, parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return this.fault(at, error.message, 'INVALID_TEMPLATE');
    }
  }
}

export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

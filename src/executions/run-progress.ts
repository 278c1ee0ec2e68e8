import { isDataFault } from '../db/data-fault.js';
import { AppError } from '../errors.js';
import { LeaseLost } from '../workers/worker-run.js';
import type { Lease } from './lease.js';
import type { ProgressEntry, ProgressResult, ProgressWrite, TextEntry } from './write-progress.js';

export interface RunProgressOptions {
  readonly lease: Lease;
  /** Commits; keeps trying while the database is away. */
  readonly write: (write: ProgressWrite) => Promise<ProgressResult>;
  /** Called once, when something was refused: the attempt has to end. */
  readonly onLost: (error: LeaseLost) => void;
}

/**
 * Text waits this long for more of it, in milliseconds. A model gives some 50 pieces a second: written one by one they
 * would be 50 commits, so they are 40 at most, for all executions of the process together.
 */
const TEXT_DELAY_MS = 25;

/** A longer piece is divided: each event is read, and sent, as a whole. */
const DELTA_CHARACTERS_MAX = 32_768;

interface Recorded {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes what one attempt comes to, in order: one write is under way, and what comes meanwhile shares the next. An
 * attempt that comes to nothing but its end costs nothing here.
 *
 * States: IDLE → record, or text and a moment → WRITING → what came meanwhile → WRITING … → IDLE; a write that failed
 * or was refused, or `close`, ends in CLOSED.
 */
export class RunProgress {
  readonly #options: RunProgressOptions;
  #pending: ProgressEntry[] = [];
  #recorded: Recorded[] = [];
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  constructor(options: RunProgressOptions) {
    this.#options = options;
  }

  /**
   * Writes an entry, and resolves after COMMIT.
   *
   * @throws LeaseLost when it was refused; what the database said when it could not be written.
   */
  record(entry: ProgressEntry): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise<void>((resolve, reject) => {
      this.#pending.push(entry);
      this.#recorded.push({ resolve, reject });
      this.#write();
    });
  }

  /** Writes a piece of text after a moment, with what comes until then; nothing once this is closed. */
  text(entry: TextEntry): void {
    if (this.#failure !== undefined) return;
    for (const piece of divided(entry)) {
      const joined = join(this.#pending.at(-1), piece);
      if (joined === undefined) this.#pending.push(piece);
      else this.#pending[this.#pending.length - 1] = joined;
    }
    this.#timer ??= setTimeout(() => this.#write(), TEXT_DELAY_MS);
  }

  /** Resolves when all that was recorded is written. Nothing can be recorded behind it. */
  async close(): Promise<void> {
    this.#write();
    this.#failure ??= new LeaseLost();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length > 0) this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const [entries, recorded] = [this.#pending, this.#recorded];
      [this.#pending, this.#recorded] = [[], []];
      const failure = await this.#commit(entries);
      for (const { resolve, reject } of recorded) {
        if (failure === undefined) resolve();
        else reject(failure);
      }
      if (failure !== undefined) this.#fail(failure);
    }
    this.#writing = undefined; // in the same turn: whoever records now must not wait for a write that is over
  }

  async #commit(entries: readonly ProgressEntry[]): Promise<Error | undefined> {
    const { lease, write } = this.#options;
    try {
      return (await write({ lease, entries })) === 'refused' ? new LeaseLost() : undefined;
    } catch (error) {
      return isDataFault(error) ? new AppError('WORKER_OUTPUT_INVALID', undefined, { cause: error }) : (error as Error);
    }
  }

  #fail(failure: Error): void {
    for (const { reject } of this.#recorded) reject(failure);
    [this.#pending, this.#recorded] = [[], []];
    this.#failure = failure;
    if (failure instanceof LeaseLost) this.#options.onLost(failure);
  }
}

function divided(entry: TextEntry): TextEntry[] {
  const { delta, offset, truncated, ...rest } = entry;
  if (delta.length <= DELTA_CHARACTERS_MAX) return [entry];
  const pieces: TextEntry[] = [];
  for (let at = 0; at < delta.length;) {
    const slice = delta.slice(at, at + DELTA_CHARACTERS_MAX);
    const piece = wholeCharacters(slice) || slice;
    pieces.push({ ...rest, delta: piece, offset: offset + at });
    at += piece.length;
  }
  if (truncated) pieces[pieces.length - 1] = { ...pieces.at(-1)!, truncated };
  return pieces;
}

/** A text without the first half of a character at its end: not every language can put halves together. */
export function wholeCharacters(text: string): string {
  return /[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text;
}

/** Two pieces as one, when the second goes on where the first ends. */
function join(last: ProgressEntry | undefined, next: TextEntry): TextEntry | undefined {
  if (last?.kind !== 'text' || last.scope !== next.scope || last.step !== next.step) return undefined;
  if (last.offset + last.delta.length !== next.offset) return undefined;
  if (last.delta.length + next.delta.length > DELTA_CHARACTERS_MAX) return undefined;
  return { ...next, offset: last.offset, delta: last.delta + next.delta };
}

import { AppError } from '../errors.js';
import { type JsonText, toJsonText } from '../lib/json-text.js';
import { checkResultText, RESULT_BYTES_MAX } from '../workers/result-text.js';
import type { FinishedStep, NotedStep, StepLog, StepNote, StepState, StepUsage } from '../workers/worker-run.js';
import { executionErrorOf } from './attempt-ending.js';
import type { EarlierProgress } from './load-progress.js';
import { type RunProgress, wholeCharacters } from './run-progress.js';
import { appendText, cutText, lengthOf, type TextPiece, type Texts } from './text-pieces.js';
import type { StepEntry } from './write-progress.js';

/** Of a whole path; the primary key has to take it. */
const PATH_BYTES_MAX = 1_000;

/** Steps that one attempt may start: a worker that goes on for ever has to end some day. */
const STARTS_MAX = 10_000;

/** Text of an execution that is kept, in UTF-16 code units. */
const TEXT_CHARACTERS_MAX = 1_048_576;

/** What the workers of one attempt have in common, the execution's own one and those that are called. */
export class SharedProgress {
  readonly progress: RunProgress;
  readonly attempt: number;
  /** The steps that are finished by now, by their whole paths. */
  readonly finished: Map<string, FinishedStep>;
  /** The version of the worker that a step runs, since it was first started. */
  readonly versions: Map<string, number>;
  /** All text that stands by now. */
  readonly texts: Texts;
  textLength: number;
  textTruncated = false;
  starts = 0;
  /** The steps that keep a state, by their whole paths. */
  readonly noted: Map<string, NotedStep>;
  /** The others that are begun and not over, by their whole paths. */
  readonly running: Set<string>;

  constructor(progress: RunProgress, attempt: number, { finished, versions, texts, noted, running }: EarlierProgress) {
    this.progress = progress;
    this.attempt = attempt;
    this.finished = finished;
    this.versions = versions;
    this.texts = texts;
    this.noted = noted;
    this.running = running;
    this.textLength = texts.values().reduce((length, pieces) => length + lengthOf(pieces), 0);
  }
}

/**
 * The steps and the text of one worker in an attempt. `path` is that of its call; empty for the execution's own worker.
 *
 * What earlier attempts wrote of its text stays as far as it belongs to steps that are finished; the rest is taken
 * back at once, because this attempt will write it again. The text of a finished step behind that is written again
 * when the worker comes to the step.
 */
export class RunScope implements StepLog {
  readonly #shared: SharedProgress;
  readonly #path: string;
  /** The open steps by their whole paths, the one that was started first in front. */
  readonly #open = new Set<string>();
  readonly #text: TextPiece[];
  readonly #textToRestore = new Map<string, string>();
  #offset: number;
  /** The first half of a character whose second one is still to come. */
  #half = '';

  constructor(shared: SharedProgress, path: string) {
    this.#shared = shared;
    this.#path = path;
    this.#text = shared.texts.get(path) ?? [];
    shared.texts.set(path, this.#text);
    const length = lengthOf(this.#text);
    const repeated = this.#text.findIndex(({ step }) => step === undefined || !shared.finished.has(step));
    const lost = repeated === -1 ? [] : this.#text.slice(repeated);
    this.#offset = length - lengthOf(lost);
    if (lost.length === 0) return;
    for (const { step, text } of lost) {
      if (step === undefined || !shared.finished.has(step)) continue;
      this.#textToRestore.set(step, (this.#textToRestore.get(step) ?? '') + text);
    }
    cutText(this.#text, this.#offset);
    shared.textLength -= length - this.#offset;
    this.#write('', undefined);
  }

  finished(path: string): FinishedStep | undefined {
    const whole = this.wholePath(path);
    const step = this.#shared.finished.get(whole);
    const text = this.#textToRestore.get(whole);
    if (step !== undefined && text !== undefined) {
      this.#textToRestore.delete(whole);
      this.#write(text, whole);
    }
    return step;
  }

  async start(path: string, worker?: StepEntry['worker']): Promise<void> {
    const whole = this.wholePath(path);
    if (this.#shared.finished.has(whole)) throw new TypeError(`The step "${whole}" is finished; it never runs again.`);
    this.#countStart();
    this.#takeBack(whole);
    this.#open.add(whole);
    this.#shared.running.add(whole);
    await this.#record({ kind: 'step', path: whole, status: 'RUNNING', ...(worker && { worker }) });
  }

  noted(path: string): NotedStep | undefined {
    return this.#shared.noted.get(this.wholePath(path));
  }

  async note(path: string, { status, state, input, error }: StepNote): Promise<void> {
    const whole = this.wholePath(path);
    if (this.#shared.finished.has(whole)) throw new TypeError(`The step "${whole}" is finished; it never runs again.`);
    if (status === 'RUNNING') this.#countStart();
    const shown = error === undefined ? undefined : executionErrorOf(error);
    await this.#record({
      kind: 'step',
      path: whole,
      status,
      state,
      input,
      ...(shown && { error: toJsonText(shown) }),
    });
    const kept = input ?? this.#shared.noted.get(whole)?.input;
    this.#shared.noted.set(whole, { status, state, input: kept, error: shown });
  }

  async abandon(path: string): Promise<void> {
    const below = `${this.wholePath(path)}/`;
    const { noted, running } = this.#shared;
    const error = executionErrorOf(new AppError('CANCELED', 'It was ended with the step around it.'));
    const ends: Promise<void>[] = [];
    const end = (whole: string): void =>
      void ends.push(this.#record({ kind: 'step', path: whole, status: 'FAILED', error: toJsonText(error) }));
    for (const [whole, { status, ...step }] of noted) {
      if (!whole.startsWith(below) || (status !== 'RUNNING' && status !== 'WAITING')) continue;
      if (this.#shared.finished.has(whole)) continue;
      noted.set(whole, { ...step, status: 'FAILED', error });
      end(whole);
    }
    for (const whole of running) {
      if (!whole.startsWith(below)) continue;
      running.delete(whole);
      end(whole);
    }
    await Promise.all(ends);
  }

  async finish(
    path: string,
    { output, usage, state }: { output: JsonText; usage?: StepUsage; state?: StepState },
  ): Promise<void> {
    const whole = this.wholePath(path);
    checkResultText(output, RESULT_BYTES_MAX);
    await this.#record({ kind: 'step', path: whole, status: 'SUCCEEDED', output, usage, state });
    this.#open.delete(whole);
    this.#shared.running.delete(whole);
    this.#shared.finished.set(whole, { output, attempt: this.#shared.attempt, ...(usage && { usage }) });
  }

  async fail(path: string, error: unknown): Promise<void> {
    const whole = this.wholePath(path);
    await this.#record({ kind: 'step', path: whole, status: 'FAILED', error: toJsonText(executionErrorOf(error)) });
    this.#open.delete(whole);
    this.#shared.running.delete(whole);
  }

  /** Bound: a worker may be handed it alone. */
  readonly emitText = (delta: string): void => {
    const text = this.#half + delta;
    const whole = wholeCharacters(text);
    this.#half = text.slice(whole.length);
    const [step] = this.#open;
    if (whole !== '') this.#write(whole, step);
  };

  /** Writes what is left of the text; to be called when the worker has ended well. */
  endText(): void {
    if (this.#half !== '') this.#write(this.#half, undefined);
    this.#half = '';
  }

  /**
   * A step's path in the execution.
   *
   * @throws TypeError when it is none.
   */
  wholePath(path: string): string {
    const whole = this.#path === '' ? path : `${this.#path}/${path}`;
    if (path === '' || Buffer.byteLength(whole) > PATH_BYTES_MAX || path.includes('\0')) {
      throw new TypeError(
        `The path of a step has 1 to ${PATH_BYTES_MAX} bytes with those of its calls, none of them 0.`,
      );
    }
    return whole;
  }

  #countStart(): void {
    this.#shared.starts += 1;
    if (this.#shared.starts <= STARTS_MAX) return;
    throw new AppError('WORKER_FAILED', `The worker started more than ${STARTS_MAX} steps.`);
  }

  /** What a step wrote before it is started again, unless others have written behind it. */
  #takeBack(step: string): void {
    const first = this.#text.findIndex((piece) => piece.step === step);
    if (first === -1 || this.#text.slice(first).some((piece) => piece.step !== step)) return;
    const length = lengthOf(this.#text);
    this.#offset = lengthOf(this.#text.slice(0, first));
    this.#half = '';
    cutText(this.#text, this.#offset);
    this.#shared.textLength -= length - this.#offset;
    this.#shared.textTruncated &&= this.#shared.textLength >= TEXT_CHARACTERS_MAX;
    this.#write('', undefined);
  }

  #record(entry: StepEntry): Promise<void> {
    return this.#shared.progress.record(entry);
  }

  #write(text: string, step: string | undefined): void {
    const shared = this.#shared;
    if (shared.textTruncated) return;
    const room = TEXT_CHARACTERS_MAX - shared.textLength;
    shared.textTruncated = text.length > room;
    const delta = shared.textTruncated ? wholeCharacters(text.slice(0, room)) : text;
    const truncated = shared.textTruncated ? { truncated: true as const } : {};
    shared.progress.text({ kind: 'text', scope: this.#path, step, offset: this.#offset, delta, ...truncated });
    appendText(this.#text, { step, text: delta });
    this.#offset += delta.length;
    shared.textLength += delta.length;
  }
}

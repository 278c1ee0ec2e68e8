import { cutToJsonBytes, jsonBytes } from '../../lib/json-text.js';

/**
 * The text that an agent writes while it works. What is streamed and what the result has as `content` are the same
 * characters: the texts of its model steps, with an empty line between two of them.
 */
export class AnswerText {
  readonly #emit: (delta: string) => void;
  readonly #bytesMax: number;
  #finished = '';
  #step = '';
  #bytes = 0;
  #full = false;

  /**
   * @param emit streams a piece.
   * @param bytesMax how much of it there can be, in bytes of JSON.
   */
  constructor(emit: (delta: string) => void, bytesMax: number) {
    this.#emit = emit;
    this.#bytesMax = bytesMax;
  }

  /** All of it. */
  get content(): string {
    return this.#finished + this.#step;
  }

  /** Whether some of it was left out. */
  get full(): boolean {
    return this.#full;
  }

  /** Of the step that is being written, without what separates it from the one before. */
  get stepText(): string {
    return this.#step.slice(this.#separator.length);
  }

  /** Takes the next piece of the present step. @returns whether there is room for more. */
  add(delta: string): boolean {
    const piece = this.#append(delta);
    if (piece !== '') this.#emit(piece);
    return !this.#full;
  }

  /** The present step is written again from its beginning. */
  restartStep(): void {
    this.#bytes -= jsonBytes(this.#step);
    this.#step = '';
    this.#full = false;
  }

  /** The present step's text stays. @returns it, without what separates it. */
  finishStep(): string {
    const text = this.stepText;
    this.#finished += this.#step;
    this.#step = '';
    return text;
  }

  /** Takes a step that an earlier attempt finished, and whose text was streamed then. @returns as {@link finishStep}. */
  recall(text: string): string {
    this.#append(text);
    return this.finishStep();
  }

  #append(delta: string): string {
    if (this.#full || delta === '') return '';
    const piece = this.#step === '' ? this.#separator + delta : delta;
    const fitting = cutToJsonBytes(piece, this.#bytesMax - this.#bytes);
    this.#full = fitting.length < piece.length;
    this.#bytes += jsonBytes(fitting);
    this.#step += fitting;
    return fitting;
  }

  get #separator(): string {
    return this.#finished === '' ? '' : '\n\n';
  }
}

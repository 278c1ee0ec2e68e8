/** A stretch of text that one step wrote, or that was written outside of steps. */
export interface TextPiece {
  /** The whole path of the step. */
  readonly step: string | undefined;
  readonly text: string;
}

/** The data of a `text` event, as `write-progress.ts` makes it. */
export interface TextEventData {
  readonly attempt: number;
  /** The path of the call whose worker writes; absent for the execution's own worker. */
  readonly callPath?: string;
  readonly step?: string;
  readonly offset: number;
  readonly delta: string;
  readonly truncated?: boolean;
}

/** The text of each worker of an execution in its pieces, by the path of its call; empty is the execution's own. */
export type Texts = Map<string, TextPiece[]>;

/**
 * Puts the data of text events together as every reader does: each is put at its offset, and what was there from then
 * on is dropped.
 *
 * @param events the data as JSON.
 */
export function foldText(events: readonly string[]): Texts {
  const texts: Texts = new Map();
  for (const event of events) {
    const { callPath = '', step, offset, delta } = JSON.parse(event) as TextEventData;
    let pieces = texts.get(callPath);
    if (pieces === undefined) texts.set(callPath, (pieces = []));
    cutText(pieces, offset);
    appendText(pieces, { step, text: delta });
  }
  return texts;
}

export function lengthOf(pieces: readonly TextPiece[]): number {
  return pieces.reduce((length, { text }) => length + text.length, 0);
}

/** Adds to the end; the list changes. */
export function appendText(pieces: TextPiece[], piece: TextPiece): void {
  const last = pieces.at(-1);
  if (last !== undefined && last.step === piece.step) {
    pieces[pieces.length - 1] = { step: last.step, text: last.text + piece.text };
  } else if (piece.text !== '') {
    pieces.push(piece);
  }
}

/** Takes away what is behind a length; the list changes. */
export function cutText(pieces: TextPiece[], length: number): void {
  let excess = lengthOf(pieces) - length;
  while (excess > 0) {
    const { step, text } = pieces.pop()!;
    if (text.length > excess) pieces.push({ step, text: text.slice(0, -excess) });
    excess -= text.length;
  }
}

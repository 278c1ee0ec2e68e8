/** Something in the input that the user can mend. The API returns a list of them; it is not a fault of ours. */
export interface UserError {
  /** Where in the input: the names from the input's root to the field (`['authentication', 'headerName']`). */
  readonly field: readonly string[];
  /** For a person. It never repeats a secret that was sent. */
  readonly message: string;
  /** For a program, upper snake case (`TOO_LONG`). */
  readonly code: string;
}

/** What a use case gives when its input can be wrong: a value, or all that is to be mended. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly userErrors: readonly UserError[] };

/** The outcome of a use case that did what it was asked. */
export function succeeded<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

/** The outcome of a use case that changed nothing, with all that is to be mended. */
export function refused(...userErrors: readonly UserError[]): Outcome<never> {
  return { ok: false, userErrors };
}

/** How much a diagnosis may compute; it then says that not everything was tried. */
export class Budget {
  #tries: number;
  #bytes: number;

  /**
   * @param tries signatures that may be computed; one takes 10 to 25 µs over a small body.
   * @param bytes over which they may be computed in all, or that are written in another form, which costs four times
   *   as much; a megabyte takes 1 to 3 ms.
   */
  constructor(tries: number, bytes: number) {
    this.#tries = tries;
    this.#bytes = bytes;
  }

  /** Whether something has been left out. */
  get exhausted(): boolean {
    return this.#tries < 0 || this.#bytes < 0;
  }

  /** @returns false when there is nothing left to spend. */
  spend(tries: number, bytes: number): boolean {
    if (this.exhausted) return false;
    this.#tries -= tries;
    this.#bytes -= bytes;
    return !this.exhausted;
  }
}

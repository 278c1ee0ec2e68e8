/** An event as it came over the wire. */
export interface WireEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** Splits a whole stream into its events; comments and other fields are left out. */
export function parseEvents(text: string): WireEvent[] {
  return text
    .split('\n\n')
    .map((block) => {
      const values = (field: string): string[] =>
        block
          .split('\n')
          .filter((line) => line.startsWith(`${field}: `))
          .map((line) => line.slice(field.length + 2));
      return { event: values('event').join(), id: values('id').join(), data: values('data').join('\n') };
    })
    .filter(({ event }) => event !== '');
}

/** Reads a response as it comes. */
export class StreamReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = '';

  constructor(response: Response) {
    this.#reader = response.body!.getReader();
  }

  /** Reads until `found` says that enough has come; all that has come so far. */
  async until(found: (text: string) => boolean): Promise<string> {
    while (!found(this.#text)) if (!(await this.#read())) throw new Error(`the stream has ended: ${this.#text}`);
    return this.#text;
  }

  /** Reads to the end; everything from the beginning. */
  async toEnd(): Promise<string> {
    while (await this.#read());
    return this.#text;
  }

  async hangUp(): Promise<void> {
    await this.#reader.cancel();
  }

  async #read(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    this.#text += this.#decoder.decode(value, { stream: !done });
    return !done;
  }
}
